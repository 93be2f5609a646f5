"""Kills the worker of a composed stack in the middle of its work, with SIGKILL, and looks at what the engine does.

The signal comes from inside of the container, to the process itself: an engine does not start again what was ended
through the engine (`docker compose kill`), since that was somebody's wish. A process that dies is another matter.
"""

import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx
import psycopg
from rich.console import Console

from sandbox.composed import OURS, ComposedStack
from sandbox.stack import StackError

AFAR_MS = 50
"""How long the look-alike's answers take until the kill, as from a service that is far away."""
_KILL = """
import os, signal
for name in filter(str.isdigit, os.listdir("/proc")):
    if name != str(os.getpid()) and b"workers.consume" in open(f"/proc/{name}/cmdline", "rb").read() and name != "1":
        os.kill(int(name), signal.SIGKILL)
"""
_MEMORY = """
cat /sys/fs/cgroup/memory.peak 2>/dev/null || cat /sys/fs/cgroup/memory/memory.max_usage_in_bytes 2>/dev/null || echo 0
cat /proc/[0-9]*/status 2>/dev/null | grep VmHWM
"""
_RUNNING = """SELECT id, fence FROM run
               WHERE kind = 'activity' AND state = 'running' AND (counts->>'asked')::int > 0"""


@dataclass(frozen=True)
class Memory:
    """The most that a container held, and the most that one process in it held, in bytes."""

    container: int
    process: int

    def or_more(self, other: "Memory") -> "Memory":
        """Give the larger of each."""
        return Memory(max(self.container, other.container), max(self.process, other.process))


class Breaker:
    """Enter it when the cycle begins; when it is left, the worker was killed once and is back."""

    def __init__(self, stack: ComposedStack, console: Console) -> None:
        """Say what happens on `console`."""
        self._stack, self._console = stack, console
        self._worker = stack.compose.container("worker")
        self._thread = threading.Thread(target=self._break, name="breaker", daemon=True)
        self._error: Exception | None = None
        self._leaving = threading.Event()
        self.peaks: dict[str, Memory] = {}
        self.fences: tuple[int, int] = (0, 0)
        """The run's fencing number before the kill and at its end."""

    def __enter__(self) -> Self:
        self._answer_after(AFAR_MS)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving.set()
        self._thread.join()
        if self._error is not None and error is None:
            raise self._error

    def _break(self) -> None:
        try:
            self._break_and_watch()
        except (StackError, httpx.HTTPError, psycopg.Error) as error:
            self._error = StackError(f"the worker could not be killed in the middle: {error}")

    def _break_and_watch(self) -> None:
        with psycopg.connect(self._stack.database_url("console"), autocommit=True) as connection:
            run_id, fence = self._until_it_runs(connection)
            self.note("worker")
            self._stack.compose.docker("exec", self._worker, "python", "-c", _KILL)
            self._console.print("[dim]·[/dim] killed the worker (SIGKILL) while it pulls activity")
            self._answer_after(0)
            self._leaving.wait()
            row = connection.execute("SELECT fence FROM run WHERE id = %s", [run_id]).fetchone()
        assert row is not None
        self.fences = (int(fence), int(row[0]))

    def _until_it_runs(self, connection: psycopg.Connection) -> tuple[object, int]:
        while not self._leaving.is_set():
            row = connection.execute(_RUNNING).fetchone()
            if row is not None:
                return row[0], int(row[1])
            time.sleep(0.02)
        raise StackError("the activity pull was over before anybody could see it run; take more --people")

    def _answer_after(self, milliseconds: int) -> None:
        address = f"{self._stack.asana.url}/-/sandbox/limits"
        httpx.post(address, json={"latency_ms": milliseconds}, trust_env=False).raise_for_status()

    def restarts(self, service: str = "worker") -> int:
        """Count how often the engine started a service's container again."""
        container = self._stack.compose.container(service)
        return int(self._stack.compose.docker("inspect", "--format", "{{.RestartCount}}", container))

    def note(self, *services: str) -> None:
        """Note the peak memory of these containers, over what was noted before."""
        for service in services:
            said = self._stack.compose.docker("exec", self._stack.compose.container(service), "sh", "-c", _MEMORY)
            first, *rest = said.splitlines()
            processes = [int(line.split()[1]) * 1024 for line in rest]
            now = Memory(int(first), max(processes, default=0))
            self.peaks[service] = now.or_more(self.peaks.get(service, now))

    def stop_all(self) -> dict[str, int]:
        """Ask every process of ours to end, as `docker compose stop` does; return each one's exit code."""
        self._stack.compose.run("stop", *OURS)
        inspect = ("inspect", "--format", "{{.State.ExitCode}}")
        return {one: int(self._stack.compose.docker(*inspect, self._stack.compose.container(one))) for one in OURS}
