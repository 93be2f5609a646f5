"""Events of what was bought, and of the license position."""

from datetime import datetime
from uuid import UUID

from messages.events.base import Event, SoftwareModel


class EntitlementChanged(Event):
    """Rights were bought, or a line of them was changed."""

    profile: str
    entitlement_id: int
    software_model: SoftwareModel
    quantity: int
    unit_cost: str
    currency: str
    starts_on: str
    ends_on: str | None


class ReconciliationCompleted(Event):
    """The license position of one software model, as of one moment."""

    profile: str
    run_id: UUID
    software_model: SoftwareModel
    scope: str
    as_of: datetime
    owned: int
    used: int
    available: int
    needed: int
    true_up_cost: str
    over_licensed_amount: str
    potential_savings: str
    currency: str
    compliant: bool
    previous_run_id: UUID | None


class ReconciliationFailed(Event):
    """The license position could not be computed; the last one stands, with its date."""

    profile: str
    run_id: UUID
    reason: str
