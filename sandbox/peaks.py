"""How much memory a program held at most, read while it lives.

`ru_maxrss`, which the system gives when a child has ended, begins with the parent's own memory; the high-water mark in
/proc does not, but is gone with the program. So it is read now and then, and once more before an orderly end.
"""

import contextlib
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from workers.operations import peak_memory

EVERY = 0.01
"""Seconds between two readings of a program that soon ends by itself."""


def larger(one: int | None, other: int | None) -> int | None:
    """Return the larger of two peaks; one that is not known counts for nothing."""
    return max((peak for peak in (one, other) if peak is not None), default=None)


class Highest:
    """The largest peak, in bytes, of programs that come and go; `bytes` is None while none is known."""

    def __init__(self) -> None:
        self.bytes: int | None = None

    @contextlib.contextmanager
    def watching(self, pid: int) -> Iterator[None]:
        """Read the program's peak again and again until the block ends."""
        ended = threading.Event()
        reader = threading.Thread(target=self._read, args=(pid, ended), name="memory", daemon=True)
        reader.start()
        try:
            yield
        finally:
            ended.set()
            reader.join()

    def _read(self, pid: int, ended: threading.Event) -> None:
        while not ended.is_set():
            self.bytes = larger(self.bytes, peak_memory(pid))
            ended.wait(EVERY)


def run_watched(
    argv: Sequence[str], highest: Highest, *, folder: Path, env: Mapping[str, str], stdin: str | None
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end with its output taken down, as `subprocess.run` does; `highest` learns its peak."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        argv, cwd=folder, env=env, stdin=None if stdin is None else pipe, stdout=pipe, stderr=pipe, text=True
    ) as child:
        try:
            with highest.watching(child.pid):
                output, complaint = child.communicate(stdin)
        except BaseException:
            child.kill()
            raise
    return subprocess.CompletedProcess(argv, child.returncode, output, complaint)
