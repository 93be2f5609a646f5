"""Schedules: rows that say when a profile's cycle, or one step of it, begins by itself.

**Never twice for one due time, and once after a pause.** The transaction that orders the run also moves `next_due_at`
from the due time to the first one after *now*, under the row's lock: a second scheduler finds the row locked and passes
over it, or finds it moved. However many due times passed while nobody looked, the row holds one, and one run is made.
"""

from datetime import datetime
from uuid import UUID

from messages.kinds import RunKind
from rules.schedule import next_due
from store import cycles
from store.connect import Connection
from store.runs import Order


async def put(
    connection: Connection, profile_id: int, kind: RunKind, cron: str, time_zone: str, now: datetime
) -> datetime:
    """Make or change the profile's schedule of a kind and return when it is due next; ValueError as in `next_due`."""
    due = next_due(cron, time_zone, now)
    await connection.execute(
        """INSERT INTO schedule (profile_id, kind, cron, time_zone, next_due_at) VALUES (%s, %s, %s, %s, %s)
           ON CONFLICT (profile_id, kind) DO UPDATE SET cron = excluded.cron, time_zone = excluded.time_zone,
               next_due_at = excluded.next_due_at, enabled = true""",
        [profile_id, kind, cron, time_zone, due],
    )
    return due


async def move_to_zone(connection: Connection, profile_id: int, time_zone: str, now: datetime) -> None:
    """Let the profile's schedules be due by the clock of another zone from now on."""
    cursor = await connection.execute("SELECT id, cron FROM schedule WHERE profile_id = %s FOR UPDATE", [profile_id])
    for schedule_id, cron in await cursor.fetchall():
        await connection.execute(
            "UPDATE schedule SET time_zone = %s, next_due_at = %s WHERE id = %s",
            [time_zone, next_due(cron, time_zone, now), schedule_id],
        )


async def due(connection: Connection, now: datetime) -> list[int]:
    """Return the schedules of published profiles whose time has come, the longest due first."""
    cursor = await connection.execute(
        """SELECT s.id FROM schedule s JOIN profile p ON p.id = s.profile_id
            WHERE s.enabled AND p.status = 'published' AND s.next_due_at <= %s ORDER BY s.next_due_at""",
        [now],
    )
    return [schedule_id for (schedule_id,) in await cursor.fetchall()]


async def fire(connection: Connection, schedule_id: int, now: datetime) -> UUID | None:
    """Order the run of a due schedule, in the caller's transaction; None if another scheduler does or did.

    Raises ValueError for an expression or zone that cannot be read, and may raise store.endings.Fenced.
    """
    cursor = await connection.execute(
        """SELECT s.profile_id, s.kind, s.cron, s.time_zone, s.next_due_at
             FROM schedule s JOIN profile p ON p.id = s.profile_id
            WHERE s.id = %s AND s.enabled AND p.status = 'published' AND s.next_due_at <= %s
              FOR UPDATE OF s SKIP LOCKED""",
        [schedule_id, now],
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    profile_id, kind, cron, time_zone, was_due = row
    moved = await connection.execute(
        """UPDATE schedule SET last_due_at = next_due_at, next_due_at = %s
            WHERE id = %s AND next_due_at = %s AND last_due_at IS DISTINCT FROM next_due_at""",
        [next_due(cron, time_zone, now), schedule_id, was_due],
    )
    if moved.rowcount != 1:
        return None
    order = Order(profile_id=profile_id, kind=kind, requested_by="schedule")
    return await cycles.add(connection, order, now)
