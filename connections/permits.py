"""Permits: one for each call to Asana, out of the budget that all processes share.

They are taken ten at a time, so that most calls need no statement, and handed out at the moments for which they were
taken. A permit that was not used within half a second of its moment is dropped: otherwise every process could save some
up, or wake late with many, and all of them together would call faster than the budget says.

A search takes from two budgets and is taken alone, when both have one: there are few, and none is saved up.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta

from asana_api.errors import BudgetSpent, PlanTooLow
from asana_api.permits import Kind
from connections.flight import Connect, Flight, Place
from store import budget
from store.connect import Connection

AT_A_TIME = 10
AT_A_TIME_UNLIMITED = 100
STALE_AFTER = 0.5
"""Seconds after its moment until an unused permit is dropped; `budget.SHARE` counts on it."""
SHORTEST_PAUSE = 1.0
LONGEST_WAIT = 30.0
"""Seconds that a call waits for its permit; beyond them the work is put off, as after a 429."""


class SharedPermits:
    """The permits of one process for one credential, in one event loop."""

    def __init__(
        self,
        connect: Connect,
        credential_id: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`clock` returns seconds that never go back."""
        self._connect, self._credential_id, self._clock, self._sleep = connect, credential_id, clock, sleep
        self._moments: deque[float] = deque()
        self._taking, self._searching = asyncio.Lock(), asyncio.Lock()
        self._reads, self._writes = Flight(connect, credential_id, "read"), Flight(connect, credential_id, "write")
        self._at_a_time = 1  # until the first answer says how fast
        self._paused_until = float("-inf")
        self._is_unlimited = self._has_no_search = False

    def in_flight(self, kind: Kind) -> Place:
        """Wait for a place among the requests in flight; Asana counts reads and writes apart."""
        flight = self._writes if kind == "write" else self._reads
        return flight.place(urgent=_has_aside(self))

    async def give_back(self) -> None:
        """Give back the places that this process holds: it calls no more."""
        await self._reads.give_back()
        await self._writes.give_back()

    async def take(self, kind: Kind) -> None:
        """Wait for a permit; reads and writes share one budget, and a search has one besides.

        Raises BudgetSpent where that would take more than LONGEST_WAIT once its turn among this process's own calls
        has come, CredentialGone where the credential was
        replaced meanwhile, and PlanTooLow for a search that no plan of the connection's profiles has.
        """
        counted = _from_aside(self)
        if kind == "search":
            if not (counted and _searches_from_aside(self)):
                await self._take_search(counted=counted)
        elif not counted:
            await self._take()

    async def _take(self) -> None:
        while True:
            moment = await self._next()
            await self._until(moment)
            now = self._clock()
            if now >= self._paused_until and now <= moment + STALE_AFTER:
                return  # a 429 that came during the wait, or waking far too late, makes the permit worthless

    @asynccontextmanager
    async def reserved(self, permits: int, *, searches: int = 0) -> AsyncIterator[None]:
        """Wait until so many permits are put aside; inside the block they are used first, without any wait.

        So many of them are good for a search. They are taken first, since they take the longest.

        Inside, no call waits for a lease to be renewed that is still good. What is left at the end is dropped. Tasks
        that were started outside of the block do not touch them.
        """
        with suppress(PlanTooLow):  # whoever searches is told so
            for _ in range(searches):
                await self._take_search(counted=True)
        for _ in range(permits):
            await self.take("read")
        await self._writes.make_ready()
        outer = _ASIDE.set(_Aside(self, permits, searches))
        try:
            yield
        finally:
            _ASIDE.reset(outer)

    async def slow_down(self, retry_after: float, kind: Kind = "read") -> None:
        """Asana said 429: have every process that calls with this credential wait for so many seconds."""
        _forget_aside(self)
        pause = timedelta(seconds=max(retry_after, SHORTEST_PAUSE))
        self._moments.clear()
        self._paused_until = max(self._paused_until, self._clock() + min(pause, budget.LONGEST_PAUSE).total_seconds())
        async with self._connect() as connection:
            await budget.slow_down(connection, self._credential_id, pause, was_search=kind == "search")

    async def _take_search(self, *, counted: bool) -> None:
        """Wait until both budgets have one; `counted` searches have their permit of the general one."""
        if self._is_unlimited and not self._has_no_search:
            if not counted:
                await self._take()  # which also tells whether that has changed
            return
        async with self._searching:  # a fair queue: each waits for those before it, and only then for the budget
            give_up_at = self._clock() + LONGEST_WAIT
            while not await self._search_is_taken(give_up_at, counted=counted):
                counted = False  # a 429 came meanwhile: what was put aside is worth nothing

    async def _search_is_taken(self, give_up_at: float, *, counted: bool) -> bool:
        """Take a search and wait for its moment; False where it is worth nothing then."""
        while True:
            try:
                async with self._connect() as connection:
                    taken = await budget.take_search(connection, self._credential_id, counted=counted)
                break
            except budget.BudgetSpent as spent:
                if self._clock() + spent.wait > give_up_at:
                    raise _put_off(spent, "searches") from None
                await self._sleep(max(spent.wait, 0.01))
        self._note(taken)
        if taken.no_search:
            raise PlanTooLow("the free plan has no search", call="GET …/tasks/search")
        asked = self._clock()
        moment = asked + taken.wait
        await self._until(moment)
        now = self._clock()
        return self._paused_until <= now <= max(moment, asked) + STALE_AFTER

    def _note(self, taken: budget.Taken) -> None:
        self._is_unlimited, self._has_no_search = taken.interval == 0, taken.no_search

    async def _next(self) -> float:
        async with self._taking:
            while self._moments and self._moments[0] < self._clock() - STALE_AFTER:
                self._moments.popleft()
            if not self._moments:
                await self._take_some()
            return self._moments.popleft()

    async def _take_some(self) -> None:
        async with self._connect() as connection:
            taken = await self._taken(connection)
        # A bucket that had been filling gives permits for moments that are over: they are good from now on.
        first, now = self._clock() + taken.wait, self._clock()
        self._moments.extend(max(now, first + number * taken.interval) for number in range(self._at_a_time))
        self._at_a_time = _at_a_time(taken.interval)
        self._note(taken)

    async def _taken(self, connection: Connection) -> budget.Taken:
        try:
            return await budget.take(connection, self._credential_id, self._at_a_time, longest_wait=LONGEST_WAIT)
        except budget.BudgetSpent as spent:
            raise _put_off(spent, "requests") from None

    async def _until(self, moment: float) -> None:
        wait = moment - self._clock()
        if wait > 0:
            await self._sleep(wait)


@dataclass(slots=True)
class _Aside:
    """Permits that one piece of work has put aside."""

    of: SharedPermits
    left: int
    searches: int


_ASIDE: ContextVar[_Aside | None] = ContextVar("permits_put_aside", default=None)


def _put_off(spent: budget.BudgetSpent, what: str) -> BudgetSpent:
    why = f"our own budget of {what} is spent for {spent.wait:.0f} s"
    return BudgetSpent(why, status=None, retry_after=min(max(spent.wait, 1.0), 900.0))


def _has_aside(permits: SharedPermits) -> bool:
    aside = _ASIDE.get()
    return aside is not None and aside.of is permits


def _from_aside(permits: SharedPermits) -> bool:
    aside = _ASIDE.get()
    if aside is None or aside.of is not permits or aside.left == 0:
        return False
    aside.left -= 1
    return True


def _searches_from_aside(permits: SharedPermits) -> bool:
    aside = _ASIDE.get()
    if aside is None or aside.of is not permits or aside.searches == 0:
        return False
    aside.searches -= 1
    return True


def _forget_aside(permits: SharedPermits) -> None:
    """Asana said 429 in spite of them: they are worth nothing."""
    aside = _ASIDE.get()
    if aside is not None and aside.of is permits:
        aside.left = aside.searches = 0


def _at_a_time(interval: float) -> int:
    """At most what a second gives: a slow budget is not to be held by one process."""
    if interval == 0:
        return AT_A_TIME_UNLIMITED
    return max(1, min(AT_A_TIME, int(1 / interval)))
