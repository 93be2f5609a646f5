"""The demo's memory table: what is measured, what is over the limit, and what nobody can tell."""

import io
import sys

from rich.console import Console

from sandbox.demo.memory import LIMIT, Peak, check_of
from sandbox.demo.report import tell_memory
from sandbox.peaks import Highest, larger, run_watched
from sandbox.stack import ROOT
from workers.operations import peak_memory

HOLDS_FOR_A_MOMENT = "import time; held = b'x' * 64_000_000; del held; time.sleep(0.2)"


def printed(*peaks: Peak) -> list[list[str]]:
    console = Console(file=io.StringIO(), width=110)
    tell_memory(console, list(peaks))
    assert isinstance(console.file, io.StringIO)
    return [line.split() for line in console.file.getvalue().splitlines() if line.split()]


def test_a_process_at_the_limit_fails_the_check_and_is_shown() -> None:
    peaks = [Peak("relay", LIMIT - 1), Peak("worker", LIMIT), Peak("intake", None)]
    check = check_of(peaks)
    assert (check.found, check.expected, check.holds) == (1, 0, False)
    assert check_of([peaks[0], peaks[2]]).holds
    assert printed(*peaks)[2:] == [
        ["relay", "300", "300", "ok"],
        ["worker", "300", "300", "TOO", "MUCH"],
        ["intake", "not", "known", "here", "300"],
    ]


def test_a_peak_that_is_not_known_counts_for_nothing() -> None:
    assert (larger(None, None), larger(None, 3), larger(4, None), larger(4, 3)) == (None, 3, 4, 4)
    assert peak_memory(2**22 + 1) is None  # above the largest number that Linux gives


def test_what_a_program_held_for_a_moment_is_still_known() -> None:
    highest = Highest()
    done = run_watched([sys.executable, "-c", HOLDS_FOR_A_MOMENT], highest, folder=ROOT, env={}, stdin=None)
    assert done.returncode == 0
    if sys.platform == "linux":
        assert highest.bytes is not None
        assert 64_000_000 < highest.bytes < 150_000_000
    else:
        assert highest.bytes is None
    before = highest.bytes
    done = run_watched([sys.executable, "-c", "print(input())"], highest, folder=ROOT, env={}, stdin="a word\n")
    assert (done.stdout, highest.bytes) == ("a word\n", before)
