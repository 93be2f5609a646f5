"""`/health` and `/metrics` of one process, on loopback.

They are answered by a thread of their own, not by the event loop that they report on: a loop that is blocked is exactly
what a health check must be able to say. Checks say what is wrong in words, or None.

    async with operations(settings, "relay", checks={"broker": broker_trouble}, collect=figures):
        ...

A process without an event loop of its own starts `OperationsServer` with plain functions as its checks.
"""

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Metric, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from settings import Settings, SettingsUnfit

Check = Callable[[], str | None]
"""Returns what is wrong in words, or None. Called from another thread."""
AsyncCheck = Callable[[], Awaitable[str | None]]
Collect = Callable[[], Awaitable[Iterable[Metric]]]
LONGEST_CHECK = 5.0
"""Seconds. All checks are asked at once; one that takes longer has failed, and the others are told without it."""

log = structlog.get_logger(__name__)


class OperationsServer:
    """Answers until it is closed. `address` is where, once started."""

    def __init__(
        self, settings: Settings, process_name: str, checks: Mapping[str, Check], registry: CollectorRegistry
    ) -> None:
        """Bind to `operations_host` and `operations_port`; SettingsUnfit when that cannot be."""
        answer = type("Answer", (_Answer,), {"process_name": process_name, "checks": checks, "registry": registry})
        self._server = _bound(settings, answer)
        host, port = self._server.server_address[:2]
        self.address = f"http://{host!s}:{port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="operations", daemon=True)

    def start(self) -> None:
        """Begin to answer, and log where."""
        self._thread.start()
        log.info("operations_listening", address=self.address)

    def close(self) -> None:
        """Answer nothing more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _bound(settings: Settings, answer: type[BaseHTTPRequestHandler]) -> "_Server":
    where = (settings.operations_host, settings.operations_port)
    try:
        return _Server(where, answer)
    except OSError as error:
        names = "SEATKEEPER_OPERATIONS_HOST and SEATKEEPER_OPERATIONS_PORT"
        raise SettingsUnfit(f"{names}: nobody can listen on {where[0]}:{where[1]} ({error.strerror})") from None


@contextlib.asynccontextmanager
async def operations(
    settings: Settings, process_name: str, *, checks: Mapping[str, AsyncCheck], collect: Collect | None = None
) -> AsyncIterator[OperationsServer]:
    """Answer while the block runs. Checks and `collect` run in this event loop, which is itself the check `loop`."""
    loop = asyncio.get_running_loop()
    registry = process_registry()
    if collect is not None:
        registry.register(_Collected(loop, collect))
    here = {name: _in_loop(loop, check) for name, check in {"loop": _well, **checks}.items()}
    server = OperationsServer(settings, process_name, here, registry)
    server.start()
    try:
        yield server
    finally:
        await asyncio.to_thread(server.close)


def process_registry() -> CollectorRegistry:
    """Return a registry of this process alone (memory, processor time, open files), to be added to."""
    registry = CollectorRegistry()
    ProcessCollector(namespace="seatkeeper", registry=registry)
    registry.register(_PeakMemory())
    return registry


def peak_memory(pid: int | None = None) -> int | None:
    """Return the most memory in bytes that a process (this one by default) held at once; None where nobody can tell.

    That is where the system has no /proc, or where the process has ended.
    """
    try:
        status = Path(f"/proc/{pid or 'self'}/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    marks = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(marks[0]) * 1024 if marks else None


class _PeakMemory(Collector):
    def collect(self) -> Iterable[Metric]:
        if (peak := peak_memory()) is not None:
            words = "The most resident memory that the process ever held, in bytes"
            yield GaugeMetricFamily("seatkeeper_process_peak_memory_bytes", words, value=peak)


async def _well() -> None:
    return None


def _in_loop(loop: asyncio.AbstractEventLoop, check: AsyncCheck) -> Check:
    async def limited() -> str | None:
        async with asyncio.timeout(LONGEST_CHECK):
            return await check()

    return lambda: asyncio.run_coroutine_threadsafe(limited(), loop).result(LONGEST_CHECK + 0.5)


class _Collected(Collector):
    def __init__(self, loop: asyncio.AbstractEventLoop, collect: Collect) -> None:
        self._loop, self._collect = loop, collect

    def describe(self) -> Iterable[Metric]:
        return []  # otherwise registering would collect, in the very loop that it waits for

    def collect(self) -> Iterable[Metric]:
        async def limited() -> Iterable[Metric]:
            async with asyncio.timeout(LONGEST_CHECK):
                return await self._collect()

        return asyncio.run_coroutine_threadsafe(limited(), self._loop).result(LONGEST_CHECK + 0.5)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


class _Answer(BaseHTTPRequestHandler):
    process_name: ClassVar[str]
    checks: ClassVar[Mapping[str, Check]]
    registry: ClassVar[CollectorRegistry]
    timeout = 10
    server_version, sys_version = "seatkeeper", ""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/health":
            self._health()
        elif path == "/metrics":
            self._metrics()
        else:
            self._answer(404, "text/plain", b"there are /health and /metrics\n")

    def _health(self) -> None:
        troubles = _ask_all(self.checks)
        well = not any(troubles.values())
        answer = {
            "process": self.process_name,
            "healthy": well,
            "checks": {name: trouble or "ok" for name, trouble in troubles.items()},
        }
        self._answer(200 if well else 503, "application/json", json.dumps(answer).encode() + b"\n")

    def _metrics(self) -> None:
        try:
            body = generate_latest(self.registry)
        except Exception as error:  # noqa: BLE001 - whatever keeps the figures away, the scrape is told
            log.warning("metrics_failed", reason=_words(error))
            self._answer(503, "text/plain", f"{_words(error)}\n".encode())
        else:
            self._answer(200, CONTENT_TYPE_LATEST, body)

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing: a scrape every few seconds is no outcome."""


def _ask_all(checks: Mapping[str, Check]) -> dict[str, str | None]:
    """Ask each in a thread of its own; what has not answered after LONGEST_CHECK in all is in trouble, and left."""
    answers: dict[str, str | None] = {}

    def ask(name: str, check: Check) -> None:
        answers[name] = _ask(check)

    threads = [threading.Thread(target=ask, args=one, name=f"check-{one[0]}", daemon=True) for one in checks.items()]
    for thread in threads:
        thread.start()
    until = time.monotonic() + LONGEST_CHECK
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return {name: answers.get(name, _words(TimeoutError())) for name in checks}


def _ask(check: Check) -> str | None:
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - a check that fails is a trouble like any other
        return _words(error)


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {LONGEST_CHECK:.0f} seconds"
    return str(error).strip() or type(error).__name__
