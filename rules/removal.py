"""May this person be removed, now? Asked twice: of the last look, and of the intent under the profile's row lock.

Both answer with a reason to keep, or None. Whatever is not exactly as it was planned is a reason to keep.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from messages.events import CandidateState
from rules.candidate import Open, next_state
from rules.switches import ACTIVITY_OFF, RECLAIM_OFF
from rules.verdict import Rule, Seat, judge

ROLLING = timedelta(hours=24)
"""The window of the absolute cap."""


@dataclass(frozen=True, slots=True)
class Membership:
    """What Asana says of the person's membership at the last look."""

    membership_gid: str
    is_active: bool
    is_admin: bool
    is_guest: bool
    is_view_only: bool
    joined_at: datetime


@dataclass(frozen=True, slots=True)
class Planned:
    """Whom the plan means: the membership as it was when the plan was made."""

    membership_gid: str
    joined_at: datetime


@dataclass(frozen=True, slots=True)
class Keep:
    """Why the person stays, and what that makes of the candidate: None where nothing was learnt, so it stays ready."""

    reason: str
    why: str
    candidate: CandidateState | None


def last_look(
    planned: Planned, membership: Membership | None, seat: Seat, rule: Rule, *, looked_at: datetime, now: datetime
) -> Keep | None:
    """Compare the person with the plan; `seat` has the freshest activity, covered up to `looked_at`."""
    if membership is None or not membership.is_active:
        return Keep("gone", "has no seat any more", "closed_skipped")
    if (membership.membership_gid, membership.joined_at) != (planned.membership_gid, planned.joined_at):
        return Keep("another_membership", "was removed and put back since the plan was made", "closed_skipped")
    if membership.is_admin:
        return Keep("admin", "is an admin now", "closed_skipped")
    if membership.is_guest or membership.is_view_only:
        return Keep("no_paid_seat", "holds no paid seat any more", "closed_skipped")
    verdict = judge(seat, rule, pull_started_at=looked_at, now=now)
    if verdict.outcome == "ready":
        return None
    return Keep(verdict.reason, verdict.why, next_state(Open("ready", ""), verdict))


@dataclass(frozen=True, slots=True)
class Guard:
    """What holds a removal back, read under the lock of the profile's row."""

    is_published: bool
    activity_enabled: bool
    reclaim_enabled: bool
    leashed: bool
    stopped_why: str | None
    provisioned_by_scim: bool
    unanswered: int
    approved: bool
    due_at: datetime
    expires_at: datetime
    carried_out: bool
    recent_intents: int
    cap: int


def held_back(guard: Guard, now: datetime) -> str | None:
    """Return why no removal may start now, in a sentence for a person; None if one may."""
    reasons = (
        (not guard.is_published, "the profile is not published"),
        (not guard.reclaim_enabled, RECLAIM_OFF),
        (not guard.activity_enabled, ACTIVITY_OFF),
        (guard.leashed, "the profile is leashed (dry run); `seats profile unleash` lets it go"),
        (guard.stopped_why is not None, f"removals are stopped: {guard.stopped_why}"),
        (guard.provisioned_by_scim, "people are provisioned by SCIM; remove them in the identity provider"),
        (guard.unanswered > 0, "what became of an earlier removal is not known yet; it is read back first"),
        (not guard.approved, "the plan is not approved"),
        (now < guard.due_at, f"the plan is not due before {guard.due_at:%Y-%m-%d %H:%M} UTC"),
        (now >= guard.expires_at, "the plan has expired"),
        (guard.carried_out, "the plan has been carried out"),
        (guard.recent_intents >= guard.cap, f"the cap of {guard.cap} removals in 24 hours is reached"),
    )
    return next((sentence for holds, sentence in reasons if holds), None)
