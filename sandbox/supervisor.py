"""Keeps named programs running on one machine, as systemd or Compose would on a server.

A program that dies is started again after a short pause. Nothing outlives the supervisor: it ends its programs in
order, and the reaper ends them if the supervisor itself is killed.
"""

import contextlib
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from sandbox.peaks import larger
from sandbox.reaper import Reaper
from workers.operations import peak_memory

PAUSE = 0.2  # seconds between a death and the next start
GRACE = 10.0  # seconds between SIGTERM and SIGKILL
LOOK_EVERY = 0.25  # seconds between two looks at how much memory each program holds
TOO_OFTEN = 5  # restarts while we wait for a program to become ready


class NotReadyError(Exception):
    """A program did not become ready; the message says which one and where its log is."""


@dataclass
class Program:
    """One program to keep running."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    log: Path
    child: subprocess.Popen[bytes]
    restarts: int = 0
    due: float | None = None  # when to start it again, on the monotonic clock
    peak: int | None = None  # bytes of memory, the most of any of its lives, as of the last look

    def look(self) -> None:
        """Read how much memory the present life held at most so far."""
        if self.due is None:
            self.peak = larger(self.peak, peak_memory(self.child.pid))


class Supervisor:
    """The programs by name. Safe to use from several threads."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._programs: dict[str, Program] = {}
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._reaper = Reaper()
        self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def __enter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._watcher.join()
        with self._lock:
            self._end(self._programs.values())
        self._reaper.close()

    def start(self, name: str, argv: Sequence[str], env: Mapping[str, str]) -> None:
        """Start a program and keep it running; its output goes to `<name>.log` in the folder of logs."""
        log = self._logs / f"{name}.log"
        with self._lock:
            assert name not in self._programs, f"{name} runs already"
            self._programs[name] = Program(name, argv, env, log, self._reaper.start(argv, env=env, log=log))

    def stop(self, name: str) -> None:
        """End a program in order, for good."""
        with self._lock:
            self._end([self._programs.pop(name)])

    def pid(self, name: str) -> int:
        """Give the number of the running program (of the last one, while it waits to be started again)."""
        return self._programs[name].child.pid

    def restarts(self, name: str) -> int:
        """Count how often a program was started again."""
        return self._programs[name].restarts

    def peak_memory(self, name: str) -> int | None:
        """Give the most memory in bytes that any life of the program held; None where the system does not tell.

        A life that ended by itself counts as of a quarter of a second before its end.
        """
        with self._lock:
            self._programs[name].look()
            return self._programs[name].peak

    def log(self, name: str) -> Path:
        """Give the file with a program's output."""
        return self._programs[name].log

    def kill(self, name: str) -> None:
        """End a program with SIGKILL, as a fault would; it is started again."""
        self._programs[name].child.kill()

    def wait_ready(self, name: str, url: str, within: float = 30.0) -> None:
        """Return when a GET of `url` succeeds; NotReadyError after `within` seconds or when it keeps dying."""
        deadline, before = time.monotonic() + within, self.restarts(name)
        with httpx.Client(timeout=2, trust_env=False) as client:
            while not _succeeds(client, url):
                if self.restarts(name) - before >= TOO_OFTEN:
                    raise NotReadyError(f"{name} keeps ending by itself; its output is in {self.log(name)}")
                if time.monotonic() > deadline:
                    raise NotReadyError(f"{name} was not ready after {within:.0f} s; its output is in {self.log(name)}")
                time.sleep(0.05)

    def _watch(self) -> None:
        looked = 0.0
        while not self._ending.wait(0.02):
            with self._lock:
                for program in self._programs.values():
                    self._revive(program)
                if time.monotonic() >= looked + LOOK_EVERY:
                    looked = time.monotonic()
                    for program in self._programs.values():
                        program.look()

    def _revive(self, program: Program) -> None:
        """Note a death, and start the program again when its pause is over."""
        if program.due is None:
            if program.child.poll() is not None:
                self._reaper.forget(program.child)
                program.due = time.monotonic() + PAUSE
        elif time.monotonic() >= program.due:
            program.child = self._reaper.start(program.argv, env=program.env, log=program.log)
            program.due = None
            program.restarts += 1

    def _end(self, programs: Iterable[Program]) -> None:
        """Ask all at once to end, and kill those that do not within the grace."""
        running = [program.child for program in programs if program.due is None]
        for child in running:
            child.terminate()
        deadline = time.monotonic() + GRACE
        for child in running:
            try:
                child.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            self._reaper.forget(child)


def _succeeds(client: httpx.Client, url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return client.get(url).is_success
    return False
