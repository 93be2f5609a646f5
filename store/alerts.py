"""Alerts: what somebody has to look at, kept until a channel took it.

What is alarming is asked for by what has no alert yet, over the last seven days, and never by `id > last`: an event
that was committed late would be skipped. Whoever takes alerts to send them puts off the next try in the same statement,
so that two schedulers do not send one twice, and a killed one leaves it to be tried again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.rows import class_row

from store.connect import Connection

LOOK_BACK = timedelta(days=7)
"""How old an event may be that becomes an alert."""
TRY_FOR = timedelta(days=1)
"""How long an alert is tried again after it was raised."""
SHORTEST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=2)
"""Between two tries; each pause is twice the one before."""


@dataclass(frozen=True, slots=True)
class Alarming:
    """An event that has no alert yet. `run_id` and `kind` are of a failed run, `alias` of a lost connection."""

    message_id: str
    name: str
    profile_id: int | None
    profile: str | None
    run_id: str | None
    kind: str | None
    alias: str | None
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Uncovered:
    """A profile whose activity was not read for too long: since its last finished pull began, or its publication."""

    profile_id: int
    profile: str
    since: datetime


@dataclass(frozen=True, slots=True)
class New:
    """An alert to be kept; `about` tells it from all others."""

    profile_id: int | None
    kind: str
    about: str
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as it is kept; all times aware."""

    id: int
    profile_id: int | None
    kind: str
    title: str
    body: str
    raised_at: datetime
    next_try_at: datetime
    tries: int
    trouble: str | None
    sent_at: datetime | None
    given_up_at: datetime | None


async def alarming(connection: Connection, now: datetime, *, limit: int = 500) -> list[Alarming]:
    """Return events of the last seven days that have no alert, oldest first."""
    async with connection.cursor(row_factory=class_row(Alarming)) as cursor:
        await cursor.execute(
            """SELECT o.message_id::text, o.name, o.profile_id, p.name AS profile, o.payload ->> 'run_id' AS run_id,
                      o.payload ->> 'kind' AS kind, o.payload ->> 'connection' AS alias, o.occurred_at
                 FROM outbox o LEFT JOIN profile p ON p.id = o.profile_id
                WHERE o.name IN ('RunFailed', 'ConnectionLost') AND o.channel = 'event' AND o.occurred_at > %s
                  AND NOT EXISTS (SELECT FROM alert a WHERE a.about = o.message_id::text)
                ORDER BY o.occurred_at, o.id LIMIT %s""",
            [now - LOOK_BACK, limit],
        )
        return await cursor.fetchall()


async def uncovered(connection: Connection, now: datetime, *, longer_than: timedelta) -> list[Uncovered]:
    """Return the published profiles with activity switched on that were not read for that long."""
    async with connection.cursor(row_factory=class_row(Uncovered)) as cursor:
        await cursor.execute(
            """SELECT p.id AS profile_id, p.name AS profile, greatest(p.published_at, last.began) AS since
                 FROM profile p
                CROSS JOIN LATERAL (SELECT max(r.started_at) AS began FROM run r
                                     WHERE r.profile_id = p.id AND r.kind = 'activity' AND r.state = 'finished') last
                WHERE p.status = 'published' AND p.activity_enabled
                  AND greatest(p.published_at, last.began) < %s
                ORDER BY p.id""",
            [now - longer_than],
        )
        return await cursor.fetchall()


async def add(connection: Connection, alerts: Iterable[New], now: datetime) -> int:
    """Keep alerts that there are not yet, due at once; return how many."""
    added = 0
    for alert in alerts:
        done = await connection.execute(
            """INSERT INTO alert (profile_id, kind, about, title, body, raised_at, next_try_at)
               VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (about) DO NOTHING""",
            [alert.profile_id, alert.kind, alert.about, alert.title, alert.body, now, now],
        )
        added += done.rowcount
    return added


async def take(connection: Connection, now: datetime, *, apart: timedelta, limit: int = 1000) -> list[Alert]:
    """Take the alerts that are due, and put off their next try; none while another message is younger than `apart`."""
    async with connection.cursor(row_factory=class_row(Alert)) as cursor:
        await cursor.execute(
            """WITH due AS MATERIALIZED (
                   SELECT id FROM alert
                    WHERE sent_at IS NULL AND given_up_at IS NULL AND next_try_at <= %(now)s
                      AND NOT EXISTS (SELECT FROM alert WHERE sent_at > %(now)s - %(apart)s)
                    ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
               UPDATE alert a
                  SET tries = tries + 1,
                      next_try_at = %(now)s + least(%(longest)s, %(shortest)s * power(2, least(tries, 20)))
                 FROM due WHERE a.id = due.id
            RETURNING a.id, profile_id, kind, title, body, raised_at, next_try_at, tries, trouble, sent_at,
                      given_up_at""",
            {"now": now, "apart": apart, "limit": limit, "shortest": SHORTEST_PAUSE, "longest": LONGEST_PAUSE},
        )
        return sorted(await cursor.fetchall(), key=lambda alert: alert.id)


async def settle(connection: Connection, ids: Sequence[int], *, trouble: str | None, sent: bool, now: datetime) -> None:
    """Write down what became of a try: sent, or why not; `trouble` of a channel is kept in both cases."""
    await connection.execute(
        "UPDATE alert SET trouble = %s, sent_at = CASE WHEN %s THEN %s::timestamptz END"
        " WHERE id = ANY(%s) AND sent_at IS NULL AND given_up_at IS NULL",
        [trouble, sent, now, list(ids)],
    )


async def give_up(connection: Connection, now: datetime) -> list[int]:
    """Give up on alerts that were tried for a day; return their numbers."""
    cursor = await connection.execute(
        """UPDATE alert SET given_up_at = %s
            WHERE sent_at IS NULL AND given_up_at IS NULL AND tries > 0 AND raised_at < %s RETURNING id""",
        [now, now - TRY_FOR],
    )
    return sorted(int(row[0]) for row in await cursor.fetchall())


async def newest(connection: Connection, limit: int) -> list[Alert]:
    """Return the newest alerts, newest first."""
    async with connection.cursor(row_factory=class_row(Alert)) as cursor:
        await cursor.execute(
            """SELECT id, profile_id, kind, title, body, raised_at, next_try_at, tries, trouble, sent_at, given_up_at
                 FROM alert ORDER BY id DESC LIMIT %s""",
            [limit],
        )
        return await cursor.fetchall()


async def count(connection: Connection) -> dict[str, int]:
    """Return how many alerts wait, were sent, and were given up on."""
    cursor = await connection.execute(
        """SELECT count(*) FILTER (WHERE sent_at IS NULL AND given_up_at IS NULL),
                  count(sent_at), count(given_up_at) FROM alert"""
    )
    row = await cursor.fetchone()
    assert row is not None
    return {"waiting": int(row[0]), "sent": int(row[1]), "given_up": int(row[2])}
