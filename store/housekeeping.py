"""What time does to rows when nobody else does anything: the scheduler asks for each of these every second.

Each function ends one thing in a transaction of its own and skips what another scheduler has locked, so that several
may run side by side and one row in trouble does not hold the others up.
"""

from datetime import datetime, timedelta
from uuid import uuid4

from messages.commands import ReclaimSubscription
from messages.events import PlanExpired
from store import endings, runs
from store.connect import Connection
from store.endings import End
from store.outbox import add_command, say

COPIES_KEPT = timedelta(days=7)
"""How long the outbox keeps commands that were sent. Events stay."""
FORGOTTEN_AFTER = timedelta(days=1)
"""How long a step may wait for a worker: a backlog is no fault, a day of it is."""
ASK_AGAIN = timedelta(minutes=1)
PRUNED_AT_ONCE = 10_000


async def fail_abandoned(connection: Connection, now: datetime) -> int:
    """Fail the runs that have shown no sign of life until their lease ended; return how many."""
    failed = 0
    while True:
        async with connection.transaction():
            cursor = await connection.execute(
                """SELECT id, lease_until FROM run WHERE state = 'running' AND lease_until < %s
                    ORDER BY lease_until LIMIT 1 FOR UPDATE SKIP LOCKED""",
                [now],
            )
            row = await cursor.fetchone()
            if row is None:
                return failed
            run = await runs.get(connection, row[0], lock=True)
            assert run is not None
            reason = f"no sign of life for longer than its lease, which ended at {row[1]:%Y-%m-%d %H:%M:%S %Z}"
            await endings.fail(connection, run, counts=run.counts, reason=reason, now=now)
        failed += 1


async def fail_forgotten(connection: Connection, now: datetime) -> int:
    """Fail the steps that were never taken up although their command was due long ago; return how many."""
    failed = 0
    while True:
        async with connection.transaction():
            cursor = await connection.execute(
                """SELECT id FROM run WHERE state = 'queued' AND kind <> 'cycle'
                      AND greatest(created_at, not_before) < %s
                    ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED""",
                [now - FORGOTTEN_AFTER],
            )
            row = await cursor.fetchone()
            if row is None:
                return failed
            run = await runs.get(connection, row[0], lock=True)
            assert run is not None
            reason = "its command was due more than a day ago, and no worker has taken it up"
            await endings.end_without_start(connection, run, End(state="failed", reason=reason), now)
        failed += 1


async def expire_plans(connection: Connection, now: datetime) -> int:
    """Expire the plans that were not carried out in time, and say so; return how many.

    A plan that is being carried out is left to its run, which looks at the time before each person.
    """
    async with connection.transaction():
        cursor = await connection.execute(
            """UPDATE plan SET expired_at = %(now)s FROM profile p
                WHERE p.id = plan.profile_id AND plan.hash IN (
                      SELECT hash FROM plan l
                       WHERE l.expires_at <= %(now)s AND l.expired_at IS NULL AND l.carried_out_at IS NULL
                         AND NOT EXISTS (SELECT FROM run r WHERE r.profile_id = l.profile_id
                                            AND r.plan_hash = l.hash AND r.state = 'running')
                         FOR UPDATE SKIP LOCKED)
            RETURNING plan.hash, plan.profile_id, p.name""",
            {"now": now},
        )
        expired = await cursor.fetchall()
        for plan_hash, profile_id, profile in expired:
            event, subject = PlanExpired(profile=profile, plan=plan_hash), f"plan/{plan_hash}"
            await say(connection, event, subject=subject, profile_id=profile_id, correlation_id=uuid4(), now=now)
    return len(expired)


async def ask_for_recovery(connection: Connection, now: datetime, recovery_after: timedelta) -> int:
    """Have removals read back whose answer is overdue, each at most once a minute; return how many.

    It does not matter whether the removal's run still stands: what was called for has an outcome either way.
    """
    async with connection.transaction():
        cursor = await connection.execute(
            """UPDATE removal m SET recovery_asked_at = %(now)s FROM run r
                WHERE r.profile_id = m.profile_id AND r.id = m.run_id AND m.id IN (
                      SELECT id FROM removal
                       WHERE state = 'calling' AND call_before < %(overdue)s
                         AND (recovery_asked_at IS NULL OR recovery_asked_at <= %(again)s)
                         FOR UPDATE SKIP LOCKED)
            RETURNING m.profile_id, m.subscription_id, r.id, r.slice, r.correlation_id""",
            {"now": now, "overdue": now - recovery_after, "again": now - ASK_AGAIN},
        )
        overdue = await cursor.fetchall()
        for profile_id, subscription_id, run_id, slice_number, correlation_id in overdue:
            command = ReclaimSubscription(
                run_id=run_id, slice=slice_number, correlation_id=correlation_id, subscription_id=subscription_id
            )
            await add_command(connection, command, profile_id=profile_id, now=now)
    return len(overdue)


async def prune_outbox(connection: Connection, now: datetime) -> int:
    """Delete copies of commands that were sent longer than a week ago, some at a time; return how many."""
    done = await connection.execute(
        """DELETE FROM outbox WHERE id IN (
                  SELECT id FROM outbox WHERE channel = 'command' AND sent_at < %s ORDER BY sent_at LIMIT %s)""",
        [now - COPIES_KEPT, PRUNED_AT_ONCE],
    )
    return done.rowcount
