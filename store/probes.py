"""What `seats probe` found of our claims about Asana: the newest outcome of each, for each connection."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from psycopg.rows import class_row

from store.connect import Connection

Outcome = Literal["confirmed", "refuted", "unsettled"]


@dataclass(frozen=True, slots=True)
class Probe:
    """One claim as Asana was last seen: `seen` is a sentence without names, `asked_at` is aware."""

    claim: str
    outcome: Outcome
    seen: str
    asked_at: datetime


async def keep(connection: Connection, connection_id: int, found: Sequence[Probe]) -> None:
    """Keep what was found. A question that settled nothing this time takes no earlier answer away."""
    for one in found:
        await connection.execute(
            """INSERT INTO probe AS p (connection_id, claim, outcome, seen, asked_at) VALUES (%s, %s, %s, %s, %s)
               ON CONFLICT (connection_id, claim) DO UPDATE
                  SET outcome = excluded.outcome, seen = excluded.seen, asked_at = excluded.asked_at
                WHERE excluded.outcome <> 'unsettled' OR p.outcome = 'unsettled'""",
            [connection_id, one.claim, one.outcome, one.seen, one.asked_at],
        )


async def of_connection(connection: Connection, connection_id: int) -> dict[str, Probe]:
    """Return what is known of each claim through a connection, by the claim's id."""
    async with connection.cursor(row_factory=class_row(Probe)) as cursor:
        await cursor.execute(
            "SELECT claim, outcome, seen, asked_at FROM probe WHERE connection_id = %s ORDER BY claim", [connection_id]
        )
        return {one.claim: one for one in await cursor.fetchall()}
