"""Events of subscriptions: what a download or a pull of activity found."""

from datetime import datetime
from uuid import UUID

from messages.events.base import Event, SoftwareModel


class SubscriptionsDownloaded(Event):
    """A complete download was compared with the last one."""

    profile: str
    run_id: UUID
    as_of: datetime
    counts: dict[str, int]


class OfSubscription(Event):
    """What every event of one subscription carries."""

    profile: str
    subscription_id: int
    user_gid: str


class SubscriptionFound(OfSubscription):
    """A person has a seat that we did not know."""

    software_model: SoftwareModel
    is_admin: bool
    joined_at: datetime


class SubscriptionChanged(OfSubscription):
    """The kind of seat or the role of the person changed; `changed` names the fields, from and to."""

    software_model: SoftwareModel
    is_admin: bool
    changed: dict[str, list[str | bool | None]]


class SubscriptionGone(OfSubscription):
    """The person has no seat any more: missing from a complete listing and confirmed one by one."""

    gone_at: datetime


class SubscriptionReturned(OfSubscription):
    """A person whose seat was gone has one again."""

    software_model: SoftwareModel
    is_admin: bool
    joined_at: datetime


class ActivityPulled(Event):
    """Everybody who was due was asked about; `counts` says how many, and how each was settled.

    `people` are the paid seats, `due` those whose answer could change a decision, `asked` those settled: `watched` many
    at once, `at_work` by something they made lately, the others one by one; `looked_deep` of the `to_look_deep` among
    them in the search, too.
    `acts_seen` are people with an act that was not known, `unknown` those whose answer was refused or odd.
    """

    profile: str
    run_id: UUID
    as_of: datetime
    counts: dict[str, int]


class CoverageLost(OfSubscription):
    """A source's answer for this person was refused or odd: until it is whole again, the person is kept."""

    source: str
    reason: str


class SourceLost(Event):
    """A source that is one stream for the whole organization was refused or odd: it clears nobody until it is whole."""

    profile: str
    source: str
    reason: str
