"""Requests in flight: processes together keep the limit, a killed one leaks none, a sleeper calls on no old lease."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from uuid import uuid4

import psycopg
import pytest

from asana_api.errors import RateLimited
from asana_api.sending import Bounds
from connections.flight import TERMS, Flight, Place, Terms
from store import budget, flights
from store.connect import Connection, Pool, open_connection, open_pool
from tests.conftest import Database
from tests.store.test_budget import credential

pytestmark = [pytest.mark.anyio, pytest.mark.services]

BRIEF = Terms(lease=1.5, longest_call=0.5, renew_every=0.2, look_again_after=0.02, longest_wait=10.0)
"""A lease that a test can wait for."""


@pytest.fixture
async def console(database: Database) -> AsyncIterator[Connection]:
    async with open_connection(database.url("console")) as connection:
        yield connection


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    async with open_pool(database.url("worker"), size=3) as opened:
        yield opened


@pytest.fixture
async def number(console: Connection) -> int:
    return await credential(console, None)


async def held(flight: Flight, count: int, until_the_end: AsyncExitStack) -> list[Place]:
    """Enter so many places at once."""
    places = [flight.place() for _ in range(count)]
    return list(await asyncio.gather(*(until_the_end.enter_async_context(place) for place in places)))


def test_a_lease_outlasts_every_call() -> None:
    assert Bounds().seconds < TERMS.longest_call < TERMS.lease - TERMS.renew_every


async def test_no_slot_is_given_twice_and_none_beyond_the_limit(console: Connection, pool: Pool, number: int) -> None:
    """Whoever comes at the same moment gets other slots; the key is what holds, the share only makes room."""
    everybody = [flights.Leasing(number, "write", uuid4(), 60) for _ in range(40)]

    async def lease(leasing: flights.Leasing) -> list[int]:
        async with pool.connection() as connection:
            return await flights.lease(connection, leasing, 5)

    slots = [slot for got in await asyncio.gather(*(lease(leasing) for leasing in everybody)) for slot in got]
    assert len(slots) == len(set(slots)) == flights.LIMITS["write"]


async def test_the_last_free_slot_is_for_who_has_none(console: Connection, number: int) -> None:
    """Also when those before take no part any more: killed, or asleep."""
    first, second, third, late = (flights.Leasing(number, "write", uuid4(), 60) for _ in range(4))
    got = [len(await flights.lease(console, leasing, 20)) for leasing in (first, first, second, second, third, late)]
    assert got == [14, 0, 1, 0, 0, 0]
    kept, share = await flights.renew(console, first, [1, 2, 3, 4, 5, 6, 7])
    assert (sorted(kept), share) == ([1, 2, 3, 4, 5, 6, 7], 7)
    assert [len(await flights.lease(console, leasing, 20)) for leasing in (third, late, second)] == [4, 2, 0]


async def test_a_process_asks_for_several_at_once_and_for_no_call_alone(pool: Pool, number: int) -> None:
    flight = Flight(pool.connection, number, "read")
    for _ in range(200):
        async with AsyncExitStack() as until_the_end:
            await held(flight, 10, until_the_end)
    assert pool.get_stats()["requests_num"] <= 4  # for 2,000 places


async def test_whoever_comes_later_gets_a_share(pool: Pool, number: int) -> None:
    terms = replace(BRIEF, lease=60)
    first, second = (Flight(pool.connection, number, "write", terms) for _ in range(2))
    busy = asyncio.Event()

    async def work(flight: Flight) -> None:
        while not busy.is_set():
            async with flight.place():
                await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(20):
            tasks.create_task(work(first))
        async with asyncio.timeout(10), AsyncExitStack() as until_the_end:
            await held(second, 7, until_the_end)  # half of 15 less the one that stays for who comes next
            assert len(first._used) <= 7
            busy.set()


async def test_what_is_not_needed_any_more_is_given_back(console: Connection, pool: Pool, number: int) -> None:
    now = 0.0
    flight = Flight(pool.connection, number, "read", clock=lambda: now)
    async with AsyncExitStack() as until_the_end:
        await held(flight, 10, until_the_end)
    for _ in range(2):  # the first tells of the time before
        now += TERMS.renew_every
        async with flight.place():
            pass
    assert await leases(console) == 1
    await flight.give_back()
    assert await leases(console) == 0


async def leases(console: Connection) -> int:
    """Count the living leases."""
    cursor = await console.execute("SELECT count(*) FROM flight WHERE leased_until > clock_timestamp()")
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def test_without_the_database_calls_stop_before_the_leases_end(pool: Pool, number: int) -> None:
    now, is_away = 0.0, False

    @asynccontextmanager
    async def connect() -> AsyncIterator[Connection]:
        if is_away:
            raise psycopg.OperationalError("away")
        async with pool.connection() as connection:
            yield connection

    flight = Flight(connect, number, "read", clock=lambda: now)
    await flight.make_ready()
    is_away = True
    for now in range(int(TERMS.lease) * 2):
        if now < TERMS.renew_every:
            await flight.make_ready()
            continue
        with pytest.raises(psycopg.OperationalError):
            await flight.make_ready()
        urgent = flight.place(urgent=True)  # a last look's call asks for nothing that is still good
        if now + TERMS.longest_call <= TERMS.lease:
            async with urgent as place:
                await place.confirm()
        else:
            with pytest.raises(psycopg.OperationalError):
                await urgent.__aenter__()


async def test_a_call_that_slept_past_its_lease_takes_another_slot(
    console: Connection, pool: Pool, number: int
) -> None:
    now = 0.0
    flight = Flight(pool.connection, number, "write", clock=lambda: now)
    async with flight.place() as place:
        await console.execute("UPDATE flight SET leased_until = clock_timestamp()")
        async with pool.connection() as connection:
            other = await flights.lease(connection, flights.Leasing(number, "write", uuid4(), 60), 1)
        now += TERMS.lease
        slept_on = place._slot
        await place.confirm()
        assert slept_on is not None
        assert place._slot is not None
        assert slept_on.number == other[0] != place._slot.number


async def test_a_replaced_credential_is_said(console: Connection, pool: Pool, number: int) -> None:
    flight = Flight(pool.connection, number, "read")
    await console.execute("DELETE FROM credential")
    with pytest.raises(budget.CredentialGone):
        await flight.make_ready()


async def test_the_wait_for_a_place_has_an_end(pool: Pool, number: int) -> None:
    terms = replace(BRIEF, lease=60, longest_wait=0.1)
    flight = Flight(pool.connection, number, "write", terms)
    async with AsyncExitStack() as until_the_end:
        await held(flight, flights.LIMITS["write"] - 1, until_the_end)
        with pytest.raises(RateLimited):
            await flight.make_ready()
