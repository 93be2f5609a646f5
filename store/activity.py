"""Activity: each person's acts as they were seen, and which window was seen completely.

Coverage is a set of intervals for each person and source. A gap stays a gap until a pull has seen it: the next pull of
a person goes on from the end of the first unbroken window, a day earlier, and closes what it can.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

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
    async with connection.cursor() as cursor:
        acts = [
            (profile_id, a.asked.subscription_id, SOURCE, a.act, a.acted_at, a.proof, now)
            for a in answers
            if a.act is not None
        ]
        if acts:
            await cursor.executemany(
                """INSERT INTO observation (profile_id, subscription_id, source, act, acted_at, proof, seen_at)
                   VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING""",
                acts,
            )
        whole = [(a, a.asked.since, until) for a in answers if a.trouble is None and a.asked.since < until]
        await cursor.executemany(
            """INSERT INTO coverage AS c (profile_id, subscription_id, source, covered, pulled_at)
               VALUES (%s, %s, %s, tstzmultirange(tstzrange(%s, %s, '[]')), %s)
               ON CONFLICT (profile_id, subscription_id, source) DO UPDATE
               SET covered = c.covered + excluded.covered, pulled_at = excluded.pulled_at, trouble = NULL""",
            [(profile_id, a.asked.subscription_id, SOURCE, since, end, now) for a, since, end in whole],
        )
        await cursor.executemany(
            """INSERT INTO coverage AS c (profile_id, subscription_id, source, covered, pulled_at, trouble)
               VALUES (%s, %s, %s, '{}', %s, %s)
               ON CONFLICT (profile_id, subscription_id, source) DO UPDATE
               SET pulled_at = excluded.pulled_at, trouble = excluded.trouble""",
            [(profile_id, a.asked.subscription_id, SOURCE, now, a.trouble) for a in answers if a.trouble is not None],
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
