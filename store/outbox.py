"""The outbox: what is to be said, written in the transaction of the change that it speaks of.

Only the relay sends. It asks for rows with no `sent_at`, never for ids above the last one: a transaction that took a
low id and committed late would be skipped for ever.
"""

import json
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import datetime
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

from psycopg import AsyncCursor
from psycopg.types.json import Jsonb

from messages.commands import Command
from messages.events import Event
from store.connect import Connection


class Outgoing(NamedTuple):
    """One message that waits to be sent; ids and the payload are text, as they go over the wire."""

    id: int
    channel: str
    message_id: str
    name: str
    profile: str | None
    subject: str | None
    sequence: int | None
    json: str
    correlation_id: str
    occurred_at: datetime

    @property
    def payload(self) -> dict[str, object]:
        """The payload, read."""
        read: dict[str, object] = json.loads(self.json)
        return read


UNSENT: LiteralString = """
    SELECT o.id, o.channel, o.message_id::text, o.name, p.name AS profile, o.subject, o.sequence, o.payload::text,
           o.correlation_id::text, o.occurred_at
      FROM outbox o LEFT JOIN profile p ON p.id = o.profile_id
     WHERE o.sent_at IS NULL AND o.not_before <= %s AND o.id NOT IN (SELECT unnest(%s::bigint[]))
     ORDER BY o.sent_at, o.id LIMIT %s"""


def _outgoing(_cursor: AsyncCursor[Any]) -> Callable[[Sequence[Any]], Outgoing]:
    return Outgoing._make


async def add_command(
    connection: Connection, command: Command, *, profile_id: int, now: datetime, not_before: datetime | None = None
) -> None:
    """Have the relay send `command`, not before `not_before`."""
    await connection.execute(
        """INSERT INTO outbox (channel, name, profile_id, payload, correlation_id, occurred_at, not_before)
           VALUES ('command', %s, %s, %s, %s, %s, coalesce(%s::timestamptz, '-infinity'))""",
        [
            command.actor,
            profile_id,
            Jsonb(command.model_dump(mode="json")),
            command.correlation_id,
            now,
            not_before,
        ],
    )


async def say(
    connection: Connection,
    event: Event,
    *,
    subject: str,
    profile_id: int | None,
    correlation_id: UUID,
    now: datetime,
) -> int:
    """Say that something happened to `subject`; return the event's sequence for it.

    The sequence is taken under the subject's row lock, so it has no gaps and no repeats once committed.
    """
    cursor = await connection.execute(
        """WITH next AS (
               INSERT INTO event_subject AS s (subject, sequence) VALUES (%(subject)s, 1)
               ON CONFLICT (subject) DO UPDATE SET sequence = s.sequence + 1
               RETURNING sequence)
           INSERT INTO outbox (channel, name, profile_id, subject, sequence, payload, correlation_id, occurred_at)
           SELECT 'event', %(name)s, %(profile_id)s, %(subject)s, sequence, %(payload)s, %(correlation_id)s, %(now)s
             FROM next
           RETURNING sequence""",
        {
            "subject": subject,
            "name": type(event).__name__,
            "profile_id": profile_id,
            "payload": Jsonb(event.model_dump(mode="json")),
            "correlation_id": correlation_id,
            "now": now,
        },
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def unsent(connection: Connection, *, limit: int, now: datetime, but_not: Sequence[int] = ()) -> list[Outgoing]:
    """Return the oldest messages that are due and not sent, without those that are being sent or rest.

    On the connection that leads it walks `outbox_unsent`, the only index with this order, and stops at the limit. What
    is left out is looked up in a hash: `<> ALL` would compare each row with each id.
    """
    async with connection.cursor(row_factory=_outgoing, binary=True) as cursor:
        await cursor.execute(UNSENT, [now, list(but_not), limit])
        return await cursor.fetchall()


async def mark_sent(connection: Connection, ids: Sequence[int], now: datetime) -> None:
    """Remember that the broker confirmed these messages."""
    await connection.execute("UPDATE outbox SET sent_at = %s WHERE id = ANY (%s)", [now, list(ids)])


async def lag(connection: Connection, now: datetime) -> tuple[int, float]:
    """Return how many messages wait, and the age of the oldest due one in seconds."""
    cursor = await connection.execute(
        """SELECT count(*), coalesce(extract(epoch FROM %(now)s - min(greatest(occurred_at,
                  CASE WHEN not_before = '-infinity' THEN occurred_at ELSE not_before END))), 0)::float8
             FROM outbox WHERE sent_at IS NULL AND not_before <= %(now)s""",
        {"now": now},
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0]), max(0.0, float(row[1]))


async def lead(connection: Connection) -> bool:
    """Become the one relay that sends, for as long as this connection lives; False if another one is.

    It asks and never waits: a statement that waits holds a snapshot, which keeps vacuum from its work. From then on the
    planner sorts nothing on this connection: when it believes that few messages wait, as it does just after a large
    transaction, it would sort all of them for each reading.
    """
    cursor = await connection.execute("SELECT pg_try_advisory_lock(hashtext('seatkeeper relay'), 1)")
    row = await cursor.fetchone()
    if not (row and row[0]):
        return False
    await connection.execute("SET enable_sort = off")
    return True


async def added(connection: Connection) -> AsyncGenerator[None]:
    """Yield once, and then whenever messages were committed to the outbox; the connection does nothing else."""
    await connection.execute("LISTEN outbox")
    yield None
    async for _ in connection.notifies():
        yield None
