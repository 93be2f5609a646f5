"""Browsers that were sent to Asana: who waits for which answer, and the answer that came to the page of `seats serve`.

A row is named by the SHA-256 of the state, so that whoever reads the table can answer for nobody. It takes one answer,
in its time; the command that waits takes it out, and its end removes the row in any case.
"""

from dataclasses import dataclass, field
from datetime import datetime

from psycopg.rows import class_row

from store.connect import Connection


@dataclass(frozen=True, slots=True)
class Answered:
    """Asana's answer: a sealed code, or why there is none."""

    code_sealed: bytes | None = field(repr=False)
    refusal: str | None


async def begin(connection: Connection, state_sha256: bytes, alias: str, now: datetime, expires_at: datetime) -> None:
    """Remember that an answer for this alias is waited for; what nobody waits for any more is forgotten."""
    await connection.execute("DELETE FROM authorization_request WHERE expires_at <= %s", [now])
    await connection.execute(
        "INSERT INTO authorization_request (state_sha256, alias, begun_at, expires_at) VALUES (%s, %s, %s, %s)",
        [state_sha256, alias, now, expires_at],
    )


async def alias_waiting(connection: Connection, state_sha256: bytes, now: datetime) -> str | None:
    """Return the alias that waits for the answer with this state; None if nobody does, or it has its answer."""
    cursor = await connection.execute(
        "SELECT alias FROM authorization_request WHERE state_sha256 = %s AND answered_at IS NULL AND expires_at > %s",
        [state_sha256, now],
    )
    row = await cursor.fetchone()
    return None if row is None else str(row[0])


async def answer(connection: Connection, state_sha256: bytes, answered: Answered, now: datetime) -> bool:
    """Keep the answer and return True; False if it has one already, or its time is over."""
    done = await connection.execute(
        """UPDATE authorization_request SET answered_at = %(now)s, code_sealed = %(code)s, refusal = %(refusal)s
            WHERE state_sha256 = %(state)s AND answered_at IS NULL AND expires_at > %(now)s""",
        {"now": now, "code": answered.code_sealed, "refusal": answered.refusal, "state": state_sha256},
    )
    return done.rowcount == 1


async def take(connection: Connection, state_sha256: bytes) -> Answered | None:
    """Return the answer and forget it; None as long as there is none."""
    async with connection.cursor(row_factory=class_row(Answered)) as cursor:
        await cursor.execute(
            """DELETE FROM authorization_request WHERE state_sha256 = %s AND answered_at IS NOT NULL
               RETURNING code_sealed, refusal""",
            [state_sha256],
        )
        return await cursor.fetchone()


async def end(connection: Connection, state_sha256: bytes) -> None:
    """Wait for this answer no more."""
    await connection.execute("DELETE FROM authorization_request WHERE state_sha256 = %s", [state_sha256])
