"""Events: what happened, said to whoever listens. Past-tense names; a payload is enough to act on without asking us.

An event carries our subscription id and Asana's gid, never a name or an e-mail: names live in one table that can be
erased. Amounts are decimal strings beside their currency. Each event belongs to a subject (`subscription/17`,
`run/…`), and has a sequence for that subject, taken under the subject's row lock.
"""

from messages.events.base import CandidateState, Event, SoftwareModel
from messages.events.position import EntitlementChanged, ReconciliationCompleted, ReconciliationFailed
from messages.events.profiles import (
    ConnectionLost,
    ConnectionRestored,
    ProfileDeleted,
    ProfilePublished,
    ProfileUnpublished,
    ReclaimResumed,
    ReclaimStopped,
)
from messages.events.reclamation import (
    CandidateChanged,
    CandidateFound,
    PlanApproved,
    PlanExpired,
    PlanMade,
    ReclaimFailed,
    SubscriptionReclaimed,
)
from messages.events.runs import RequestAccepted, RequestRefused, RunFailed, RunFinished, RunStarted
from messages.events.subscriptions import (
    ActivityPulled,
    CoverageLost,
    SourceLost,
    SubscriptionChanged,
    SubscriptionFound,
    SubscriptionGone,
    SubscriptionReturned,
    SubscriptionsDownloaded,
)

__all__ = [
    "EVENTS",
    "ActivityPulled",
    "CandidateChanged",
    "CandidateFound",
    "CandidateState",
    "ConnectionLost",
    "ConnectionRestored",
    "CoverageLost",
    "EntitlementChanged",
    "Event",
    "PlanApproved",
    "PlanExpired",
    "PlanMade",
    "ProfileDeleted",
    "ProfilePublished",
    "ProfileUnpublished",
    "ReclaimFailed",
    "ReclaimResumed",
    "ReclaimStopped",
    "ReconciliationCompleted",
    "ReconciliationFailed",
    "RequestAccepted",
    "RequestRefused",
    "RunFailed",
    "RunFinished",
    "RunStarted",
    "SoftwareModel",
    "SourceLost",
    "SubscriptionChanged",
    "SubscriptionFound",
    "SubscriptionGone",
    "SubscriptionReclaimed",
    "SubscriptionReturned",
    "SubscriptionsDownloaded",
]

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
        ProfileDeleted,
        ConnectionLost,
        ConnectionRestored,
        SubscriptionsDownloaded,
        SubscriptionFound,
        SubscriptionChanged,
        SubscriptionGone,
        SubscriptionReturned,
        ActivityPulled,
        CoverageLost,
        SourceLost,
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
