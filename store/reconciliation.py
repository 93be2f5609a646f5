"""The license position: computed by one SQL program (`reconciliation.sql`), kept for ever, said as it is."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from psycopg.rows import class_row

from messages.events import ReconciliationCompleted, ReconciliationFailed
from store.connect import Connection
from store.naming import NAMED
from store.outbox import say
from store.runs import Run

_RECONCILIATION = Path(__file__).with_name("reconciliation.sql").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Position:
    """The license position of one software model; amounts are in `currency`."""

    profile: str
    run_id: UUID
    software_model: str
    as_of: datetime
    owned: int
    used: int
    available: int
    needed: int
    average_unit_cost: Decimal
    true_up_cost: Decimal
    over_licensed_amount: Decimal
    potential_savings: Decimal
    currency: str
    compliant: bool


_POSITION = """SELECT p.name AS profile, r.run_id, r.software_model, r.as_of, r.owned, r.used, r.available, r.needed,
                      r.average_unit_cost, r.true_up_cost, r.over_licensed_amount, r.potential_savings, r.currency,
                      r.compliant """


async def reconcile(connection: Connection, run: Run, now: datetime) -> list[Position]:
    """Compute the position of each paid software model of the run's profile, and say it."""
    await connection.execute(
        "SELECT set_config('seatkeeper.run', %s, true), set_config('seatkeeper.now', %s, true)",
        [str(run.id), now.isoformat()],
    )
    await connection.execute(_RECONCILIATION.encode())
    async with connection.cursor(row_factory=class_row(Position)) as cursor:
        await cursor.execute(
            (
                _POSITION + "FROM reconciliation_result r JOIN profile p ON p.id = r.profile_id"
                " WHERE r.run_id = %s ORDER BY r.software_model"
            ).encode(),
            [run.id],
        )
        positions = await cursor.fetchall()
    for position in positions:
        await _say(connection, run, position, now)
    return positions


async def latest(connection: Connection, profile: str) -> list[Position]:
    """Return the newest position of each software model of a profile."""
    async with connection.cursor(row_factory=class_row(Position)) as cursor:
        await cursor.execute(
            (
                _POSITION + "FROM license_position r JOIN profile p ON p.id = r.profile_id"
                f" WHERE {NAMED} = %s ORDER BY r.software_model"
            ).encode(),
            [profile],
        )
        return await cursor.fetchall()


async def _say(connection: Connection, run: Run, position: Position, now: datetime) -> None:
    event = ReconciliationCompleted.model_validate(
        {
            "profile": position.profile,
            "run_id": run.id,
            "software_model": position.software_model,
            "scope": f"profile/{position.profile}",
            "as_of": position.as_of,
            "owned": position.owned,
            "used": position.used,
            "available": position.available,
            "needed": position.needed,
            "true_up_cost": str(position.true_up_cost),
            "over_licensed_amount": str(position.over_licensed_amount),
            "potential_savings": str(position.potential_savings),
            "currency": position.currency,
            "compliant": position.compliant,
            "previous_run_id": await _previous(connection, run, position.software_model),
        }
    )
    subject = f"position/{position.profile}/{position.software_model}"
    await say(
        connection,
        event,
        subject=subject,
        profile_id=run.profile_id,
        correlation_id=run.correlation_id,
        now=now,
    )


async def _previous(connection: Connection, run: Run, software_model: str) -> UUID | None:
    cursor = await connection.execute(
        """SELECT run_id FROM reconciliation_result
            WHERE profile_id = %s AND software_model = %s AND run_id <> %s ORDER BY as_of DESC LIMIT 1""",
        [run.profile_id, software_model, run.id],
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def say_failed(connection: Connection, run: Run, reason: str, now: datetime) -> None:
    """Say that the position could not be computed."""
    event = ReconciliationFailed(profile=run.profile, run_id=run.id, reason=reason)
    await say(
        connection,
        event,
        subject=f"position/{run.profile}",
        profile_id=run.profile_id,
        correlation_id=run.correlation_id,
        now=now,
    )
