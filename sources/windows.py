"""All tasks of a search whose answers hold at most 100: a full answer is asked for again in halves of its time.

Why no task is lost while people work on: a task moves in one direction only, to later, since a change sets its
`modified_at` to now. The halves are asked in the order of time, older first. A task that is in the older half when that
is asked is found there; one that has left it by then is in a later half, and will still be in that or a later one when
its turn comes. For the same reason the newest window has no end: what is modified after it was first asked stays in it.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

from asana_api.answers import FoundTask
from asana_api.errors import BadAnswer
from asana_api.searching import FULL

Search: TypeAlias = Callable[[datetime, datetime | None], Awaitable[Sequence[FoundTask]]]
"""Tasks modified after a time and before another (aware, or None: open)."""

WIDER = timedelta(seconds=1)
"""Each window is asked for so much wider at both ends: whether they belong to it is not promised, nor how exact."""
SHORTEST = timedelta(seconds=1)
MOST_SEARCHES = 100
"""For one list; enough for several thousand tasks."""


async def all_modified_since(
    search: Search, since: datetime, until: datetime, *, most: int = MOST_SEARCHES
) -> list[FoundTask]:
    """Return every task that was modified at `since` or later; some of them twice.

    BadAnswer if a window of a second is still full, or after `most` searches: then nothing is known. (A search whose
    filter Asana did not apply finds more, not less, and ends so or is right.)
    """
    tasks: list[FoundTask] = []
    windows: list[tuple[datetime, datetime | None]] = [(since, None)]
    for _ in range(most):
        begin, end = windows.pop()
        found = await search(begin - WIDER, end + WIDER if end is not None else None)
        tasks += found
        if len(found) >= FULL:
            last = end if end is not None else max(until, *(task.modified_at for task in found))
            if last - begin <= SHORTEST:
                raise BadAnswer(f"a search for the tasks of one second ({begin.isoformat()}) is full, and a part")
            middle = begin + (last - begin) / 2
            windows += [(middle, end), (begin, middle)]
        if not windows:
            return tasks
    raise BadAnswer(f"more tasks than {most} searches can find")
