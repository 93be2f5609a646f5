"""The plan decides how fast a credential asks; searches have a budget of their own and count in both."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from asana_api.errors import BudgetSpent, PlanTooLow, RateLimited
from connections.permits import STALE_AFTER, SharedPermits
from rules.evidence import AsanaPlan
from store import budget, connections
from store.connect import Connection, Pool, open_connection, open_pool
from store.profiles import Draft, create
from tests.conftest import Database
from tests.store.test_budget import credential

pytestmark = [pytest.mark.anyio, pytest.mark.services]


@pytest.fixture
async def console(database: Database) -> AsyncIterator[Connection]:
    async with open_connection(database.url("console")) as connection:
        yield connection


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    async with open_pool(database.url("worker"), size=3) as opened:
        yield opened


async def profile(console: Connection, name: str, plan: AsanaPlan) -> None:
    """Make a draft on the connection."""
    known = await connections.get(console, "acme")
    assert known is not None
    draft = Draft(
        name=name,
        display_name=name,
        connection_id=known.id,
        organization_gid="1",
        organization_name=name,
        plan=plan,
        time_zone="UTC",
        currency="EUR",
        analyze_activity_from=datetime(2026, 1, 1, tzinfo=UTC),
        removal_cap=1,
        provisioned_by_scim=False,
    )
    await create(console, draft)


async def pace(pool: Pool, number: int) -> float:
    """Return the requests a minute that are given out now; infinite where there is no limit."""
    async with pool.connection() as connection:
        interval = (await budget.take(connection, number, 1, longest_wait=3600)).interval
    return 60 / interval if interval else float("inf")


@pytest.mark.parametrize(
    ("said", "plans", "expected"),
    [
        (6000, [], 1500),
        (1000, [], 1000),
        (1500, ["free"], 150),
        (100, ["free"], 100),
        (6000, ["starter"], 1500),
        (6000, ["enterprise+", "free", "advanced"], 150),
        (None, ["free"], float("inf")),
    ],
)
async def test_the_pace_is_the_least_of_what_connection_and_plans_allow(
    said: int | None, plans: list[AsanaPlan], expected: float, console: Connection, pool: Pool
) -> None:
    number = await credential(console, said)
    for place, plan in enumerate(plans):
        await profile(console, f"p{place}", plan)
    assert await pace(pool, number) == pytest.approx(expected * budget.SHARE)


async def test_a_deleted_profile_slows_nobody(console: Connection, pool: Pool) -> None:
    number = await credential(console, 1500)
    await profile(console, "gone", "free")
    assert await pace(pool, number) == pytest.approx(150 * budget.SHARE)
    await console.execute("UPDATE profile SET status = 'deleted', deleted_at = now()")
    assert await pace(pool, number) == pytest.approx(1500 * budget.SHARE)


@pytest.mark.parametrize("per_minute", [None, 1500])
async def test_nobody_searches_on_the_free_plan(per_minute: int | None, console: Connection, pool: Pool) -> None:
    permits = SharedPermits(pool.connection, await credential(console, per_minute))
    await permits.take("search")
    await profile(console, "acme", "free")
    for _ in range(110):  # those that were taken before are used up
        if per_minute is None:
            await permits.take("read")
    with pytest.raises(PlanTooLow):
        await permits.take("search")
    await permits.take("read")
    await console.execute("UPDATE profile SET plan = 'starter'")
    await console.execute("UPDATE credential SET search_arrival = '-infinity'")
    await permits.take("search")


async def test_a_search_takes_from_both_budgets(console: Connection, pool: Pool) -> None:
    number = await credential(console, 600)
    async with pool.connection() as connection:
        for counted in (False, True):
            before = await budget.left(connection, number)
            await connection.execute("UPDATE credential SET search_arrival = '-infinity'")
            await budget.take_search(connection, number, counted=counted)
            taken = before - await budget.left(connection, number)
            assert (taken > 0.05) is not counted
            with pytest.raises(budget.BudgetSpent) as spent:
                await budget.take_search(connection, number, counted=counted)
            assert spent.value.wait == pytest.approx(60 / budget.SEARCHES, abs=0.3)


def test_no_minute_holds_more_searches_than_are_allowed_however_it_is_cut() -> None:
    moved = budget.SEARCH_AHEAD + STALE_AFTER
    assert (60 + moved) * budget.SEARCHES / 60 + 1 <= 60


async def test_searches_of_several_processes_keep_one_pace_and_reads_go_on(console: Connection, pool: Pool) -> None:
    number = await credential(console, 1500)
    everybody = [SharedPermits(pool.connection, number) for _ in range(3)]
    moments: dict[str, list[float]] = {"search": [], "read": []}
    began = time.monotonic()

    async def ask(permits: SharedPermits, kind: str) -> None:
        while True:
            await permits.take("search" if kind == "search" else "read")
            moments[kind].append(time.monotonic() - began)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2.6):
            await asyncio.gather(*(ask(permits, kind) for permits in everybody for kind in moments))
    assert 1 <= len(moments["search"]) <= 1 + moments["search"][-1] * budget.SEARCHES / 60 + 0.1
    assert len(moments["read"]) > len(moments["search"])


async def test_a_429_of_a_search_slows_searches_and_everything_else(console: Connection, pool: Pool) -> None:
    number = await credential(console, 1500)
    permits, other = SharedPermits(pool.connection, number), SharedPermits(pool.connection, number)
    await permits.slow_down(100, "search")
    for kind in ("read", "write", "search"):
        with pytest.raises(RateLimited) as put_off:
            await other.take("search" if kind == "search" else "read")
        assert put_off.value.retry_after == pytest.approx(100, abs=4)


async def test_a_429_of_a_read_costs_no_search_beyond_its_time(console: Connection, pool: Pool) -> None:
    number = await credential(console, 1500)
    async with pool.connection() as connection:
        await budget.slow_down(connection, number, timedelta(seconds=100))
        with pytest.raises(budget.BudgetSpent):
            await budget.take_search(connection, number, counted=False)
        await connection.execute("UPDATE credential SET theoretical_arrival = '-infinity'")
        await budget.take_search(connection, number, counted=False)


async def test_a_replaced_credential_is_said_to_a_search(console: Connection, pool: Pool) -> None:
    permits = SharedPermits(pool.connection, await credential(console, 1500))
    await console.execute("DELETE FROM credential")
    with pytest.raises(budget.CredentialGone):
        await permits.take("search")


async def test_searches_that_were_put_aside_are_used_without_a_wait(console: Connection, pool: Pool) -> None:
    """And no more of them: the next one takes its turn."""
    permits = SharedPermits(pool.connection, await credential(console, 1500))
    async with permits.reserved(4, searches=2):
        await console.execute(
            """UPDATE credential SET theoretical_arrival = clock_timestamp() + interval '1 hour',
                                     search_arrival = clock_timestamp() + interval '1 hour'"""
        )
        for kind in ("read", "search", "search"):
            await permits.take("read" if kind == "read" else "search")
        with pytest.raises(RateLimited):
            await permits.take("search")


async def test_on_the_free_plan_no_search_is_put_aside(console: Connection, pool: Pool) -> None:
    permits = SharedPermits(pool.connection, await credential(console, 1500))
    await profile(console, "acme", "free")
    async with permits.reserved(1, searches=2):
        await permits.take("read")
    with pytest.raises(PlanTooLow):
        await permits.take("search")


async def test_searches_that_wait_for_each_other_are_all_served_in_their_order(
    console: Connection, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Patience is counted from the turn on: the wait for those before is no reason to give up."""
    monkeypatch.setitem(budget._PARAMETERS, "searches", budget.SEARCHES * 20)
    monkeypatch.setattr("connections.permits.LONGEST_WAIT", 30.0 / 20)
    permits = SharedPermits(pool.connection, await credential(console, 1500))
    served: list[int] = []

    async def search(number: int) -> None:
        await permits.take("search")
        served.append(number)

    await asyncio.gather(*(search(number) for number in range(50)))
    assert served == list(range(50))


async def test_a_budget_that_is_spent_is_said_to_be_ours(console: Connection, pool: Pool) -> None:
    permits = SharedPermits(pool.connection, await credential(console, 1500))
    await console.execute("UPDATE credential SET search_arrival = clock_timestamp() + interval '1 hour'")
    with pytest.raises(BudgetSpent, match="our own budget of searches is spent") as spent:
        await permits.take("search")
    assert "asks us to slow down" not in str(spent.value)
