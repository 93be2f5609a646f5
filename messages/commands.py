"""Commands: what an actor is told to do. Imperative names; each carries the run that it belongs to.

`DownloadSubscriptions` (command) > `download_subscriptions` (actor) > `SubscriptionsDownloaded` (event).
A command says only which slice of which run: everything else is in Postgres, so a message that comes late,
twice or from before a restart cannot carry a stale order.
"""

from typing import ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from messages.kinds import StepKind


class Command(BaseModel):
    """One slice of one run. `slice` counts from 0; a slice behind the run's row is acknowledged and dropped."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    actor: ClassVar[str]
    queue: ClassVar[str]

    run_id: UUID
    slice: int = Field(ge=0, le=2**31 - 1, strict=True)
    correlation_id: UUID


class DownloadSubscriptions(Command):
    """List the organization's memberships and users, and compare them with the last complete download."""

    actor = "download_subscriptions"
    queue = "download"


class PullActivity(Command):
    """Ask the activity sources for each paid seat's last act of work."""

    actor = "pull_activity"
    queue = "activity"


class FindReclamationCandidates(Command):
    """Judge every subscription by the profile's reclamation rule."""

    actor = "find_reclamation_candidates"
    queue = "candidates"


class ReclaimSubscriptions(Command):
    """Carry out the approved, due, unexpired plan of the run, one person after another."""

    actor = "reclaim_subscriptions"
    queue = "reclaim"


class ReclaimSubscription(Command):
    """Carry out the removal of one person of the run's plan, or settle one whose outcome is unknown."""

    actor = "reclaim_subscription"
    queue = "reclaim"

    subscription_id: int = Field(ge=1, le=2**63 - 1, strict=True)


class Reconcile(Command):
    """Compare the subscriptions in use with the rights owned."""

    actor = "reconcile"
    queue = "reconcile"


COMMANDS: dict[str, type[Command]] = {
    command.actor: command
    for command in (
        DownloadSubscriptions,
        PullActivity,
        FindReclamationCandidates,
        ReclaimSubscriptions,
        ReclaimSubscription,
        Reconcile,
    )
}
"""Every command by the name of its actor."""

COMMAND_OF: dict[StepKind, type[Command]] = {
    "download": DownloadSubscriptions,
    "activity": PullActivity,
    "candidates": FindReclamationCandidates,
    "reclaim": ReclaimSubscriptions,
    "reconcile": Reconcile,
}
"""The command that starts a run of each kind."""

QUEUES: tuple[str, ...] = ("download", "activity", "candidates", "reconcile", "reclaim")
