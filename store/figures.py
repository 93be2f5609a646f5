"""The figures that monitoring shows, read from Postgres at the moment of asking.

Counting rows instead of counting in each process: the figures are right after every restart, and the same from
whichever process they are asked.
"""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from psycopg.rows import TupleRow

from store import outbox
from store.budget import DEPTH
from store.connect import Connection


@dataclass(frozen=True, slots=True)
class Figures:
    """What is true at one moment. Ages are seconds."""

    runs: dict[tuple[str, str], int]
    """By kind and state."""
    outbox_waiting: int
    outbox_age: float
    budget: dict[tuple[str, str], float]
    """By connection and kind of credential: the share not given out yet of the permits that may be; 0 is spent."""
    removals: dict[str, int]
    """By state."""
    credentials: dict[tuple[str, str, str], int]
    """By connection, kind and state: 1 each."""
    activity_age: dict[str, float]
    """By published profile: seconds since the last pull of activity began that finished; infinite without one."""
    quarantined: int
    dead_letters: int
    """Those that were not replayed."""


async def read(connection: Connection, now: datetime, *, longest_wait: float) -> Figures:
    """Read all figures as of `now`. `longest_wait` is what `budget.take` is called with, in seconds."""
    waiting, age = await outbox.lag(connection, now)
    return Figures(
        runs={
            (str(kind), str(state)): int(count)
            for kind, state, count in await _rows(connection, "SELECT kind, state, count(*) FROM run GROUP BY 1, 2")
        },
        outbox_waiting=waiting,
        outbox_age=age,
        budget=await _budget(connection, now, DEPTH + longest_wait),
        removals={
            str(state): int(count)
            for state, count in await _rows(connection, "SELECT state, count(*) FROM removal GROUP BY 1")
        },
        credentials={
            (str(alias), str(kind), str(state)): 1
            for alias, kind, state in await _rows(
                connection,
                "SELECT c.alias, r.kind, r.state FROM credential r JOIN connection c ON c.id = r.connection_id",
            )
        },
        activity_age=await _activity_age(connection, now),
        quarantined=await _count(connection, "SELECT count(*) FROM quarantine"),
        dead_letters=await _count(connection, "SELECT count(*) FROM dead_letter WHERE replayed_at IS NULL"),
    )


async def _budget(connection: Connection, now: datetime, furthest: float) -> dict[tuple[str, str], float]:
    cursor = await connection.execute(
        """SELECT c.alias, r.kind,
                  1 - least(1, extract(epoch FROM greatest(r.theoretical_arrival, %(now)s) - %(now)s) / %(furthest)s)
             FROM credential r JOIN connection c ON c.id = r.connection_id
            WHERE c.requests_per_minute IS NOT NULL""",
        {"now": now, "furthest": furthest},
    )
    return {(str(alias), str(kind)): float(left) for alias, kind, left in await cursor.fetchall()}


async def _activity_age(connection: Connection, now: datetime) -> dict[str, float]:
    cursor = await connection.execute(
        """SELECT p.name, extract(epoch FROM %(now)s - max(r.started_at))
             FROM profile p
             LEFT JOIN run r ON r.profile_id = p.id AND r.kind = 'activity' AND r.state = 'finished'
            WHERE p.status = 'published' AND p.activity_enabled GROUP BY p.id""",
        {"now": now},
    )
    return {str(name): math.inf if age is None else float(age) for name, age in await cursor.fetchall()}


async def _rows(connection: Connection, query: LiteralString) -> list[TupleRow]:
    cursor = await connection.execute(query)
    return await cursor.fetchall()


async def _count(connection: Connection, query: LiteralString) -> int:
    rows = await _rows(connection, query)
    return int(rows[0][0])
