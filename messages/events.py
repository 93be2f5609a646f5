"""Events: what happened, said to whoever listens. Past-tense names; a payload is enough to act on without asking us.

An event carries our subscription id and Asana's gid, never a name or an e-mail: names live in one table that can be
erased. Amounts are decimal strings beside their currency. Each event belongs to a subject (`subscription/17`,
`run/…`), and has a sequence for that subject, taken under the subject's row lock.
"""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from messages.kinds import RunKind

CandidateState = Literal[
    "attention_required",
    "ready",
    "awaiting_user",
    "awaiting_approval",
    "awaiting_revocation",
    "closed_complete",
    "closed_skipped",
    "closed_canceled",
]
SoftwareModel = Literal["member", "view_only", "guest"]


class Event(BaseModel):
    """The payload of one event; the class's name is the event's type."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: ClassVar[int] = 1


class RequestAccepted(Event):
    """A request was read and its run exists."""

    request_id: UUID
    run_id: UUID
    kind: RunKind
    profile: str


class RequestRefused(Event):
    """A request was put into the quarantine; `reason` says what to mend."""

    request_id: UUID | None
    quarantine_id: int
    reason: str


class _OfRun(Event):
    run_id: UUID
    kind: RunKind
    profile: str
    cycle_id: UUID | None


class RunStarted(_OfRun):
    """A run began its work."""


class RunFinished(_OfRun):
    """A run ended without failure: finished, coalesced into another active run, or not run (the reason says why)."""

    outcome: Literal["finished", "coalesced", "not_run"]
    counts: dict[str, int]
    reason: str | None
    coalesced_into: UUID | None = None


class RunFailed(_OfRun):
    """A run ended without its result; nobody became a candidate or is gone because of it."""

    counts: dict[str, int]
    reason: str


class ProfilePublished(Event):
    """The profile's schedule is on and its commands are accepted."""

    profile: str
    organization_gid: str


class ProfileUnpublished(Event):
    """The profile's commands are refused from now on."""

    profile: str


class ConnectionLost(Event):
    """Asana does not accept the connection's credential any more; an operator has to connect again."""

    connection: str
    reason: str


class ConnectionRestored(Event):
    """The connection has a working credential again."""

    connection: str


class SubscriptionsDownloaded(Event):
    """A complete download was compared with the last one."""

    profile: str
    run_id: UUID
    as_of: datetime
    counts: dict[str, int]


class _OfSubscription(Event):
    profile: str
    subscription_id: int
    user_gid: str


class SubscriptionFound(_OfSubscription):
    """A person has a seat that we did not know."""

    software_model: SoftwareModel
    is_admin: bool
    joined_at: datetime


class SubscriptionChanged(_OfSubscription):
    """The kind of seat or the role of the person changed; `changed` names the fields, from and to."""

    software_model: SoftwareModel
    is_admin: bool
    changed: dict[str, list[str | bool | None]]


class SubscriptionGone(_OfSubscription):
    """The person has no seat any more: missing from a complete listing and confirmed one by one."""

    gone_at: datetime


class SubscriptionReturned(_OfSubscription):
    """A person whose seat was gone has one again."""

    software_model: SoftwareModel
    is_admin: bool
    joined_at: datetime


class ActivityPulled(Event):
    """Every paid seat was asked about; `unknown` of the counts are people whose answer was refused or odd."""

    profile: str
    run_id: UUID
    as_of: datetime
    counts: dict[str, int]


class CoverageLost(_OfSubscription):
    """A source's answer for this person was refused or odd: until it is whole again, the person is kept."""

    source: str
    reason: str


class _OfCandidate(_OfSubscription):
    candidate_id: int


class CandidateFound(_OfCandidate):
    """A subscription met the reclamation rule, or nothing is known of it and an operator should look."""

    state: CandidateState
    why: str


class CandidateChanged(_OfCandidate):
    """A candidate went from one state to another."""

    state_from: CandidateState
    state_to: CandidateState
    by: str
    why: str


class _OfPlan(Event):
    profile: str
    plan: str


class PlanMade(_OfPlan):
    """A dry run was written: who would be removed and why. It removes nobody."""

    people: int
    made_by: str
    expires_at: datetime


class PlanApproved(_OfPlan):
    """An operator approved exactly the plan with this hash."""

    approved_by: str


class PlanExpired(_OfPlan):
    """A plan was not carried out in time and cannot be any more."""


class SubscriptionReclaimed(_OfSubscription):
    """The person was removed, and a reading after it showed them gone."""

    plan: str
    removal_id: int
    removed_at: datetime
    last_look_at: datetime


class ReclaimFailed(_OfSubscription):
    """A removal was refused, or its outcome is unknown and a person has to decide; it is never repeated by itself."""

    plan: str
    removal_id: int | None
    outcome: Literal["refused", "unknown"]
    reason: str


class ReclaimStopped(Event):
    """No removal starts for this profile until an operator resumes."""

    profile: str
    by: str
    why: str


class ReclaimResumed(Event):
    """Removals may start again."""

    profile: str
    by: str


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


EVENTS: dict[str, type[Event]] = {
    event.__name__: event
    for event in (
        RequestAccepted,
        RequestRefused,
        RunStarted,
        RunFinished,
        RunFailed,
        ProfilePublished,
        ProfileUnpublished,
        ConnectionLost,
        ConnectionRestored,
        SubscriptionsDownloaded,
        SubscriptionFound,
        SubscriptionChanged,
        SubscriptionGone,
        SubscriptionReturned,
        ActivityPulled,
        CoverageLost,
        CandidateFound,
        CandidateChanged,
        PlanMade,
        PlanApproved,
        PlanExpired,
        SubscriptionReclaimed,
        ReclaimFailed,
        ReclaimStopped,
        ReclaimResumed,
        EntitlementChanged,
        ReconciliationCompleted,
        ReconciliationFailed,
    )
}
"""Every event's payload by its type."""
