"""The reaper ends children and folders, whatever ends us."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.reaper import reaping
from tests.sandbox_services.watching import runs, until

# Starts two programs, of which one has a child of its own that nobody else knows, says their numbers, then waits.
PARENT = """
import sys, time
from pathlib import Path
from sandbox.reaper import Reaper
reaper = Reaper()
reaper.remove(Path(sys.argv[1]))
alone = reaper.start(["sleep", "600"])
parent = reaper.start(["sh", "-c", "sleep 600 & echo $! > $0; wait", sys.argv[1] + "/pid"])
while not Path(sys.argv[1] + "/pid").exists() or not Path(sys.argv[1] + "/pid").read_text():
    time.sleep(0.01)
print(alone.pid, parent.pid, Path(sys.argv[1] + "/pid").read_text().strip(), flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_us(ending: signal.Signals, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, folder], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as parent:
        assert parent.stdout
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 3
        assert all(map(runs, pids)), "they run while we do"
        parent.send_signal(ending)
    until(lambda: not any(map(runs, pids)) and not folder.exists())


def test_an_exception_ends_everything_before_it_is_seen(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()

    def fail_with_a_child() -> None:
        with reaping() as reaper:
            reaper.remove(folder)
            pids.append(reaper.start(["sleep", "600"]).pid)
            raise RuntimeError("in the middle")

    pids: list[int] = []
    with pytest.raises(RuntimeError, match="in the middle"):
        fail_with_a_child()
    assert not runs(pids[0])
    assert not folder.exists()


def test_a_child_that_ended_before_is_left_alone() -> None:
    """Its number may belong to another program by then."""
    with subprocess.Popen(["sleep", "600"]) as bystander:
        with reaping() as reaper:
            reaper.watch(bystander)
            reaper.forget(bystander)
        assert bystander.poll() is None
        bystander.kill()


def test_output_is_added_to_the_log(tmp_path: Path) -> None:
    with reaping() as reaper:
        for word in ("one", "two"):
            reaper.start(["sh", "-c", f"echo {word}; echo {word} >&2"], log=tmp_path / "log").wait()
    assert (tmp_path / "log").read_text(encoding="utf-8").split() == ["one", "one", "two", "two"]
