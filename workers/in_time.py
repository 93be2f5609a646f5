"""Groups of people asked about within a slice's time: some side by side, and what was settled by the end is kept.

A slice that is over begins with no further group. Those under way get a third of the slice's length to come to their
end; then they are stopped, and what they have found by then is kept, since each finding stands by itself. Only where
nothing at all has come, it is waited on: no slice ends as it began.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

from store.asking import Person
from workers.asking import Answers
from workers.slicing import Slice

GRACE = 1 / 3
"""Of a slice's length."""
A_LITTLE = 0.25
"""Seconds between two looks at whether anything has come, once the slice is long over."""


async def in_time(
    piece: Slice,
    groups: Sequence[list[int]],
    people: Callable[[list[int]], Awaitable[list[Person]]],
    ask: Callable[[Answers], Awaitable[None]],
    *,
    at_once: int,
) -> AsyncGenerator[Answers, None]:
    """Yield the answers of group after group in the order given, until all were asked or the slice is over.

    A failure is raised when its group's turn comes, so that what was asked before it is kept; then, or when the caller
    stops, nobody is asked about any more.
    """
    waiting, under_way = deque(groups), deque[tuple[Answers, asyncio.Task[None]]]()
    is_first = True  # however short the slice, it comes on
    came_on = False
    try:
        while True:
            while waiting and len(under_way) < at_once and (is_first or not piece.is_over()):
                is_first = False
                answers = Answers(await people(waiting.popleft()))
                under_way.append((answers, asyncio.create_task(_asking(ask, answers))))
            if not under_way:
                return
            answers, task = under_way[0]
            await asyncio.wait([task], timeout=_seconds_left(piece))
            if not task.done() and not (came_on or any(one.came_on for one, _ in under_way)):
                continue
            came_on = True
            if not task.done():
                break
            under_way.popleft()
            task.result()
            yield answers
        for _, task in under_way:
            task.cancel()
        await asyncio.gather(*(task for _, task in under_way), return_exceptions=True)
        for answers, _ in under_way:
            yield answers
    finally:
        for _, task in under_way:
            task.cancel()
        await asyncio.gather(*(task for _, task in under_way), return_exceptions=True)


async def _asking(ask: Callable[[Answers], Awaitable[None]], answers: Answers) -> None:
    await ask(answers)


def _seconds_left(piece: Slice) -> float:
    grace = GRACE * piece.station.settings.slice_seconds
    return max(A_LITTLE, piece.ends_at + grace - time.monotonic())
