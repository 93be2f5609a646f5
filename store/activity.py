"""Activity: each person's acts as they were seen, and which window each source has seen completely.

Coverage is a set of intervals for each person and source. A gap stays a gap until a pull has seen it: the next question
about a person goes on from the end of the first unbroken window, a day earlier, and closes what it can. Acts and
windows are only ever added, so an answer that comes late, or twice, takes nothing away.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from psycopg.errors import UniqueViolation

from messages.events import CoverageLost
from rules.evidence import Source
from store.connect import Connection
from store.outbox import say
from store.runs import Run


@dataclass(frozen=True, slots=True)
class Lost:
    """Somebody of whom a source told nothing that can be believed, and why."""

    subscription_id: int
    user_gid: str
    source: Source
    trouble: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """A window that a source saw completely for one person; both ends are aware and belong to it."""

    subscription_id: int
    begin: datetime
    end: datetime


Row: TypeAlias = tuple[int, str, datetime, str]
"""One act: the subscription's id, what was done, when (aware), and the proof."""

_ADD = """INSERT INTO observation (profile_id, subscription_id, source, act, acted_at, proof, seen_at)
          SELECT %(profile)s, n.subscription_id, %(source)s, n.act, n.acted_at, n.proof, %(now)s
            FROM unnest(%(ids)b::bigint[], %(acts)b::text[], %(times)b::timestamptz[], %(proofs)b::text[])
                 AS n (subscription_id, act, acted_at, proof)
            LEFT JOIN LATERAL (SELECT true AS found FROM observation o
                                WHERE o.profile_id = %(profile)s AND o.subscription_id = n.subscription_id
                                  AND o.acted_at = n.acted_at AND o.source = %(source)s LIMIT 1) AS known ON true
           WHERE known.found IS NULL"""


async def add_acts(
    connection: Connection, profile_id: int, acts: Sequence[Row], now: datetime, *, source: Source = "tasks"
) -> None:
    """Add the acts that are not known yet, in one statement; tens of thousands at a time are well.

    What is known is looked up first: an INSERT that expects a conflict writes each new row in two steps. Where the
    plain one meets an act that another transaction added since it looked, or one that is named twice here, it is done
    again and expects them. (LATERAL with LIMIT has Postgres look each act up in the key, whatever it thinks of sizes.)
    """
    if not acts:
        return
    ids, names, times, proofs = (list(column) for column in zip(*acts, strict=True))
    values = {
        "profile": profile_id,
        "source": source,
        "now": now,
        "ids": ids,
        "acts": names,
        "times": times,
        "proofs": proofs,
    }
    try:
        async with connection.transaction():
            await connection.execute(_ADD, values)
    except UniqueViolation:
        await connection.execute(_ADD + " ON CONFLICT DO NOTHING", values)


async def claim(
    connection: Connection, profile_id: int, source: Source, windows: Sequence[Claimed], asked_at: datetime
) -> None:
    """Add what the source saw completely. `asked_at` is when it was asked; an older try hides no later trouble.

    An empty window claims nothing, but that the source was asked is kept: the run that asked asks no more.
    """
    if not windows:
        return
    await connection.execute(
        """INSERT INTO coverage AS c (profile_id, subscription_id, source, covered, pulled_at)
           SELECT %(profile)s, n.id, %(source)s,
                  coalesce(range_agg(tstzrange(n.first, n.last, '[]')) FILTER (WHERE n.first < n.last), '{}'),
                  %(asked_at)s
             FROM unnest(%(ids)b::bigint[], %(first)b::timestamptz[], %(last)b::timestamptz[]) AS n (id, first, last)
            GROUP BY n.id ORDER BY n.id
               ON CONFLICT (profile_id, subscription_id, source) DO UPDATE
              SET covered = c.covered + excluded.covered, pulled_at = greatest(c.pulled_at, excluded.pulled_at),
                  trouble = CASE WHEN excluded.pulled_at < c.pulled_at THEN c.trouble END""",
        {
            "profile": profile_id,
            "source": source,
            "asked_at": asked_at,
            "ids": [one.subscription_id for one in windows],
            "first": [one.begin for one in windows],
            "last": [one.end for one in windows],
        },
    )


async def note_trouble(
    connection: Connection, profile_id: int, source: Source, troubles: Mapping[int, str], asked_at: datetime
) -> None:
    """Keep, by subscription, why the last try told nothing; what was covered before stays."""
    if not troubles:
        return
    ids = sorted(troubles)
    await connection.execute(
        """INSERT INTO coverage AS c (profile_id, subscription_id, source, covered, pulled_at, trouble)
           SELECT %(profile)s, n.subscription_id, %(source)s, '{}', %(asked_at)s, n.trouble
             FROM unnest(%(ids)b::bigint[], %(troubles)b::text[]) AS n (subscription_id, trouble)
               ON CONFLICT (profile_id, subscription_id, source) DO UPDATE
              SET pulled_at = excluded.pulled_at, trouble = excluded.trouble
            WHERE excluded.pulled_at >= c.pulled_at""",
        {
            "profile": profile_id,
            "source": source,
            "asked_at": asked_at,
            "ids": ids,
            "troubles": [troubles[one] for one in ids],
        },
    )


async def say_lost(connection: Connection, run: Run, lost: Sequence[Lost], now: datetime) -> None:
    """Say of each person whose answer was refused or odd that the source's coverage is lost for now."""
    for one in lost:
        event = CoverageLost(
            profile=run.profile,
            subscription_id=one.subscription_id,
            user_gid=one.user_gid,
            source=one.source,
            reason=one.trouble,
        )
        await say(
            connection,
            event,
            subject=f"subscription/{one.subscription_id}",
            profile_id=run.profile_id,
            correlation_id=run.correlation_id,
            now=now,
        )
