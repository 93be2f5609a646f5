"""Entitlements: the rights that were bought, which reconciliation compares with the seats in use."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import uuid4

from psycopg.rows import class_row

from messages.events import EntitlementChanged, SoftwareModel
from store.connect import Connection
from store.outbox import say
from store.profiles import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """What an operator says about rights that were bought; `ends_on` is the last day, None without an end."""

    software_model: SoftwareModel
    quantity: int
    unit_cost: Decimal
    starts_on: date
    ends_on: date | None
    order_number: str | None


@dataclass(frozen=True, slots=True)
class Entitlement:
    """One line of rights; amounts are for one unit, in `currency`."""

    id: int
    software_model: SoftwareModel
    quantity: int
    unit_cost: Decimal
    currency: str
    starts_on: date
    ends_on: date | None
    order_number: str | None
    added_by: str
    added_at: datetime


async def add(connection: Connection, profile: Profile, purchase: Purchase, *, by: str, now: datetime) -> int:
    """Add a line of rights in the profile's currency, say so, and return its id.

    Raises psycopg.errors.ForeignKeyViolation where the profile was never published: it has no software models.
    """
    cursor = await connection.execute(
        """INSERT INTO entitlement (profile_id, software_model, quantity, unit_cost, currency, starts_on, ends_on,
                                    order_number, added_by, added_at)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id""",
        [
            profile.id,
            purchase.software_model,
            purchase.quantity,
            purchase.unit_cost,
            profile.currency,
            purchase.starts_on,
            purchase.ends_on,
            purchase.order_number,
            by,
            now,
        ],
    )
    row = await cursor.fetchone()
    assert row is not None
    event = _changed(profile, int(row[0]), purchase)
    await say(
        connection,
        event,
        subject=f"entitlement/{row[0]}",
        profile_id=profile.id,
        correlation_id=uuid4(),
        now=now,
    )
    return int(row[0])


def _changed(profile: Profile, entitlement_id: int, purchase: Purchase) -> EntitlementChanged:
    return EntitlementChanged(
        profile=profile.name,
        entitlement_id=entitlement_id,
        software_model=purchase.software_model,
        quantity=purchase.quantity,
        unit_cost=str(purchase.unit_cost),
        currency=profile.currency,
        starts_on=purchase.starts_on.isoformat(),
        ends_on=purchase.ends_on and purchase.ends_on.isoformat(),
    )


async def of_profile(connection: Connection, profile_id: int) -> list[Entitlement]:
    """Return a profile's entitlements, the earliest first."""
    async with connection.cursor(row_factory=class_row(Entitlement)) as cursor:
        await cursor.execute(
            """SELECT id, software_model, quantity, unit_cost, currency, starts_on, ends_on, order_number, added_by,
                      added_at
                 FROM entitlement WHERE profile_id = %s ORDER BY starts_on, id""",
            [profile_id],
        )
        return await cursor.fetchall()
