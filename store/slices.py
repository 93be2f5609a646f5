"""Taking a run up, slice by slice.

Why two workers cannot both write: a worker that takes a slice adds one to the run's `fence` and keeps the number. Every
later write of the slice names it (`WHERE fence = …`) in the same transaction as the slice's results. A worker that was
suspended, cut off from the broker or thought dead finds the number grown, gets Fenced, and its transaction rolls back
with everything in it. So no lease has to be waited for: a message that comes again may be taken up at once, and goes on
from the last checkpoint.
"""

from datetime import datetime, timedelta

import psycopg
from psycopg.types.json import Jsonb

from messages.commands import Command
from messages.events import RunStarted
from rules.switches import why_off
from store import runs
from store.connect import Connection
from store.endings import End, Fenced, end_without_start, say_of_run
from store.outbox import add_command
from store.runs import Run, Standing

LEASE = timedelta(minutes=30)
"""How long a running run may go without a sign of life before it counts as abandoned."""


async def take(connection: Connection, command: Command, now: datetime) -> Run | None:
    """Take up the slice that `command` names, inside the caller's transaction.

    None means that there is nothing to do and the message can be acknowledged: the run has ended, the slice is behind
    the row, or another run of the kind is active and this one ended as coalesced.
    """
    run = await runs.get(connection, command.run_id, lock=True)
    if run is None or command.slice != run.slice or run.state not in {"queued", "running"}:
        return None
    if run.state == "queued" and not await start(connection, run, now):
        return None
    await connection.execute("UPDATE run SET fence = fence + 1, lease_until = %s WHERE id = %s", [now + LEASE, run.id])
    return await runs.get(connection, run.id)


async def start(connection: Connection, run: Run, now: datetime, lease: timedelta = LEASE) -> bool:
    """Make a queued run the active one of its kind, or end it; say which.

    Raises Fenced where the active run ended in the very moment of being looked at: try again.
    """
    forbidden = _forbidden(run, await runs.standing_of(connection, run.profile_id))
    if forbidden is not None:
        await end_without_start(connection, run, forbidden, now)
        return False
    try:
        async with connection.transaction():
            await connection.execute(
                "UPDATE run SET state = 'running', started_at = %s, lease_until = %s WHERE id = %s",
                [now, now + lease, run.id],
            )
    except psycopg.errors.UniqueViolation:
        await _coalesce(connection, run, now)
        return False
    started = RunStarted(run_id=run.id, kind=run.kind, profile=run.profile, cycle_id=run.cycle_id)
    await say_of_run(connection, run, started, now)
    return True


def _forbidden(run: Run, standing: Standing) -> End | None:
    """How a run ends that its profile does not allow any more, whatever was so when it was asked for."""
    if standing.status == "deleted":
        return End(state="not_run", reason="not run: the profile was deleted")
    if standing.status != "published":
        return End(state="failed", reason="the profile is not published")
    off = why_off(run.kind, activity_enabled=standing.activity_enabled, reclaim_enabled=standing.reclaim_enabled)
    return None if off is None else End(state="not_run", reason=f"not run: {off}")


async def _coalesce(connection: Connection, run: Run, now: datetime) -> None:
    active = await runs.active(connection, run.profile_id, run.kind)
    if active is None:
        raise Fenced(f"the active {run.kind} run ended while this one looked at it")
    reason = f"a {run.kind} run of this profile is already under way"
    await end_without_start(connection, run, End(state="coalesced", reason=reason, coalesced_into=active), now)


async def checkpoint(
    connection: Connection, run: Run, *, cursor: dict[str, object], counts: dict[str, int], now: datetime
) -> None:
    """Keep how far the slice came; raise Fenced if the run was taken up by another worker."""
    done = await connection.execute(
        """UPDATE run SET cursor = %s, counts = %s, lease_until = %s
            WHERE id = %s AND fence = %s AND state = 'running'""",
        [Jsonb(cursor), Jsonb(counts), now + LEASE, run.id, run.fence],
    )
    _only_mine(done.rowcount, run)


async def hand_on(connection: Connection, run: Run, command: Command, now: datetime) -> None:
    """End this slice: `command`, which names the next one, carries the run on."""
    done = await connection.execute(
        """UPDATE run SET slice = %s, lease_until = %s
            WHERE id = %s AND fence = %s AND slice = %s AND state = 'running'""",
        [command.slice, now + LEASE, run.id, run.fence, run.slice],
    )
    _only_mine(done.rowcount, run)
    await add_command(connection, command, profile_id=run.profile_id, now=now)


def _only_mine(rows: int, run: Run) -> None:
    if rows != 1:
        raise Fenced(f"run {run.id} was taken up by another worker, or has ended")
