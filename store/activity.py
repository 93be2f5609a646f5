"""Activity: each person's acts as they were seen, and which window was seen completely.

Coverage is a set of intervals for each person and source. A gap stays a gap until a pull has seen it: the next pull of
a person goes on from the end of the first unbroken window, a day earlier, and closes what it can.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from psycopg.errors import UniqueViolation
from psycopg.rows import class_row

from messages.events import CoverageLost
from store.connect import Connection
from store.outbox import say
from store.runs import Run

SOURCE = "tasks"


@dataclass(frozen=True, slots=True)
class Asked:
    """A paid seat to ask about: since when, and the best act known so far (both aware)."""

    subscription_id: int
    user_gid: str
    since: datetime
    last_act_at: datetime | None


@dataclass(frozen=True, slots=True)
class Seen:
    """What a source answered for one person: the latest act in the window (or none), or why it could not tell."""

    asked: Asked
    act: str | None = None
    acted_at: datetime | None = None
    proof: str | None = None
    trouble: str | None = None


_ASKED = """SELECT s.id AS subscription_id, s.user_gid, l.acted_at AS last_act_at,
                   coalesce((SELECT upper(w) - interval '1 day' FROM unnest(c.covered) AS w
                              WHERE w @> p.analyze_activity_from),
                            p.analyze_activity_from) AS since
              FROM subscription s
              JOIN profile p ON p.id = s.profile_id
              LEFT JOIN coverage c ON (c.profile_id, c.subscription_id, c.source) = (s.profile_id, s.id, 'tasks')
              LEFT JOIN LATERAL (SELECT acted_at FROM observation o
                                  WHERE o.profile_id = s.profile_id AND o.subscription_id = s.id
                                  ORDER BY acted_at DESC LIMIT 1) AS l ON true
             WHERE s.profile_id = %(profile)s AND s.state = 'active' AND s.software_model = 'member' """


async def next_to_ask(connection: Connection, profile_id: int, *, after: int, limit: int) -> list[Asked]:
    """Return the next paid seats by id, with the window that each is to be asked about."""
    async with connection.cursor(row_factory=class_row(Asked)) as cursor:
        await cursor.execute(
            (_ASKED + "AND s.id > %(after)s ORDER BY s.id LIMIT %(limit)s").encode(),
            {"profile": profile_id, "after": after, "limit": limit},
        )
        return await cursor.fetchall()


async def ask_about(connection: Connection, profile_id: int, subscription_id: int) -> Asked | None:
    """Return one paid seat with its window, for the last look before a removal; None if it is none (any more)."""
    async with connection.cursor(row_factory=class_row(Asked)) as cursor:
        await cursor.execute(
            (_ASKED + "AND s.id = %(subscription)s").encode(),
            {"profile": profile_id, "subscription": subscription_id},
        )
        return await cursor.fetchone()


async def count_paid_seats(connection: Connection, profile_id: int) -> int:
    """Return how many people a pull has to ask about."""
    cursor = await connection.execute(
        "SELECT count(*) FROM subscription WHERE profile_id = %s AND state = 'active' AND software_model = 'member'",
        [profile_id],
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def record(
    connection: Connection, profile_id: int, answers: Sequence[Seen], *, until: datetime, now: datetime
) -> None:
    """Keep what was seen: acts are added, never moved; a window counts as covered only for a whole answer.

    `until` is a moment before the first question was sent: what happened later is not claimed.
    """
    acts = [
        (a.asked.subscription_id, a.act, a.acted_at, a.proof)
        for a in answers
        if a.act is not None and a.acted_at is not None and a.proof is not None
    ]
    await add_acts(connection, profile_id, acts, now)
    await _claim(
        connection, profile_id, [a for a in answers if a.trouble is None and a.asked.since < until], until, now
    )
    await _note_trouble(connection, profile_id, [a for a in answers if a.trouble is not None], now)


Row: TypeAlias = tuple[int, str, datetime, str]
"""One act: the subscription's id, what was done, when (aware), and the proof."""

_ADD = """INSERT INTO observation (profile_id, subscription_id, source, act, acted_at, proof, seen_at)
          SELECT %(profile)s, n.subscription_id, 'tasks', n.act, n.acted_at, n.proof, %(now)s
            FROM unnest(%(ids)b::bigint[], %(acts)b::text[], %(times)b::timestamptz[], %(proofs)b::text[])
                 AS n (subscription_id, act, acted_at, proof)
            LEFT JOIN LATERAL (SELECT true AS found FROM observation o
                                WHERE o.profile_id = %(profile)s AND o.subscription_id = n.subscription_id
                                  AND o.acted_at = n.acted_at AND o.source = 'tasks' LIMIT 1) AS known ON true
           WHERE known.found IS NULL"""


async def add_acts(connection: Connection, profile_id: int, acts: Sequence[Row], now: datetime) -> None:
    """Add the acts that are not known yet, in one statement; tens of thousands at a time are well.

    What is known is looked up first: an INSERT that expects a conflict writes each new row in two steps. Where the
    plain one meets an act that another transaction added since it looked, or one that is named twice here, it is done
    again and expects them. (LATERAL with LIMIT has Postgres look each act up in the key, whatever it thinks of sizes.)
    """
    if not acts:
        return
    ids, names, times, proofs = (list(column) for column in zip(*acts, strict=True))
    values = {"profile": profile_id, "now": now, "ids": ids, "acts": names, "times": times, "proofs": proofs}
    try:
        async with connection.transaction():
            await connection.execute(_ADD, values)
    except UniqueViolation:
        await connection.execute(_ADD + " ON CONFLICT DO NOTHING", values)


async def _claim(
    connection: Connection, profile_id: int, whole: Sequence[Seen], until: datetime, now: datetime
) -> None:
    if not whole:
        return
    await connection.execute(
        """INSERT INTO coverage AS c (profile_id, subscription_id, source, covered, pulled_at)
           SELECT %(profile)s, n.subscription_id, 'tasks', tstzmultirange(tstzrange(n.since, %(until)s, '[]')), %(now)s
             FROM unnest(%(ids)b::bigint[], %(since)b::timestamptz[]) AS n (subscription_id, since)
               ON CONFLICT (profile_id, subscription_id, source) DO UPDATE
              SET covered = c.covered + excluded.covered, pulled_at = excluded.pulled_at, trouble = NULL""",
        {
            "profile": profile_id,
            "until": until,
            "now": now,
            "ids": [answer.asked.subscription_id for answer in whole],
            "since": [answer.asked.since for answer in whole],
        },
    )


async def _note_trouble(connection: Connection, profile_id: int, refused: Sequence[Seen], now: datetime) -> None:
    if not refused:
        return
    await connection.execute(
        """INSERT INTO coverage AS c (profile_id, subscription_id, source, covered, pulled_at, trouble)
           SELECT %(profile)s, n.subscription_id, 'tasks', '{}', %(now)s, n.trouble
             FROM unnest(%(ids)b::bigint[], %(troubles)b::text[]) AS n (subscription_id, trouble)
               ON CONFLICT (profile_id, subscription_id, source) DO UPDATE
              SET pulled_at = excluded.pulled_at, trouble = excluded.trouble""",
        {
            "profile": profile_id,
            "now": now,
            "ids": [answer.asked.subscription_id for answer in refused],
            "troubles": [answer.trouble for answer in refused],
        },
    )


async def say_lost(connection: Connection, run: Run, answers: Sequence[Seen], now: datetime) -> None:
    """Say of each person whose answer was refused or odd that the source's coverage is lost for now."""
    for answer in answers:
        if answer.trouble is None:
            continue
        event = CoverageLost(
            profile=run.profile,
            subscription_id=answer.asked.subscription_id,
            user_gid=answer.asked.user_gid,
            source=SOURCE,
            reason=answer.trouble,
        )
        await say(
            connection,
            event,
            subject=f"subscription/{answer.asked.subscription_id}",
            profile_id=run.profile_id,
            correlation_id=run.correlation_id,
            now=now,
        )
