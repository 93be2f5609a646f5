"""Our processes, run as an operator would, and what they say of themselves."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from typing import Any

ROOT = Path(__file__).parent.parent.parent


@dataclass
class Running:
    """A process of ours, its log line by line, and its address once it has said it."""

    process: subprocess.Popen[str]
    lines: "Queue[dict[str, Any] | str | None]" = field(default_factory=Queue)

    def __post_init__(self) -> None:
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with contextlib.suppress(ValueError):
                self.lines.put(json.loads(line))
                continue
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def until(self, event: str) -> dict[str, Any]:
        """Return the next log line of this event; AssertionError if the process ends before."""
        seen = []
        while (line := self.lines.get(timeout=40)) is not None:
            seen.append(line)
            if isinstance(line, dict) and line["event"] == event:
                return line
        raise AssertionError(f"no {event!r} in {seen}")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop, and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=30)

    def rest(self) -> list[dict[str, Any] | str]:
        """Return what it said and was not looked at, after its end."""
        self._reading.join(timeout=10)
        left: list[dict[str, Any] | str] = []
        while (line := self.lines.get(timeout=10)) is not None:
            left.append(line)
        return left


@contextlib.contextmanager
def start(module: str, settings: dict[str, str]) -> Iterator[Running]:
    """Run `python -m module` with these settings and none of ours, and end it with the block."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SEATKEEPER_")}
    process = subprocess.Popen(
        [sys.executable, "-m", module], cwd=ROOT, env=clean | settings, stderr=subprocess.PIPE, text=True
    )
    running = Running(process)
    try:
        yield running
    finally:
        process.kill()
        process.wait()
        running._reading.join(timeout=10)
        assert process.stderr is not None
        process.stderr.close()


def get(url: str) -> tuple[int, str]:
    """Return the status and the body that an address answers with."""
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return int(answer.status), str(answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
