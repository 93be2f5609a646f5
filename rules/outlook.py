"""When could a person who is kept become a candidate, at the earliest? A pure function, and the sentence that says why.

It promises nothing: every act, gap and refusal until then moves the day further away.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from rules.evidence import Source, enough
from rules.verdict import Rule, Seat

NEEDS: Mapping[Source, str] = {
    "tasks": "activity is switched on for the profile",
    "search": "activity is switched on for the profile",
    "audit_log": "a service account is connected, for the audit log",
    "member_export": "a member export of the last 24 hours is imported",
}
"""What has to be done by hand before a source says anything."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """The earliest moment (aware), or None where only a change could bring it; and what has to be so until then."""

    earliest: datetime | None
    condition: str


Since: TypeAlias = Mapping[Source, datetime | None]
"""Since when each source will have seen everything by its next whole pull; None where it is not connected."""


def outlook(seat: Seat, rule: Rule, since: Since, *, exempt_until: datetime | None, now: datetime) -> Outlook:
    """Say when a seat could become a candidate; `exempt_until` is None for a seat that is exempt for good, too."""
    blocked = _blocked(seat, exempt_until)
    if blocked is not None:
        return Outlook(None, blocked)
    seen, evidence = _seen(seat, rule, since)
    if seen is None:
        return Outlook(None, evidence)
    steps = [
        (seen, evidence),
        (seat.joined_at + rule.threshold, f"they have had the seat for {rule.threshold.days} days"),
    ]
    if seat.last_act_at is not None:
        steps.append((seat.last_act_at + rule.threshold, "no newer act is seen"))
    if seat.exempt_because is not None and exempt_until is not None:
        steps.append((exempt_until, "the exemption has ended"))
    earliest, condition = max(steps, key=lambda step: step[0])
    return Outlook(
        max(earliest, now), condition if earliest > now else "the next pull sees everything, and no newer act"
    )


def _blocked(seat: Seat, exempt_until: datetime | None) -> str | None:
    if seat.software_model != "member":
        return "the seat becomes a paid one"
    if seat.is_admin:
        return "they are no admin any more"
    if seat.is_ours:
        return "the connection works with another account"
    if seat.exempt_because is not None and exempt_until is None:
        return "the exemption is removed"
    return None


def _seen(seat: Seat, rule: Rule, since: Since) -> tuple[datetime | None, str]:
    """Return when the evidence that the rule wants can be whole, by the sources that are whole first."""
    best: tuple[datetime, str] | None = None
    for sources in enough(rule.plan, rule.evidence):
        begins = [since.get(one) for one in sources]
        if any(begin is None for begin in begins):
            continue
        latest = max(begin for begin in begins if begin is not None)
        whole = seat.joined_at if latest <= seat.joined_at else latest + rule.threshold
        told = f"{' and '.join(one.replace('_', ' ') for one in sources)} saw all of {rule.threshold.days} days"
        if best is None or whole < best[0]:
            best = (whole, told)
    if best is None:
        wanted = {one for sources in enough(rule.plan, rule.evidence) for one in sources if since.get(one) is None}
        return None, ", or ".join(sorted({NEEDS[one] for one in wanted}))
    return best


def sight_of_stream(covered: list[tuple[datetime, datetime]], *, keeps_since: datetime, now: datetime) -> datetime:
    """Return since when a stream will have seen everything once its gaps of what Asana still keeps are filled."""
    since = keeps_since
    for begin, end in sorted(covered, reverse=True):
        if begin < since <= end <= now:
            since = begin
    return since
