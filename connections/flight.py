"""Places among the requests in flight, which all processes of a credential share.

A process holds leases on slots and hands them to its calls without asking anybody. Every few seconds the call that
comes first renews them all; the statement also gives back those that were not needed since. Nothing runs beside the
calls: an idle process asks nothing, and its leases run out.

A call begins only on a lease that outlasts it. So when the database is away, or after the process slept, no call is
begun on a lease that another may have: slots are leased anew first, and until that works nothing is sent.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Self, TypeAlias
from uuid import UUID, uuid4

import psycopg

from asana_api.errors import RateLimited
from store import flights
from store.connect import Connection

Connect: TypeAlias = Callable[[], AbstractAsyncContextManager[Connection]]
"""Opens or lends a database connection with no transaction in it, for example `pool.connection`."""


_BOOT = getattr(time, "CLOCK_BOOTTIME", None)
seconds_awake_or_not: Callable[[], float] = time.monotonic if _BOOT is None else partial(time.clock_gettime, _BOOT)
"""Seconds that go on while the machine sleeps, where the system has such a clock."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Seconds. A call takes at most `longest_call` from `confirm` on: the HTTP deadline and one for what is around."""

    lease: float = 45.0
    longest_call: float = 31.0
    renew_every: float = 5.0
    look_again_after: float = 0.1
    longest_wait: float = 30.0
    longest_goodbye: float = 2.0


TERMS = Terms()


@dataclass(eq=False, slots=True)
class Slot:
    """One lease that this process has or had; the same number leased again is another one."""

    number: int
    is_ours: bool = True


@dataclass
class Flight:
    """The slots of one kind that this process holds, in one event loop."""

    connect: Connect
    credential_id: int
    kind: flights.Kind
    terms: Terms = TERMS
    clock: Callable[[], float] = seconds_awake_or_not
    holder: UUID = field(default_factory=uuid4)
    _free: list[Slot] = field(default_factory=list)
    _used: set[Slot] = field(default_factory=set)
    _lost: set[Slot] = field(default_factory=set)  # of the used: no longer leased to us
    _ends_at: float = float("-inf")  # of the oldest lease
    _renewed_at: float = float("-inf")
    _lease_again_at: float = float("-inf")
    _share: int = 1
    _most_used: int = 0  # since the last renewal
    _waiting: int = 0
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _freed: asyncio.Event = field(default_factory=asyncio.Event)

    def place(self, *, urgent: bool = False) -> "Place":
        """Return a place for one call, to be entered; an urgent one renews nothing that is still good."""
        return Place(self, urgent=urgent)

    async def make_ready(self) -> None:
        """Hold a slot with a fresh lease: an urgent call soon after asks the database nothing, as a rule."""
        async with self.place() as place:
            await place.confirm()

    async def give_back(self) -> None:
        """Give back everything: this process calls no more. What cannot be given back runs out by itself."""
        if self._ends_at > self.clock():
            self._free.clear()
            self._ends_at = float("-inf")
            with suppress(TimeoutError, psycopg.OperationalError):
                async with asyncio.timeout(self.terms.longest_goodbye), self.connect() as connection:
                    await flights.give_back(connection, self._leasing())

    async def acquire(self, *, urgent: bool) -> Slot:
        """Wait for a slot. Raises RateLimited after `longest_wait`, CredentialGone, or what the database raises."""
        give_up_at = self.clock() + self.terms.longest_wait
        self._waiting += 1
        try:
            while not (self._free and (self._is_good() if urgent else self._is_fresh())):
                await self._ask()
                if not self._free:
                    if self.clock() >= give_up_at:
                        raise RateLimited("too many requests are in flight", status=None, retry_after=1.0)
                    await self._until_one_is_freed()
        finally:
            self._waiting -= 1
        slot = self._free.pop()
        self._used.add(slot)
        self._most_used = max(self._most_used, len(self._used))
        return slot

    def release(self, slot: Slot) -> None:
        """Take a slot back from a call that has ended; one beyond our share goes with the next renewal."""
        self._used.discard(slot)
        self._lost.discard(slot)
        if slot.is_ours and self._held() < self._share:
            self._free.append(slot)
            self._freed.set()

    def may_begin(self, slot: Slot) -> bool:
        """Say whether a call that begins now on this slot ends before its lease."""
        return slot.is_ours and self._is_good()

    def _is_good(self) -> bool:
        return self.clock() + self.terms.longest_call <= self._ends_at

    def _is_fresh(self) -> bool:
        return self._is_good() and self.clock() < self._renewed_at + self.terms.renew_every

    def _held(self) -> int:
        return len(self._free) + len(self._used) - len(self._lost)

    async def _until_one_is_freed(self) -> None:
        self._freed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(self.terms.look_again_after):
                await self._freed.wait()

    async def _ask(self) -> None:
        """Renew when it is time, and lease more when there is none; one asks for all that wait."""
        async with self._asking:
            if not self._is_fresh():
                await self._renew()
            if not self._free and self._held() < self._share and self.clock() >= self._lease_again_at:
                await self._lease()

    async def _renew(self) -> None:
        needed = min(self._share, max(self._most_used, len(self._used) + self._waiting))
        self._free = self._free[: max(0, needed - len(self._used))]
        kept = [*self._free, *(slot for slot in self._used if slot.is_ours)]
        began = self.clock()
        async with self.connect() as connection:
            ours, self._share = await flights.renew(connection, self._leasing(), [slot.number for slot in kept])
        for slot in kept:
            slot.is_ours = slot.number in ours
        self._free = [slot for slot in self._free if slot.is_ours]
        self._lost = {slot for slot in self._used if not slot.is_ours}
        self._ends_at, self._renewed_at = began + self.terms.lease, began
        self._most_used = len(self._used)

    async def _lease(self) -> None:
        began = self.clock()
        async with self.connect() as connection:
            numbers = await flights.lease(connection, self._leasing(), self._waiting)
        self._free += [Slot(number) for number in numbers]
        self._freed.set()
        if not numbers:
            self._lease_again_at = began + self.terms.look_again_after
        else:
            self._ends_at = min(self._ends_at, began + self.terms.lease)

    def _leasing(self) -> flights.Leasing:
        return flights.Leasing(self.credential_id, self.kind, self.holder, self.terms.lease)


class Place:
    """One call's place, as a block: within it the slot is the call's."""

    __slots__ = ("_flight", "_slot", "_urgent")

    def __init__(self, flight: Flight, *, urgent: bool) -> None:
        """Enter it to hold a slot."""
        self._flight, self._urgent = flight, urgent
        self._slot: Slot | None = None

    async def __aenter__(self) -> Self:
        """Wait for a slot."""
        self._slot = await self._flight.acquire(urgent=self._urgent)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave it."""
        self._leave()

    async def confirm(self) -> None:
        """Make sure that the lease outlasts a call that begins now; take another slot where it does not."""
        while self._slot is None or not self._flight.may_begin(self._slot):
            self._leave()
            self._slot = await self._flight.acquire(urgent=self._urgent)

    def _leave(self) -> None:
        slot, self._slot = self._slot, None
        if slot is not None:
            self._flight.release(slot)
