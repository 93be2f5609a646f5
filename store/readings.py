"""What an operator reads: events as they were said, and rows found by the beginning of their id."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg import sql
from psycopg.rows import class_row, dict_row

from store.connect import Connection
from store.naming import NAMED


@dataclass(frozen=True, slots=True)
class Said:
    """One event of the record; `sequence` is its place among the events of its subject."""

    id: int
    message_id: UUID
    name: str
    profile: str | None
    subject: str
    sequence: int
    payload: dict[str, object]
    correlation_id: UUID
    occurred_at: datetime
    sent_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which events to read; a field that is None asks for all."""

    profile: str | None = None
    name: str | None = None
    subject: str | None = None
    since: datetime | None = None


async def newest_events(connection: Connection, wanted: Wanted, limit: int) -> list[Said]:
    """Return the last events, oldest first."""
    newest = await _events(connection, wanted, after=0, but_not=(), order="DESC", limit=limit)
    return newest[::-1]


async def events_after(connection: Connection, wanted: Wanted, after: int, but_not: Sequence[int]) -> list[Said]:
    """Return events with higher ids than `after` that are not among `but_not`, oldest first.

    Ids are given before commits, so a lower one can show up later: whoever follows asks again from some way back and
    names what it has seen.
    """
    return await _events(connection, wanted, after=after, but_not=but_not, order="ASC", limit=1000)


async def _events(
    connection: Connection, wanted: Wanted, *, after: int, but_not: Sequence[int], order: str, limit: int
) -> list[Said]:
    query = f"""SELECT o.id, o.message_id, o.name, p.name AS profile, o.subject, o.sequence, o.payload,
                       o.correlation_id, o.occurred_at, o.sent_at
                  FROM outbox o LEFT JOIN profile p ON p.id = o.profile_id
                 WHERE o.channel = 'event' AND o.id > %(after)s AND o.id <> ALL (%(but_not)s::bigint[])
                   AND (%(profile)s::text IS NULL OR {NAMED} = %(profile)s)
                   AND (%(name)s::text IS NULL OR o.name = %(name)s)
                   AND (%(subject)s::text IS NULL OR o.subject = %(subject)s)
                   AND (%(since)s::timestamptz IS NULL OR o.occurred_at >= %(since)s)
                 ORDER BY o.id {"DESC" if order == "DESC" else "ASC"} LIMIT %(limit)s"""  # noqa: S608 - one of two words
    async with connection.cursor(row_factory=class_row(Said)) as cursor:
        await cursor.execute(
            query.encode(),
            {
                "after": after,
                "but_not": list(but_not),
                "profile": wanted.profile,
                "name": wanted.name,
                "subject": wanted.subject,
                "since": wanted.since,
                "limit": limit,
            },
        )
        return await cursor.fetchall()


async def runs_that_begin(connection: Connection, prefix: str) -> list[UUID]:
    """Return up to two runs whose id begins like `prefix` (hexadecimal digits and hyphens)."""
    cursor = await connection.execute("SELECT id FROM run WHERE id::text LIKE %s || '%%' LIMIT 2", [prefix])
    return [row[0] for row in await cursor.fetchall()]


async def plans_that_begin(connection: Connection, prefix: str) -> list[str]:
    """Return up to two plans whose hash begins like `prefix` (hexadecimal digits)."""
    cursor = await connection.execute("SELECT hash FROM plan WHERE hash LIKE %s || '%%' LIMIT 2", [prefix])
    return [row[0] for row in await cursor.fetchall()]


async def user_gids(connection: Connection, profile_id: int, person: str) -> list[str]:
    """Return the gids of up to two people of a profile who have this gid, e-mail or subscription id."""
    cursor = await connection.execute(
        """SELECT s.user_gid FROM subscription s LEFT JOIN person n USING (profile_id, user_gid)
            WHERE s.profile_id = %(profile)s
              AND (s.user_gid = %(person)s OR lower(n.email) = lower(%(person)s) OR s.id::text = %(person)s) LIMIT 2""",
        {"profile": profile_id, "person": person},
    )
    return [row[0] for row in await cursor.fetchall()]


async def profiles_on(connection: Connection, connection_id: int) -> list[str]:
    """Return the names of the living profiles that use a connection to Asana."""
    cursor = await connection.execute(
        "SELECT name FROM profile WHERE connection_id = %s AND status <> 'deleted' ORDER BY name", [connection_id]
    )
    return [row[0] for row in await cursor.fetchall()]


async def rule_of(connection: Connection, profile_id: int) -> dict[str, object] | None:
    """Return the reclamation rule of the paid seat as a document."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """SELECT software_model, threshold_days, evidence, notify FROM reclamation_rule
                WHERE profile_id = %s AND software_model = 'member'""",
            [profile_id],
        )
        return await cursor.fetchone()


async def schedule_of(connection: Connection, profile_id: int) -> dict[str, object] | None:
    """Return when the profile's cycle runs, as a document."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """SELECT cron, time_zone, enabled, next_due_at, last_due_at FROM schedule
                WHERE profile_id = %s AND kind = 'cycle'""",
            [profile_id],
        )
        return await cursor.fetchone()


@dataclass(frozen=True, slots=True)
class Application:
    """The OAuth application of a connection, which a child alias has from its parent; and its service account."""

    client_id: str | None
    parent: str | None
    service_account: str | None
    """The state of that credential; None if there is none."""


async def application_of(connection: Connection, connection_id: int) -> Application:
    """Return which application a connection stands on, never with a secret."""
    async with connection.cursor(row_factory=class_row(Application)) as cursor:
        await cursor.execute(
            """SELECT coalesce(c.client_id, parent.client_id) AS client_id, parent.alias AS parent,
                      (SELECT r.state FROM credential r
                        WHERE r.connection_id = c.id AND r.kind = 'service_account') AS service_account
                 FROM connection c LEFT JOIN connection parent ON parent.id = c.parent_id WHERE c.id = %s""",
            [connection_id],
        )
        application = await cursor.fetchone()
    assert application is not None
    return application


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A request that was refused; `body` is its first 64 KiB as it came, of `body_bytes` in all."""

    id: int
    received_at: datetime
    request_id: UUID | None
    reason: str
    body: bytes
    body_bytes: int


_QUARANTINE = sql.SQL("SELECT id, received_at, request_id, reason, body, body_bytes FROM quarantine ")


async def quarantined(connection: Connection, limit: int) -> list[Quarantined]:
    """Return the newest refused requests first."""
    async with connection.cursor(row_factory=class_row(Quarantined)) as cursor:
        await cursor.execute(_QUARANTINE + sql.SQL("ORDER BY id DESC LIMIT %s"), [limit])
        return await cursor.fetchall()


async def quarantined_request(connection: Connection, number: int) -> Quarantined | None:
    """Return one refused request."""
    async with connection.cursor(row_factory=class_row(Quarantined)) as cursor:
        await cursor.execute(_QUARANTINE + sql.SQL("WHERE id = %s"), [number])
        return await cursor.fetchone()
