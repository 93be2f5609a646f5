"""Ends what we started, however we end.

A program that is killed with SIGKILL cannot clean up after itself, so a second, tiny program does it: it holds the
reading end of a pipe from us, keeps a list of our children and folders, and waits for the pipe to close. The pipe
closes when we close it, and also when we die of anything. An orderly end takes the very same path, so the path that
matters most is the one that runs every day.

What holds: children and folders are gone within seconds after SIGKILL, SIGTERM, Ctrl-C or an exception. What does not:
a child that was started less than a millisecond before SIGKILL may not be on the list yet, and nobody ends the children
when the reaper is killed too.
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TypedDict

GRACE = 8.0  # seconds between the polite signal and SIGKILL


class Reaper:
    """A list of children, containers and folders that end when we do."""

    def __init__(self) -> None:
        self._children: list[subprocess.Popen[bytes]] = []
        # Started outside our session, so that Ctrl-C in a terminal reaches us alone and the children end in order.
        self._program = subprocess.Popen(
            [sys.executable, "-I", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def start(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        log: Path | None = None,
        folder: Path | None = None,
        user: str | None = None,
        ending: signal.Signals = signal.SIGTERM,
    ) -> subprocess.Popen[bytes]:
        """Start a program in a session of its own; `log` gets its output, `ending` is the signal that ends it."""
        with log.open("ab") if log else contextlib.nullcontext(subprocess.DEVNULL) as output:
            child = subprocess.Popen(
                argv,
                env=env,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **as_user(user),
            )
        self.watch(child, ending)
        return child

    def watch(self, child: subprocess.Popen[bytes], ending: signal.Signals = signal.SIGTERM) -> None:
        """Put a child on the list that was started elsewhere."""
        self._children.append(child)
        self._say(f"child {child.pid} {ending.value}")

    def forget(self, child: subprocess.Popen[bytes]) -> None:
        """Take a child off the list that has ended: its number may soon belong to another program."""
        self._children.remove(child)
        self._say(f"forget {child.pid}")

    def remove(self, folder: Path) -> None:
        """Put a folder on the list of those to remove in the end."""
        self._say(f"folder {folder}")

    def remove_container(self, container: str) -> None:
        """Put a Docker container, by its name, on the list of those to remove in the end; it need not be there yet."""
        self._say(f"container {container}")

    def close(self) -> None:
        """End everything on the list; returns when nothing of it is left."""
        assert self._program.stdin
        self._program.stdin.close()
        for child in self._children:
            child.wait()
        self._program.wait()

    def _say(self, line: str) -> None:
        assert self._program.stdin
        self._program.stdin.write(f"{line}\n".encode())
        self._program.stdin.flush()


class AsUser(TypedDict, total=False):
    """The arguments with which `subprocess` starts a program as somebody else."""

    user: int
    group: int
    extra_groups: list[int]


def as_user(name: str | None) -> AsUser:
    """Give the arguments for a user by name; none when the program runs as we do."""
    if name is None:
        return {}
    entry = pwd.getpwnam(name)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


@contextlib.contextmanager
def reaping() -> Iterator[Reaper]:
    """Give a reaper that is closed at the end."""
    reaper = Reaper()
    try:
        yield reaper
    finally:
        reaper.close()


def _listen(lines: IO[str]) -> tuple[dict[int, int], list[str], list[str]]:
    """Keep the list until the pipe closes: children with their signals, folders, containers."""
    children: dict[int, int] = {}
    folders: list[str] = []
    containers: list[str] = []
    for line in lines:
        word, _, rest = line.rstrip("\n").partition(" ")
        if word == "child":
            pid, number = rest.split()
            children[int(pid)] = int(number)
        elif word == "forget":
            children.pop(int(rest), None)
        elif word == "folder":
            folders.append(rest)
        else:
            containers.append(rest)
    return children, folders, containers


def _runs(pid: int) -> bool:
    """Whether a program runs; one that has ended and waits for its parent does not."""
    try:
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (ProcessLookupError, FileNotFoundError):
        return sys.platform != "linux" and _exists(pid)
    return status.rpartition(")")[2].split()[0] not in "ZX"


def _exists(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def _end(children: Mapping[int, int]) -> None:
    """Signal all at once, wait, and kill what stays, with its whole process group."""
    for pid, number in children.items():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    deadline = time.monotonic() + GRACE
    while any(map(_runs, children)) and time.monotonic() < deadline:
        time.sleep(0.01)
    for pid in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def _remove_containers(containers: Sequence[str]) -> None:
    import docker  # noqa: PLC0415 - only where a container was started: it takes a third of a second
    from docker.errors import DockerException  # noqa: PLC0415 - as above

    for container in containers:
        with contextlib.suppress(DockerException):
            docker.from_env().containers.get(container).remove(force=True, v=True)


def main() -> None:
    """Wait for the pipe to close, then end everything."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    children, folders, containers = _listen(sys.stdin)
    _end(children)
    if containers:
        _remove_containers(containers)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
