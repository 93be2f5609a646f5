"""A few quick tries, for callers who would rather wait a moment than give their slice back. For reads only."""

import asyncio
from collections.abc import Awaitable, Callable
from secrets import SystemRandom
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

from asana_api.errors import BudgetSpent, RateLimited, TryLater

T = TypeVar("T")

_RANDOM = SystemRandom()


async def patiently(
    ask: Callable[[], Awaitable[T]],
    *,
    tries: int = 3,
    longest_wait: float = 5.0,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> T:
    """The answer of `ask`, tried up to `tries` times while it raises TryLater; then the last error as it is.

    After a 429 it waits as long as Asana says; if that is more than `longest_wait` seconds it raises at once, so that
    the caller can put the rest off. Never give it a change: those are sent once.
    """
    try:
        return await ask()  # the usual case, without the machinery
    except TryLater as error:
        if tries <= 1 or not _worth_waiting(error, longest_wait):
            raise
        await sleep(_seconds(error, 1))
    again = AsyncRetrying(
        retry=retry_if_exception(lambda error: _worth_waiting(error, longest_wait)),
        stop=stop_after_attempt(tries - 1),
        wait=_wait,
        sleep=sleep,
        reraise=True,
    )

    async def asking() -> T:
        return await ask()  # tenacity awaits a coroutine function only: `ask` may be a lambda that returns a coroutine

    return await again(asking)


def _worth_waiting(error: BaseException, longest_wait: float) -> bool:
    if isinstance(error, BudgetSpent):
        return False  # the permits waited as long as they may: what was asked before would be asked again
    if isinstance(error, RateLimited):
        return error.retry_after <= longest_wait
    return isinstance(error, TryLater)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    return _seconds(error, state.attempt_number + 1)


def _seconds(error: BaseException | None, attempt: int) -> float:
    """Asana's own wait, or 0.2 seconds doubled each time, and up to half as much again so that callers spread out."""
    if isinstance(error, RateLimited):
        return error.retry_after
    return float(0.2 * 2 ** (attempt - 1) * _RANDOM.uniform(1.0, 1.5))
