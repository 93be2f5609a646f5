"""The scheduler: what is due begins, what has outlived its time ends, and each once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest

from messages.commands import COMMAND_OF, ReclaimSubscription
from store import cycles, outbox, runs, schedules, slices
from store.connect import Connection, open_connection
from store.runs import Order
from tests.conftest import Database
from tests.rows import NOW, add_plan, add_profile, count
from workers.entry import keep_going
from workers.scheduler import Scheduler, Tick

pytestmark = [pytest.mark.anyio, pytest.mark.services]
NOTHING = Tick(0, 0, 0, 0, 0, 0)
DUE = datetime(2026, 3, 3, 5, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[Connection]:
    async with open_connection(database.owner_url) as connection:
        yield connection


@pytest.fixture
async def acme(owner: Connection) -> int:
    return await add_profile(owner)


@pytest.fixture
async def connection(database: Database) -> AsyncIterator[Connection]:
    async with open_connection(database.url("scheduler")) as connection:
        yield connection


@pytest.fixture
def scheduler(database: Database) -> Scheduler:
    return Scheduler(database.url("scheduler"), recovery_after=MINUTE)


async def said(owner: Connection, name: str) -> int:
    return await count(owner, f"outbox WHERE name = '{name}'")


async def test_a_due_schedule_starts_a_cycle_with_its_first_step(
    owner: Connection, acme: int, connection: Connection, scheduler: Scheduler
) -> None:
    await schedules.put(owner, acme, "cycle", "0 5 * * *", "UTC", NOW)
    assert await scheduler.tick(connection, DUE - MINUTE) == NOTHING
    assert (await scheduler.tick(connection, DUE)).fired == 1
    assert await scheduler.tick(connection, DUE) == NOTHING
    assert await said(owner, "RunStarted") == 1
    assert await said(owner, "download_subscriptions") == 1


async def test_an_unreadable_schedule_does_not_hold_the_others_up(
    owner: Connection, acme: int, connection: Connection, scheduler: Scheduler
) -> None:
    await schedules.put(owner, acme, "reconcile", "0 5 * * *", "UTC", NOW)
    await schedules.put(owner, acme, "download", "0 5 * * *", "UTC", NOW)
    await owner.execute("UPDATE schedule SET cron = 'by hand', next_due_at = %s WHERE kind = 'download'", [NOW])
    assert (await scheduler.tick(connection, DUE)).fired == 1
    assert await said(owner, "reconcile") == 1


async def test_a_cycle_asked_for_later_begins_at_its_time(
    owner: Connection, acme: int, connection: Connection, scheduler: Scheduler
) -> None:
    await cycles.add(owner, Order(profile_id=acme, kind="cycle", requested_by="ann", not_before=DUE), NOW)
    assert await scheduler.tick(connection, DUE - MINUTE) == NOTHING
    assert (await scheduler.tick(connection, DUE)).cycles_started == 1
    assert await said(owner, "download_subscriptions") == 1


async def test_a_run_without_a_sign_of_life_fails_and_its_cycle_goes_on(
    owner: Connection, acme: int, connection: Connection, scheduler: Scheduler
) -> None:
    cycle = await cycles.add(owner, Order(profile_id=acme, kind="cycle", requested_by="ann"), NOW)
    (step,) = await runs.steps_of(owner, cycle)
    command = COMMAND_OF["download"](run_id=step.id, slice=0, correlation_id=step.correlation_id)
    await slices.take(owner, command, NOW)
    ends = NOW + slices.LEASE
    assert await scheduler.tick(connection, ends) == NOTHING
    assert (await scheduler.tick(connection, ends + MINUTE)).runs_abandoned == 1
    failed = await runs.get(owner, step.id)
    assert failed is not None
    assert (failed.state, failed.reason) == (
        "failed",
        "no sign of life for longer than its lease, which ended at 2026-03-02 06:30:00 UTC",
    )
    states = {run.kind: run.state for run in await runs.steps_of(owner, cycle)}
    assert states["activity"] == states["reconcile"] == "not_run"


async def test_a_step_that_no_worker_ever_took_up_fails_after_a_day(
    owner: Connection, acme: int, connection: Connection, scheduler: Scheduler
) -> None:
    async with owner.transaction():
        run_id = await cycles.add(owner, Order(profile_id=acme, kind="reconcile", requested_by="a test"), NOW)
    assert await scheduler.tick(connection, NOW + timedelta(days=1)) == NOTHING
    assert (await scheduler.tick(connection, NOW + timedelta(days=1) + MINUTE)).runs_abandoned == 1
    run = await runs.get(owner, run_id)
    assert run is not None
    assert (run.state, run.reason) == (
        "failed",
        "its command was due more than a day ago, and no worker has taken it up",
    )


async def test_a_plan_that_was_not_carried_out_in_time_expires_once(
    owner: Connection, acme: int, connection: Connection, scheduler: Scheduler
) -> None:
    await add_plan(owner, acme)
    over = NOW + timedelta(days=7)
    assert await scheduler.tick(connection, over - MINUTE) == NOTHING
    assert (await scheduler.tick(connection, over)).plans_expired == 1
    assert await scheduler.tick(connection, over) == NOTHING
    assert await said(owner, "PlanExpired") == 1


@pytest.mark.parametrize("change", ["carried_out", "under way"])
async def test_a_plan_that_is_or_was_carried_out_does_not_expire(
    owner: Connection, acme: int, connection: Connection, scheduler: Scheduler, change: str
) -> None:
    plan, over = await add_plan(owner, acme), NOW + timedelta(days=7)
    if change == "carried_out":
        await owner.execute("UPDATE plan SET carried_out_at = %s", [NOW])
    else:
        run_id = await under_way(owner, acme, plan)
        await owner.execute("UPDATE run SET lease_until = %s WHERE id = %s", [over + MINUTE, run_id])
    assert (await scheduler.tick(connection, over)).plans_expired == 0


async def under_way(owner: Connection, acme: int, plan: str) -> UUID:
    """Begin a reclaim run of a plan; return its id."""
    run_id = await cycles.add(owner, Order(profile_id=acme, kind="reclaim", requested_by="ann", plan_hash=plan), NOW)
    command = COMMAND_OF["reclaim"](run_id=run_id, slice=0, correlation_id=run_id)
    await slices.take(owner, command, NOW)
    return run_id


async def add_unanswered_removal(owner: Connection, acme: int) -> UUID:
    """Add a removal that was to be called until NOW and has no answer; return its run."""
    run_id = await under_way(owner, acme, await add_plan(owner, acme))
    await owner.execute(
        """WITH s AS (
               INSERT INTO subscription (profile_id, user_gid, membership_gid, software_model, is_admin, joined_at,
                                         found_at)
               VALUES (%(profile)s, '7', '70', 'member', false, %(now)s, %(now)s) RETURNING id),
           c AS (
               INSERT INTO candidate (profile_id, subscription_id, state, why, verdict, found_run, opened_at,
                                      changed_at)
               SELECT %(profile)s, id, 'awaiting_revocation', 'sleeps', '{}', %(run)s, %(now)s, %(now)s FROM s
               RETURNING id)
           INSERT INTO plan_item (profile_id, plan_hash, position, subscription_id, candidate_id, user_gid,
                                  membership_gid, joined_at)
           SELECT %(profile)s, repeat('a', 64), 1, s.id, c.id, '7', '70', %(now)s FROM s, c""",
        {"profile": acme, "now": NOW, "run": run_id},
    )
    await owner.execute(
        """INSERT INTO removal (profile_id, plan_hash, subscription_id, user_gid, run_id, state, last_look_at,
                                last_look, intended_at, call_before)
           SELECT profile_id, plan_hash, subscription_id, user_gid, %(run)s, 'calling', %(now)s, '{}', %(now)s, %(now)s
             FROM plan_item""",
        {"run": run_id, "now": NOW},
    )
    return run_id


@pytest.mark.parametrize("run_is", ["running", "failed"])
async def test_a_removal_without_an_answer_is_read_back_once_a_minute_until_it_has_one(
    owner: Connection, acme: int, connection: Connection, scheduler: Scheduler, run_is: str
) -> None:
    run_id = await add_unanswered_removal(owner, acme)
    if run_is == "failed":
        await owner.execute("UPDATE run SET state = 'failed', ended_at = %s, reason = 'died'", [NOW])
    asked = []
    for seconds in (30, 60, 61, 90, 120, 121, 125):
        tick = await scheduler.tick(connection, NOW + timedelta(seconds=seconds))
        asked += [seconds] * tick.recoveries_asked
    assert asked == [61, 121]
    await owner.execute("UPDATE removal SET state = 'done', answered_at = %s", [NOW])
    assert (await scheduler.tick(connection, NOW + timedelta(seconds=300))).recoveries_asked == 0
    sent = [one for one in await outbox.unsent(owner, limit=9, now=DUE) if one.name == "reclaim_subscription"]
    assert [ReclaimSubscription.model_validate(one.payload).run_id for one in sent] == [run_id] * 2


async def test_old_copies_of_sent_commands_go_and_the_rest_stays(
    owner: Connection, acme: int, connection: Connection, scheduler: Scheduler
) -> None:
    for _ in range(3):
        await under_way_without_end(owner, acme)
    ids = [one.id for one in await outbox.unsent(owner, limit=99, now=NOW) if one.channel == "command"]
    events = [one.id for one in await outbox.unsent(owner, limit=99, now=NOW) if one.channel == "event"]
    await outbox.mark_sent(owner, [*ids[:1], *events], NOW - timedelta(days=8))
    await outbox.mark_sent(owner, ids[1:2], NOW - timedelta(days=6))
    assert (await scheduler.tick(connection, NOW)).copies_pruned == 1
    assert await count(owner, "outbox WHERE channel = 'command'") == len(ids) - 1
    assert await count(owner, "outbox WHERE channel = 'event'") == len(events)
    with pytest.raises(psycopg.errors.RestrictViolation):
        await connection.execute("DELETE FROM outbox WHERE channel = 'event'")
    with pytest.raises(psycopg.errors.RestrictViolation):
        await connection.execute("DELETE FROM outbox WHERE sent_at IS NULL")


async def under_way_without_end(owner: Connection, acme: int) -> None:
    run_id = await cycles.add(owner, Order(profile_id=acme, kind="reconcile", requested_by="ann"), NOW)
    command = COMMAND_OF["reconcile"](run_id=run_id, slice=0, correlation_id=run_id)
    await slices.take(owner, command, NOW)


async def test_it_ticks_until_it_is_stopped_and_comes_back_when_the_database_cuts_it_off(
    database: Database, owner: Connection, acme: int
) -> None:
    scheduler = Scheduler(database.url("scheduler"), recovery_after=MINUTE, every=0.05)
    scheduler.ticked.listen()
    stop = asyncio.Event()
    going = asyncio.create_task(keep_going(stop, "scheduler", scheduler.session, scheduler.trouble))
    await scheduler.ticked.next()
    async with open_connection(database.admin_url) as admin:
        await admin.execute(
            """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE usename = 'seatkeeper_scheduler' AND datname = current_database()"""
        )
    scheduler.ticked.listen()
    await scheduler.ticked.next()
    await scheduler.ticked.next()
    stop.set()
    async with asyncio.timeout(10):
        await going
