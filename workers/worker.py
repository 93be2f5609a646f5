"""A process that carries out commands, until it is asked to stop or something in it has died.

Dramatiq runs one consumer thread for each queue and its delay queue, some worker threads, and one thread with the
event loop in which the actors' coroutines run. When one of them dies, the process goes on looking healthy with less
and less of itself: so the main thread watches them, and a process that lost one exits with 70 and leaves it to its
supervisor to start a whole one. What it had not finished goes back to RabbitMQ with its connection.
"""

import gc
import os
import signal
import threading
import time
from collections.abc import Collection
from contextlib import AbstractAsyncContextManager
from types import FrameType

import structlog
from dramatiq.asyncio import get_event_loop_thread
from dramatiq.broker import Broker
from dramatiq.middleware import Middleware, MiddlewareError
from dramatiq.worker import Worker

from workers.delivery import KeepingConsumer

Resources = AbstractAsyncContextManager[object]
"""What the actors stand on (a connection pool, an HTTP client): open while the worker runs, in the actors' loop."""

GRACE = 60.0
"""Seconds that a slice in progress gets to end after the process was asked to stop."""
LOOP_SILENCE = 60.0
"""Seconds without an answer after which the event loop counts as dead: a coroutine blocks it."""
_WATCH_EVERY = 0.2
_CLOSING = 20.0

log = structlog.get_logger(__name__)


class ResourcesError(MiddlewareError):
    """What the actors stand on could not be opened, so no message was taken."""


class RunningWorker:
    """Dramatiq's Worker in this process, and whether it is whole. One for each process."""

    def __init__(
        self,
        broker: Broker,
        queues: Collection[str],
        threads: int,
        *,
        resources: Resources | None = None,
        grace: float = GRACE,
    ) -> None:
        """Take messages of `queues` with `threads` threads, once started. ValueError for a queue without an actor."""
        unknown = set(queues) - broker.get_declared_queues()
        if unknown or not queues:
            raise ValueError(f"no actor is registered for the queues {sorted(unknown)}")
        self._broker = broker
        self._worker = Worker(broker, queues=set(queues), worker_threads=threads)
        self._consumers = 2 * len(set(queues))
        self._grace = grace
        self._loop_answered = time.monotonic()
        if resources is not None:
            broker.add_middleware(_OpenWhileRunning(resources))

    def start(self) -> None:
        """Open the resources, then take messages. ResourcesError when they cannot be opened."""
        try:
            self._worker.start()
        except ResourcesError:
            self.stop()
            raise
        self._loop_answered = time.monotonic()

    def stop(self) -> None:
        """Let slices in progress end within the grace, close the resources and all connections."""
        self._worker.stop(timeout=int(self._grace * 1000))
        self._broker.close()

    def live_worker_threads(self) -> int:
        """Return how many worker threads are alive."""
        return sum(thread.is_alive() for thread in self._worker.workers)

    def live_consumer_threads(self) -> int:
        """Return how many consumer threads are alive; each queue has one, and one for its delayed messages."""
        return sum(thread.is_alive() for thread in self._worker.consumers.values())

    def is_consuming(self) -> bool:
        """Return whether every consumer has an open channel; False while RabbitMQ is away, which is not a fault."""
        consumers = [thread.consumer for thread in self._worker.consumers.values()]
        return all(isinstance(consumer, KeepingConsumer) and consumer.channel.is_open for consumer in consumers)

    def fault(self) -> str | None:
        """Return what is missing from this worker in one sentence, or None while it is whole. Never blocks."""
        if self.live_worker_threads() < self._worker.worker_threads:
            return f"{self.live_worker_threads()} of {self._worker.worker_threads} worker threads are alive"
        if self.live_consumer_threads() < self._consumers:
            return f"{self.live_consumer_threads()} of {self._consumers} consumer threads are alive"
        return self._fault_of_loop()

    def _fault_of_loop(self) -> str | None:
        thread = get_event_loop_thread()
        if thread is None or not thread.is_alive() or thread.loop.is_closed():
            return "the event loop has ended"
        silence = time.monotonic() - self._loop_answered
        if silence > LOOP_SILENCE:
            return f"the event loop has not answered for {silence:.0f} seconds"
        thread.loop.call_soon_threadsafe(self._hear_loop)
        return None

    def _hear_loop(self) -> None:
        self._loop_answered = time.monotonic()

    def serve(self) -> int:
        """Work until SIGTERM or SIGINT (returns 0) or until a thread has died (70). Call it from the main thread."""
        asked: list[int] = []

        def ask(number: int, _frame: FrameType | None) -> None:
            asked.append(number)  # nothing more: a signal may come while any lock is held

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, ask)
        self.start()
        fault = None
        while not asked and (fault := self.fault()) is None:
            time.sleep(_WATCH_EVERY)
        if fault is not None:
            log.critical("worker_broken", fault=fault)
        return self._end(0 if fault is None else os.EX_SOFTWARE)

    def _end(self, code: int) -> int:
        at_the_latest = threading.Timer(2 * self._grace + _CLOSING, os._exit, [os.EX_SOFTWARE])
        at_the_latest.daemon = True
        at_the_latest.start()
        self.stop()
        at_the_latest.cancel()
        log.info("worker_stopped", code=code)
        return code


def collect_seldom() -> None:
    """Leave what is there at the start out of garbage collections, and look at the rest less often.

    A page of a listing makes some thousand objects, none of them in a circle: the usual thresholds look through all of
    them, and through every loaded module, some times for each page.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def serve(
    broker: Broker,
    queues: Collection[str],
    threads: int,
    *,
    resources: Resources | None = None,
    grace: float = GRACE,
) -> int:
    """Carry out the commands of `queues` until SIGTERM or SIGINT, and return the exit code: 0, or 70 when broken."""
    return RunningWorker(broker, queues, threads, resources=resources, grace=grace).serve()


class _OpenWhileRunning(Middleware):
    """Opens after the event loop has started and closes before it ends: it must stand behind AsyncIO in the list."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._is_open = False

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        loop = get_event_loop_thread()
        if loop is None:
            raise ResourcesError("the event loop did not start")
        try:
            loop.run_coroutine(self._resources.__aenter__())
        except Exception as error:
            raise ResourcesError(f"the worker's resources cannot be opened: {error}") from error
        self._is_open = True

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        loop = get_event_loop_thread()
        if self._is_open and loop is not None:
            self._is_open = False
            loop.run_coroutine(self._resources.__aexit__(None, None, None))
