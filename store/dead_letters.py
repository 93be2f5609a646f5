"""Dead letters: commands that could not be carried out, kept where an operator can look at them and start again.

RabbitMQ forgets them after seven days; here they stay.
"""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg import sql
from psycopg.rows import class_row

from messages.commands import COMMANDS, Command
from messages.encoder import LARGEST_ENVELOPE, read_envelope
from messages.errors import EnvelopeError
from store import cycles, endings, runs
from store.connect import Connection
from store.requests import printable
from store.runs import Order

_SELECT = sql.SQL("SELECT id, queue, body, reason, died_at, replayed_at, replayed_by FROM dead_letter ")


class ReplayRefused(Exception):
    """This dead letter cannot be replayed; the sentence says why."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One dead letter; `body` is what lay in the queue, its first 256 KiB."""

    id: int
    queue: str
    body: bytes
    reason: str
    died_at: datetime
    replayed_at: datetime | None
    replayed_by: str | None


async def keep(connection: Connection, queue: str, body: bytes, headers: Mapping[str, object], now: datetime) -> bool:
    """Keep a dead letter and fail the run that waited for it, in the caller's transaction; False if it was kept before.

    A run that went on without this message (its slice is behind) is left alone. May raise store.endings.Fenced.
    """
    command, reason = _read(body, headers)
    kept = await connection.execute(
        """INSERT INTO dead_letter (queue, body, body_sha256, reason, died_at) VALUES (%s, %s, %s, %s, %s)
           ON CONFLICT (queue, body_sha256) DO NOTHING""",
        [queue, body[:LARGEST_ENVELOPE], hashlib.sha256(body).digest(), reason, now],
    )
    if command is not None:
        await endings.give_up(connection, command.run_id, command.slice, f"its command died: {reason}", now)
    return kept.rowcount == 1


def _read(body: bytes, headers: Mapping[str, object]) -> tuple[Command | None, str]:
    """Return the command, if it is one, and why it died."""
    try:
        fields = read_envelope(body, time.time())
    except EnvelopeError as error:
        return None, printable(f"it is not a command of ours: {error}")
    command = _command(fields)
    options = fields["options"]
    assert isinstance(options, dict)
    traceback = str(options.get("traceback", "")).strip()
    if traceback:
        return command, printable(traceback.splitlines()[-1])
    return command, printable(f"{_death(headers)}, after {options.get('retries', 0)} retries")


def _command(fields: Mapping[str, object]) -> Command:
    return COMMANDS[str(fields["actor_name"])].model_validate(fields["kwargs"])


def _death(headers: Mapping[str, object]) -> str:
    """Return RabbitMQ's own word on why it put the message here."""
    deaths = headers.get("x-death")
    first = deaths[0] if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict) else {}
    reason = first.get("reason", "rejected")
    return {"rejected": "its worker gave it up", "expired": "it expired in the queue"}.get(
        str(reason), f"RabbitMQ says {reason}"
    )


async def replay(connection: Connection, dead_letter_id: int, by: str, now: datetime) -> UUID:
    """Order what a dead letter asked for again, in the caller's transaction; return the new run's id.

    A run that was failed by its dead letter stays failed: what is ordered is a fresh run of the same kind (and plan).
    Raises ReplayRefused.
    """
    letter = await get(connection, dead_letter_id, lock=True)
    if letter is None:
        raise ReplayRefused(f"there is no dead letter {dead_letter_id}")
    if letter.replayed_at is not None:
        raise ReplayRefused(f"it was replayed by {letter.replayed_by} at {letter.replayed_at:%Y-%m-%d %H:%M} UTC")
    order = await _order(connection, letter, by)
    run_id = await cycles.add(connection, order, now)
    await connection.execute(
        "UPDATE dead_letter SET replayed_at = %s, replayed_by = %s WHERE id = %s", [now, by, dead_letter_id]
    )
    return run_id


async def _order(connection: Connection, letter: DeadLetter, by: str) -> Order:
    try:
        command = _command(read_envelope(letter.body, time.time()))
    except EnvelopeError as error:
        raise ReplayRefused(f"it can only be looked at: {error}") from None
    run = await runs.get(connection, command.run_id)
    if run is None:
        raise ReplayRefused(f"its run {command.run_id} does not exist")
    if run.state in {"queued", "running"}:
        raise ReplayRefused(f"its run {run.id} is under way without it")
    return Order(
        profile_id=run.profile_id,
        kind=run.kind,
        requested_by=f"replay of dead letter {letter.id} by {by}",
        plan_hash=run.plan_hash,
    )


async def get(connection: Connection, dead_letter_id: int, *, lock: bool = False) -> DeadLetter | None:
    """Return one dead letter, its row locked until the end of the transaction if `lock`."""
    query = _SELECT + sql.SQL("WHERE id = %s" + (" FOR UPDATE" if lock else ""))
    async with connection.cursor(row_factory=class_row(DeadLetter)) as cursor:
        await cursor.execute(query, [dead_letter_id])
        return await cursor.fetchone()


async def recent(connection: Connection, *, limit: int = 100) -> list[DeadLetter]:
    """Return the newest dead letters first."""
    async with connection.cursor(row_factory=class_row(DeadLetter)) as cursor:
        await cursor.execute(_SELECT + sql.SQL("ORDER BY id DESC LIMIT %s"), [limit])
        return await cursor.fetchall()
