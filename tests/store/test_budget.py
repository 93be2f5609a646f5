"""The budget of a credential: everybody together keeps the pace, nobody saves up, a 429 slows all."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from asana_api.errors import RateLimited
from connections.permits import STALE_AFTER, SharedPermits
from store import budget, connections
from store.connect import Connection, Pool, open_connection, open_pool
from store.connections import SealedGrant
from tests.conftest import Database

pytestmark = [pytest.mark.anyio, pytest.mark.services]


@pytest.fixture
async def console(database: Database) -> AsyncIterator[Connection]:
    async with open_connection(database.url("console")) as connection:
        yield connection


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    async with open_pool(database.url("worker"), size=3) as opened:
        yield opened


async def credential(console: Connection, requests_per_minute: int | None) -> int:
    connection_id = await connections.save(
        console,
        alias="acme",
        base_url="http://127.0.0.1:1",
        client_id=None,
        client_secret_sealed=None,
        requests_per_minute=requests_per_minute,
    )
    grant = SealedGrant(kind="personal_access_token", user_gid="1", access_token=b"sealed")
    await connections.keep_grant(console, connection_id, "acme", grant, datetime.now(UTC))
    found = await connections.credential_of(console, connection_id)
    assert found is not None
    return found.id


async def used_within(seconds: float, *takers: SharedPermits) -> list[float]:
    """Let each taker take as fast as it can; return the moments, in seconds from the start."""
    start, moments = time.monotonic(), []

    async def take(permits: SharedPermits) -> None:
        while True:
            await permits.take("read")
            moments.append(time.monotonic() - start)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.gather(*(take(permits) for permits in takers for _ in range(4)))
    return sorted(moments)


async def test_three_processes_together_keep_the_pace(console: Connection, pool: Pool) -> None:
    number = await credential(console, 6000)  # more than any plan allows: 24.5 a second of the paid plan's 25
    everybody = [SharedPermits(pool.connection, number) for _ in range(3)]
    moments = await used_within(1.5, *everybody)
    assert len(moments) <= 24.5 * 0.5 + 24.5 * 1.5 + 1  # a bucket of half a second, and what came in since
    assert len(moments) > 0.5 * (24.5 * 0.5 + 24.5 * 1.5)
    for begin in moments:
        assert sum(begin <= moment < begin + 0.5 for moment in moments if moment >= 0.2) <= 24.5 * 0.5 + 24.5 * 1.0 + 1


async def test_permits_that_nobody_used_are_not_saved_up(console: Connection, pool: Pool) -> None:
    number = await credential(console, 6000)
    now = 1000.0
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    permits = SharedPermits(pool.connection, number, clock=lambda: now, sleep=sleep)
    for _ in range(2):
        await permits.take("read")  # one, then nine more of ten lie ready
    await console.execute("UPDATE credential SET theoretical_arrival = clock_timestamp() + interval '10 seconds'")
    now += 60.0
    await permits.take("read")
    assert slept
    assert slept[-1] > 8.0  # those nine are stale: this one was taken anew, from the row


async def test_a_bucket_holds_half_a_second_and_no_more(console: Connection, pool: Pool) -> None:
    number = await credential(console, 180)  # 2.94 a second
    async with pool.connection() as connection:
        assert await budget.left(connection, number) == pytest.approx(0.5)
        waits = [(await budget.take(connection, number, 1, longest_wait=30)).wait for _ in range(4)]
    assert [wait <= 0 for wait in waits] == [True] + [False] * 3
    assert waits[-1] == pytest.approx(4 / 2.94 - 0.5, abs=0.3)


@pytest.mark.parametrize("per_minute", [150, 1500])
def test_no_minute_holds_more_than_is_allowed_however_it_is_cut(per_minute: int) -> None:
    permits = budget.SHARE * per_minute * (60 + budget.DEPTH + STALE_AFTER) / 60
    assert permits <= per_minute


async def test_a_process_that_wakes_far_too_late_takes_its_permits_anew(console: Connection, pool: Pool) -> None:
    number = await credential(console, 60)
    now = 1000.0
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds + (5.0 if len(slept) == 1 else 0.0)  # the machine was suspended during the first wait

    permits = SharedPermits(pool.connection, number, clock=lambda: now, sleep=sleep)
    await permits.take("read")
    await permits.take("read")
    assert len(slept) == 2


async def test_a_slow_budget_gives_its_first_permit_at_once(console: Connection, pool: Pool) -> None:
    number = await credential(console, 30)
    async with pool.connection() as connection:
        first = await budget.take(connection, number, 1, longest_wait=30)
        second = await budget.take(connection, number, 1, longest_wait=30)
    assert first.wait <= 0
    assert second.wait == pytest.approx(60 / 30 / 0.98, abs=0.1)


async def test_unlimited_takes_a_statement_for_each_hundred(console: Connection, pool: Pool) -> None:
    number = await credential(console, None)
    permits = SharedPermits(pool.connection, number)
    start = time.monotonic()
    for _ in range(2000):
        await permits.take("read")
    assert time.monotonic() - start < 1.0
    assert pool.get_stats()["requests_num"] < 30


async def test_a_429_slows_everybody_down(console: Connection, pool: Pool) -> None:
    number = await credential(console, None)
    one, other = SharedPermits(pool.connection, number), SharedPermits(pool.connection, number)
    for permits in (one, other):
        await permits.take("read")
    await one.slow_down(1.2)
    for permits in (other, one):
        start = time.monotonic()
        await permits.take("read")
        took = time.monotonic() - start
        assert took >= 1.0 if permits is other else took < 1.0


async def test_a_long_pause_puts_the_work_off_instead_of_holding_it(console: Connection, pool: Pool) -> None:
    number = await credential(console, 1500)
    permits = SharedPermits(pool.connection, number)
    await permits.slow_down(120)
    async with pool.connection() as connection:
        before = await budget.left(connection, number)
    for _ in range(3):
        with pytest.raises(RateLimited) as put_off:
            await permits.take("write")
    assert put_off.value.retry_after == pytest.approx(120, abs=2)
    async with pool.connection() as connection:
        assert await budget.left(connection, number) >= before  # asking in vain costs nothing


async def test_a_pause_is_bounded(console: Connection, pool: Pool) -> None:
    number = await credential(console, 1500)
    async with pool.connection() as connection:
        await budget.slow_down(connection, number, timedelta(days=30))
        assert await budget.left(connection, number) == pytest.approx(-900, abs=2)


async def test_reserved_permits_are_used_without_a_wait(console: Connection, pool: Pool) -> None:
    number = await credential(console, 60)  # the next one comes in a second
    permits = SharedPermits(pool.connection, number)
    await console.execute("UPDATE connection SET requests_per_minute = NULL")
    async with permits.reserved(5):
        await console.execute("UPDATE credential SET theoretical_arrival = clock_timestamp() + interval '1 hour'")
        start = time.monotonic()
        for _ in range(5):
            await permits.take("read")
        assert time.monotonic() - start < 0.1


async def test_reserved_permits_are_not_for_others(console: Connection, pool: Pool) -> None:
    number = await credential(console, None)
    permits, reserved = SharedPermits(pool.connection, number), asyncio.Event()

    async def another_actor() -> None:
        await reserved.wait()
        await permits.take("read")

    other = asyncio.create_task(another_actor())
    async with permits.reserved(3):
        await console.execute("UPDATE credential SET theoretical_arrival = clock_timestamp() + interval '1 hour'")
        permits._moments.clear()
        reserved.set()
        with pytest.raises(RateLimited):
            await other
        await permits.take("read")


async def test_a_429_makes_reserved_permits_worthless(console: Connection, pool: Pool) -> None:
    permits = SharedPermits(pool.connection, await credential(console, None))
    async with permits.reserved(3):
        await permits.slow_down(120)
        with pytest.raises(RateLimited):
            await permits.take("read")


async def test_a_replaced_credential_is_said(console: Connection, pool: Pool) -> None:
    permits = SharedPermits(pool.connection, await credential(console, None))
    await console.execute("DELETE FROM credential")
    with pytest.raises(budget.CredentialGone):
        await permits.take("read")
