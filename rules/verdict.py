"""Is this subscription a reclamation candidate? One pure function, and the sentence that says why.

*Not seen* is not *inactive*. A seat becomes `ready` only when its last act is older than the threshold and the window
from the threshold (or from joining) to the start of this pull was seen completely, by each of the sources that the rule
and the plan want. Somebody of whom no act was ever seen may have been invited and never come, or may only read: unless
a source that sees any use has covered them since they joined, an operator should look.
Anything that is unknown, forbidden, stale or has a gap means keep.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from rules.evidence import DECLARATIONS, AsanaPlan, Evidence, Source, enough, unseen_by

FRESH = timedelta(hours=24)
"""Coverage older than this says nothing about now."""

Outcome = Literal["keep", "ready", "attention_required"]
Window: TypeAlias = tuple[datetime, datetime]
"""From and to, both aware, both seen."""
Covered: TypeAlias = Mapping[Source, Sequence[Window]]
"""By source, the windows that were seen completely; they neither touch nor overlap."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A reclamation rule: how long without an act, which evidence it wants, and the plan that decides on sources."""

    threshold: timedelta
    evidence: Evidence
    plan: AsanaPlan


@dataclass(frozen=True, slots=True)
class Seat:
    """One subscription with its evidence; times are aware. The last act is the latest that any source saw."""

    software_model: str
    is_admin: bool
    is_ours: bool
    exempt_because: str | None
    joined_at: datetime
    last_act_at: datetime | None
    last_act: str | None
    covered: Covered


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with the seat, the short code of the reason, the sentence for people, and what nobody could see."""

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
        or _idle(seat, rule, pull_started_at, now)
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
    wanted = enough(rule.plan, rule.evidence)
    asked = {source for sources in wanted for source in sources}
    if rule.evidence == "any_use" and not any(seat.covered.get(one) for one in asked if DECLARATIONS[one].sees_any_use):
        return _keep("no_source", "the rule wants evidence of any use, and no source that sees it has covered them")
    if now - pull_started_at > FRESH:
        return _keep("stale", "the last activity pull is more than 24 hours old")
    since = max(now - rule.threshold, seat.joined_at)
    seen = seen_throughout(seat.covered, since, pull_started_at)
    if not any(seen.issuperset(sources) for sources in wanted):
        gaps = _gaps(seat.covered, wanted, since, pull_started_at)
        return _keep("not_covered", f"what happened since {since:%Y-%m-%d} was not seen without a gap: {gaps}")
    return None


def seen_throughout(covered: Covered, since: datetime, pull_started_at: datetime) -> frozenset[Source]:
    """Return the sources that saw all from `since` to the pull's start; each may end its own lag earlier."""
    return frozenset(
        source
        for source, windows in covered.items()
        if any(
            begin <= since and max(since, pull_started_at - DECLARATIONS[source].lag) <= end for begin, end in windows
        )
    )


def _gaps(covered: Covered, wanted: Sequence[Sequence[Source]], since: datetime, pull_started_at: datetime) -> str:
    """Say of the set that comes nearest which of its sources has which gap."""
    seen = seen_throughout(covered, since, pull_started_at)
    nearest = min(wanted, key=lambda sources: (len(set(sources) - seen), -len(sources)))
    missing = [source for source in nearest if source not in seen]
    return "; ".join(_gap(source, covered.get(source, ()), since, pull_started_at) for source in missing)


def _gap(source: Source, windows: Sequence[Window], since: datetime, until: datetime) -> str:
    begin, end = since, until - DECLARATIONS[source].lag
    for first, last in sorted(windows):
        if first > begin:
            end = min(end, first)
            break
        begin = max(begin, last)
    return f"{source} has not seen {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}"


def _idle(seat: Seat, rule: Rule, pull_started_at: datetime, now: datetime) -> Verdict:
    seen = seen_throughout(seat.covered, max(now - rule.threshold, seat.joined_at), pull_started_at)
    unseen = unseen_by(seen)
    if seat.last_act_at is None:
        return _never_seen(seat, seen_throughout(seat.covered, seat.joined_at, pull_started_at), unseen)
    idle = (now - seat.last_act_at).days
    what = "use" if rule.evidence == "any_use" else "act of work"
    return Verdict(
        "ready",
        "idle",
        f"no {what} seen for {idle} days; the last on {seat.last_act_at:%Y-%m-%d}: {seat.last_act}; "
        f"the rule allows {rule.threshold.days}",
        unseen,
    )


def _never_seen(seat: Seat, seen_since_joining: Collection[Source], unseen: tuple[str, ...]) -> Verdict:
    proof = [source for source in seen_since_joining if DECLARATIONS[source].sees_any_use]
    if proof:
        why = f"never used Asana: {' and '.join(sorted(proof))} saw nothing since joining on {seat.joined_at:%Y-%m-%d}"
        return Verdict("ready", "never_used", why, unseen)
    why = "never seen: no act of work was ever seen; invited and never came, or only reads: the source cannot tell"
    return Verdict("attention_required", "never_seen", why, unseen)


def _keep(reason: str, why: str) -> Verdict:
    return Verdict("keep", reason, why)
