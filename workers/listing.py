"""One listing, read page after page ahead of what is committed.

The chain of pages is what a download waits for: each page's address is in the one before. So it never pauses for the
database: what was read waits here, with the place where the listing stood after each page, until it is committed. How
far it may run ahead is bounded, and with it what a crash costs.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from asana_api.answers import Arrived
from asana_api.errors import BadAnswer, RestartListing
from asana_api.patience import patiently

MOST_PAGES = 20_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """How far one listing came; kept in the run's cursor."""

    offset: str | None = None
    pages: int = 0
    rows: int = 0
    done: bool = False
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class Batch(Generic[T]):
    """Pages that belong together: their items, and the place after the last of them.

    `restarted`: the listing was begun anew, and what it gave before these items counts no more.
    """

    place: Place
    items: list[T]
    pages: int
    restarted: bool


@dataclass(slots=True)
class _Waiting(Generic[T]):
    pages: list[Arrived[T]] = field(default_factory=list)
    restarted: bool = False


class Reader(Generic[T]):
    """Reads one listing from a place on, at most `ahead` pages before what was committed.

    `read` is a task; whoever commits waits for `news`, takes a batch, and says when it is committed. A page is only
    looked into when it is taken: while it arrives, the one thing to do is to ask for the next.
    """

    def __init__(
        self,
        fetch: Callable[[str | None], Awaitable[Arrived[T]]],
        place: Place,
        *,
        news: asyncio.Event,
        ahead: int,
        is_over: Callable[[], bool],
    ) -> None:
        """`news` is set after each page; `is_over` says that no further page is to be begun."""
        self._fetch, self._news, self._is_over = fetch, news, is_over
        self._room = asyncio.Semaphore(ahead)
        self._seen: set[str] = set()
        self._place, self._rows = place, place.rows
        self._waiting: _Waiting[T] = _Waiting()
        self.ended = place.done

    @property
    def waiting(self) -> int:
        """How many pages have arrived and were not taken yet; a new beginning counts as one."""
        return len(self._waiting.pages) + self._waiting.restarted

    async def read(self) -> None:
        """Read until the listing is done or the time is over, but at least one page."""
        while not self.ended:
            await self._room.acquire()
            await self._next_page()
            self.ended = self._place.done or self._is_over()
            self._news.set()

    async def _next_page(self) -> None:
        offset = self._place.offset
        try:
            page = await patiently(lambda: self._fetch(offset))
        except RestartListing:
            if self._place.restarts:
                raise
            self._begin_anew()
        else:
            self._add(page)

    def _begin_anew(self) -> None:
        """The offset expired: nothing that was read so far counts."""
        for _ in range(len(self._waiting.pages) + 1):
            self._room.release()
        self._place, self._waiting = Place(restarts=1), _Waiting(restarted=True)
        self._seen.clear()

    def _add(self, page: Arrived[T]) -> None:
        place, offset = self._place, page.next_offset
        if offset in self._seen or place.pages >= MOST_PAGES:
            raise BadAnswer("the listing goes round in a circle, or has no end")
        if offset is not None:
            self._seen.add(offset)
        self._waiting.pages.append(page)
        self._place = replace(place, offset=offset, done=offset is None, pages=place.pages + 1)

    async def take(self) -> Batch[T]:
        """Give what arrived since the last time, looked into; nothing of it is kept here. Raises BadAnswer.

        Between two pages the loop is free: an answer that comes meanwhile does not wait for the whole batch.
        """
        place, taken, self._waiting = self._place, self._waiting, _Waiting()
        items: list[T] = []
        for page in taken.pages:
            items.extend(page.read())
            await asyncio.sleep(0)
        self._rows = len(items) + (0 if taken.restarted else self._rows)
        return Batch(replace(place, rows=self._rows), items, len(taken.pages), taken.restarted)

    def committed(self, batch: Batch[T]) -> None:
        """Make room for as many pages as the batch had."""
        for _ in range(batch.pages):
            self._room.release()
