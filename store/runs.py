"""Runs: one row for each piece of work, made in the transaction that puts its command into the outbox.

How a run is taken up slice by slice is in `slices`, how it ends in `endings`.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from psycopg import sql
from psycopg.rows import class_row

from messages.commands import COMMAND_OF
from messages.kinds import RunKind
from store.connect import Connection
from store.naming import NAMED
from store.outbox import add_command

_SELECT = sql.SQL(
    """SELECT r.id, r.profile_id, p.name AS profile, r.kind, r.state, r.cycle_id, r.correlation_id, r.requested_by,
              r.plan_hash, r.created_at, r.started_at, r.ended_at, r.slice, r.cursor, r.fence, r.counts, r.reason,
              r.coalesced_into
         FROM run r JOIN profile p ON p.id = r.profile_id """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What somebody wants to be run. `not_before` is a moment (aware); now when it is missing."""

    profile_id: int
    kind: RunKind
    requested_by: str
    correlation_id: UUID | None = None
    cycle_id: UUID | None = None
    plan_hash: str | None = None
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One run as it was read."""

    id: UUID
    profile_id: int
    profile: str
    kind: RunKind
    state: str
    cycle_id: UUID | None
    correlation_id: UUID
    requested_by: str
    plan_hash: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    slice: int
    cursor: dict[str, object]
    fence: int
    counts: dict[str, int]
    reason: str | None
    coalesced_into: UUID | None

    @property
    def subject(self) -> str:
        """The subject of this run's events."""
        return f"run/{self.id}"


async def get(connection: Connection, run_id: UUID, *, lock: bool = False) -> Run | None:
    """Return the run, its row locked until the end of the transaction if `lock`."""
    query = _SELECT + sql.SQL("WHERE r.id = %s" + (" FOR UPDATE OF r" if lock else ""))
    async with connection.cursor(row_factory=class_row(Run)) as cursor:
        await cursor.execute(query, [run_id])
        return await cursor.fetchone()


async def recent(connection: Connection, *, profile: str | None, limit: int) -> list[Run]:
    """Return the newest runs first, of one profile or of all."""
    query = _SELECT + sql.SQL(
        f"WHERE %(profile)s::text IS NULL OR {NAMED} = %(profile)s ORDER BY r.created_at DESC LIMIT %(limit)s"
    )
    async with connection.cursor(row_factory=class_row(Run)) as cursor:
        await cursor.execute(query, {"profile": profile, "limit": limit})
        return await cursor.fetchall()


async def steps_of(connection: Connection, cycle_id: UUID) -> list[Run]:
    """Return the steps of a cycle that exist so far, oldest first."""
    query = _SELECT + sql.SQL("WHERE r.cycle_id = %s ORDER BY r.created_at, r.kind")
    async with connection.cursor(row_factory=class_row(Run)) as cursor:
        await cursor.execute(query, [cycle_id])
        return await cursor.fetchall()


async def active(connection: Connection, profile_id: int, kind: RunKind) -> UUID | None:
    """Return the one running run of this kind, if there is one."""
    cursor = await connection.execute(
        "SELECT id FROM run WHERE profile_id = %s AND kind = %s AND state = 'running'", [profile_id, kind]
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def insert(connection: Connection, order: Order, now: datetime) -> Run:
    """Make a queued run, without any command. Without a correlation id its own id is one."""
    run = await get(connection, await _insert(connection, order, uuid4(), now))
    assert run is not None
    return run


async def _insert(connection: Connection, order: Order, run_id: UUID, now: datetime) -> UUID:
    await connection.execute(
        """INSERT INTO run (id, profile_id, kind, cycle_id, correlation_id, requested_by, plan_hash, created_at,
                            not_before)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, coalesce(%s::timestamptz, '-infinity'))""",
        [
            run_id,
            order.profile_id,
            order.kind,
            order.cycle_id,
            order.correlation_id or run_id,
            order.requested_by,
            order.plan_hash,
            now,
            order.not_before,
        ],
    )
    return run_id


async def add_step(connection: Connection, order: Order, now: datetime) -> UUID:
    """Make a queued run of one step (not a cycle) and put its first command into the outbox; return the run's id."""
    assert order.kind != "cycle"
    run_id = await _insert(connection, order, uuid4(), now)
    command = COMMAND_OF[order.kind](run_id=run_id, slice=0, correlation_id=order.correlation_id or run_id)
    await add_command(connection, command, profile_id=order.profile_id, now=now, not_before=order.not_before)
    return run_id


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a profile's commands are accepted, and which of its processes are on."""

    status: str
    activity_enabled: bool
    reclaim_enabled: bool


async def standing_of(connection: Connection, profile_id: int) -> Standing:
    """Return how the run's profile stands now."""
    async with connection.cursor(row_factory=class_row(Standing)) as cursor:
        await cursor.execute(
            "SELECT status, activity_enabled, reclaim_enabled FROM profile WHERE id = %s", [profile_id]
        )
        standing = await cursor.fetchone()
    assert standing is not None  # a run's profile is never taken away
    return standing
