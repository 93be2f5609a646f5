"""The figures that monitoring shows, read from Postgres at the moment of asking.

Counting rows instead of counting in each process: the figures are right after every restart, and the same from
whichever process they are asked.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from psycopg.rows import TupleRow

from store import outbox
from store.connect import Connection


@dataclass(frozen=True, slots=True)
class Figures:
    """What is true at one moment. Ages are seconds."""

    runs: dict[tuple[str, str], int]
    """By kind and state."""
    outbox_waiting: int
    outbox_age: float
    budget: dict[tuple[str, str], float]
    """By connection and kind of credential: the share of the coming minute's requests that is not given out yet."""
    removals: dict[str, int]
    """By state."""
    quarantined: int
    dead_letters: int
    """Those that were not replayed."""


async def read(connection: Connection, now: datetime) -> Figures:
    """Read all figures as of `now`."""
    waiting, age = await outbox.lag(connection, now)
    return Figures(
        runs={
            (str(kind), str(state)): int(count)
            for kind, state, count in await _rows(connection, "SELECT kind, state, count(*) FROM run GROUP BY 1, 2")
        },
        outbox_waiting=waiting,
        outbox_age=age,
        budget=await _budget(connection, now),
        removals={
            str(state): int(count)
            for state, count in await _rows(connection, "SELECT state, count(*) FROM removal GROUP BY 1")
        },
        quarantined=await _count(connection, "SELECT count(*) FROM quarantine"),
        dead_letters=await _count(connection, "SELECT count(*) FROM dead_letter WHERE replayed_at IS NULL"),
    )


async def _budget(connection: Connection, now: datetime) -> dict[tuple[str, str], float]:
    cursor = await connection.execute(
        """SELECT c.alias, r.kind,
                  1 - least(1, greatest(0, extract(epoch FROM greatest(r.theoretical_arrival, %(now)s) - %(now)s) / 60))
             FROM credential r JOIN connection c ON c.id = r.connection_id
            WHERE c.requests_per_minute IS NOT NULL""",
        {"now": now},
    )
    return {(str(alias), str(kind)): float(left) for alias, kind, left in await cursor.fetchall()}


async def _rows(connection: Connection, query: LiteralString) -> list[TupleRow]:
    cursor = await connection.execute(query)
    return await cursor.fetchall()


async def _count(connection: Connection, query: LiteralString) -> int:
    rows = await _rows(connection, query)
    return int(rows[0][0])
