"""Is this subscription a reclamation candidate? One pure function, and the sentence that says why.

*Not seen* is not *inactive*. A seat becomes `ready` only when its last act is older than the threshold and the window
from the threshold (or from joining) to the start of this pull was seen completely. Somebody of whom no act was ever
seen may have been invited and never come, or may only read: the source cannot tell, so an operator should look.
Anything that is unknown, forbidden, stale or has a gap means keep.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

FRESH = timedelta(hours=24)
"""Coverage older than this says nothing about now."""

UNSEEN_BY_TASKS = (
    "reading, logging in and likes",
    "comments on tasks that are assigned to others",
    "tasks made for others, or handed to others since",
    "tasks that are private to other people",
)
"""What the source `tasks` (GET /tasks?assignee=, and the stories of what it lists) cannot see."""

Outcome = Literal["keep", "ready", "attention_required"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A reclamation rule: how long without an act, and which evidence it wants."""

    threshold: timedelta
    evidence: Literal["work", "any_use"]


@dataclass(frozen=True, slots=True)
class Seat:
    """One subscription with its evidence; times are aware, `covered` are windows that were seen completely."""

    software_model: str
    is_admin: bool
    is_ours: bool
    exempt_because: str | None
    joined_at: datetime
    last_act_at: datetime | None
    last_act: str | None
    covered: Sequence[tuple[datetime, datetime]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with the seat, the short code of the reason, and the sentence for people."""

    outcome: Outcome
    reason: str
    why: str
    unseen: tuple[str, ...] = ()


def judge(seat: Seat, rule: Rule, *, pull_started_at: datetime, now: datetime) -> Verdict:
    """Judge one seat by the pull that began at `pull_started_at`."""
    return (
        _never_a_candidate(seat)
        or _too_new_or_active(seat, rule, now)
        or _not_known_well_enough(seat, rule, pull_started_at, now)
        or _idle(seat, rule, now)
    )


def _never_a_candidate(seat: Seat) -> Verdict | None:
    if seat.software_model != "member":
        return _keep("no_paid_seat", f"holds no paid seat ({seat.software_model.replace('_', '-')})")
    if seat.is_admin:
        return _keep("admin", "is an admin of the organization")
    if seat.is_ours:
        return _keep("our_own", "is the account that this connection works with")
    if seat.exempt_because is not None:
        return _keep("exempt", f"is exempt: {seat.exempt_because}")
    return None


def _too_new_or_active(seat: Seat, rule: Rule, now: datetime) -> Verdict | None:
    if seat.joined_at > now - rule.threshold:
        return _keep("new", f"joined on {seat.joined_at:%Y-%m-%d}, less than {rule.threshold.days} days ago")
    if seat.last_act_at is not None and seat.last_act_at >= now - rule.threshold:
        return _keep("active", f"was active on {seat.last_act_at:%Y-%m-%d}: {seat.last_act}")
    return None


def _not_known_well_enough(seat: Seat, rule: Rule, pull_started_at: datetime, now: datetime) -> Verdict | None:
    if rule.evidence == "any_use":
        return _keep("no_source", "the rule wants evidence of any use, and no source that sees it is connected")
    if now - pull_started_at > FRESH:
        return _keep("stale", "the last activity pull is more than 24 hours old")
    since = max(now - rule.threshold, seat.joined_at)
    if not any(begin <= since and pull_started_at <= end for begin, end in seat.covered):
        return _keep("not_covered", f"what happened since {since:%Y-%m-%d} was not seen without a gap")
    return None


def _idle(seat: Seat, rule: Rule, now: datetime) -> Verdict:
    if seat.last_act_at is None:
        return Verdict(
            "attention_required",
            "never_seen",
            "never seen: no act of work was ever seen; invited and never came, or only reads: the source cannot tell",
            UNSEEN_BY_TASKS,
        )
    idle = (now - seat.last_act_at).days
    return Verdict(
        "ready",
        "idle",
        f"no act of work seen for {idle} days; the last on {seat.last_act_at:%Y-%m-%d}: {seat.last_act}; "
        f"the rule allows {rule.threshold.days}",
        UNSEEN_BY_TASKS,
    )


def _keep(reason: str, why: str) -> Verdict:
    return Verdict("keep", reason, why)
