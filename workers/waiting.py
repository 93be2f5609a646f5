"""Waiting for one of several things: the few words that asyncio leaves to its users."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


async def wait_any(*events: asyncio.Event, seconds: float | None = None) -> None:
    """Return once one of the events is set, or after so many seconds."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()


async def woken(event: asyncio.Event, seconds: float) -> None:
    """Return once the event is set, or after so many seconds: `wait_any` for one event, without its tasks.

    An event that is set already gives no other task a turn: a loop around this has to clear it each time.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


async def unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """Return what `work` returns, or cancel it and return None as soon as `stop` is set."""
    if stop.is_set():
        work.close()
        return None
    stopping = asyncio.ensure_future(stop.wait())
    working = asyncio.ensure_future(work)
    try:
        await asyncio.wait({stopping, working}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        stopping.cancel()
        working.cancel()


async def first_of(*works: Coroutine[Any, Any, None]) -> None:
    """Run all until the first ends, end the others, and raise what ended it.

    For a session whose parts live and die together: when the database is lost, its broker's half must not go on.
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


class Signal(Generic[T]):
    """Tells a test that a loop has come to a point, so that it needs no sleep. Costs nothing while nobody listens."""

    def __init__(self) -> None:
        """Start without a listener."""
        self._heard: asyncio.Queue[T] | None = None

    def listen(self) -> None:
        """Keep what is given from now on."""
        self._heard = asyncio.Queue()

    def give(self, value: T) -> None:
        """Say that the point was reached."""
        if self._heard is not None:
            self._heard.put_nowait(value)

    async def next(self, seconds: float = 20.0) -> T:
        """Return the next value that was given and not taken yet, or raise TimeoutError."""
        assert self._heard is not None, "listen first"
        async with asyncio.timeout(seconds):
            return await self._heard.get()
