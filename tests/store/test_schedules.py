"""Schedules: one run for each due time, whoever looks and however late."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from store import runs, schedules
from store.connect import Connection, open_connection
from tests.conftest import Database
from tests.rows import NOW, add_profile, count

pytestmark = [pytest.mark.anyio, pytest.mark.services]
FIVE = "0 5 * * *"
DUE = datetime(2026, 3, 3, 5, 0, tzinfo=UTC)
"""The first due time of FIVE after NOW."""


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[Connection]:
    async with open_connection(database.owner_url) as connection:
        yield connection


@pytest.fixture
async def scheduler(database: Database) -> AsyncIterator[Connection]:
    async with open_connection(database.url("scheduler")) as connection:
        yield connection


@pytest.fixture
async def acme(owner: Connection) -> int:
    profile_id = await add_profile(owner)
    assert await schedules.put(owner, profile_id, "download", FIVE, "UTC", NOW) == DUE
    return profile_id


async def fire_all(connection: Connection, now: datetime) -> list[UUID]:
    found = []
    for schedule_id in await schedules.due(connection, now):
        async with connection.transaction():
            found.append(await schedules.fire(connection, schedule_id, now))
    return [run_id for run_id in found if run_id is not None]


async def times(connection: Connection) -> tuple[datetime | None, datetime]:
    cursor = await connection.execute("SELECT last_due_at, next_due_at FROM schedule")
    row = await cursor.fetchone()
    assert row is not None
    return row[0], row[1]


async def test_it_fires_at_its_time_and_not_before(owner: Connection, scheduler: Connection, acme: int) -> None:
    assert await fire_all(scheduler, DUE - timedelta(seconds=1)) == []
    (run_id,) = await fire_all(scheduler, DUE)
    run = await runs.get(owner, run_id)
    assert run is not None
    assert (run.kind, run.state, run.requested_by) == ("download", "queued", "schedule")
    assert await times(owner) == (DUE, DUE + timedelta(days=1))
    assert await fire_all(scheduler, DUE) == []


async def test_a_pause_of_ten_days_is_caught_up_by_one_run(owner: Connection, scheduler: Connection, acme: int) -> None:
    late = DUE + timedelta(days=10, hours=3)
    assert len(await fire_all(scheduler, late)) == 1
    assert await fire_all(scheduler, late) == []
    assert await times(owner) == (DUE, DUE + timedelta(days=11))


async def test_several_schedulers_make_one_run(database: Database, owner: Connection, acme: int) -> None:
    async def one() -> list[UUID]:
        async with open_connection(database.url("scheduler")) as connection:
            return await fire_all(connection, DUE)

    made = await asyncio.gather(*(one() for _ in range(8)))
    assert sum(len(runs_made) for runs_made in made) == 1
    assert await count(owner, "run") == 1


async def test_a_scheduler_that_comes_late_to_a_row_finds_it_moved(
    database: Database, owner: Connection, scheduler: Connection, acme: int
) -> None:
    """Two have read the same list; the second asks for the row after the first has committed."""
    (schedule_id,) = await schedules.due(scheduler, DUE)
    async with open_connection(database.url("scheduler")) as other, other.transaction():
        assert await schedules.fire(other, schedule_id, DUE) is not None
        async with scheduler.transaction():
            assert await schedules.fire(scheduler, schedule_id, DUE) is None, "it is locked"
    async with scheduler.transaction():
        assert await schedules.fire(scheduler, schedule_id, DUE) is None, "it has moved"
    assert await count(owner, "run") == 1


async def test_an_order_that_fails_leaves_the_due_time(owner: Connection, scheduler: Connection, acme: int) -> None:
    (schedule_id,) = await schedules.due(scheduler, DUE)
    async with scheduler.transaction(force_rollback=True):
        assert await schedules.fire(scheduler, schedule_id, DUE) is not None
    assert await times(owner) == (None, DUE)
    assert len(await fire_all(scheduler, DUE)) == 1


@pytest.mark.parametrize("change", ["profile SET status = 'draft'", "schedule SET enabled = false"])
async def test_what_is_not_published_or_switched_off_does_not_fire(
    owner: Connection, scheduler: Connection, acme: int, change: str
) -> None:
    (schedule_id,) = await schedules.due(scheduler, DUE)
    await owner.execute(f"UPDATE {change}".encode())
    assert await schedules.due(scheduler, DUE) == []
    assert await schedules.fire(scheduler, schedule_id, DUE) is None


async def test_an_expression_can_be_changed(owner: Connection, acme: int) -> None:
    assert await schedules.put(owner, acme, "download", "0 7 * * *", "Asia/Kolkata", NOW) == datetime(
        2026, 3, 3, 1, 30, tzinfo=UTC
    )
    assert await count(owner, "schedule") == 1
