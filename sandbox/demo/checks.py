"""Every figure of the day beside what it must be. One that differs makes the demo fail."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from sandbox.demo.connecting import ALIAS, CHILD, Row
from sandbox.demo.day import Day, Judged
from sandbox.demo.edge import EventReader, Received
from sandbox.demo.story import UNIT_COST


@dataclass(frozen=True)
class Check:
    """A figure as we found it, and as it should be."""

    name: str
    found: object
    expected: object

    @property
    def holds(self) -> bool:
        """Whether the two are the same."""
        return self.found == self.expected


def checks_of(day: Day, reader: EventReader, said: int) -> list[Check]:
    """Compare the day with the look-alike's truths, and our own accounts with each other."""
    first, last = day.cycles
    return [
        *_of_connections(day),
        *_of_seats(first, reader),
        *_of_sources(first),
        *_of_coverage(day),
        *_of_candidates(first),
        *_of_import(day),
        *_of_economy(first, last),
        *(replace(check, name=f"{check.name}, after the import") for check in _of_candidates(last)),
        *_of_removals(day, reader),
        *_of_position(day),
        *_of_events(reader, said),
    ]


def _of_connections(day: Day) -> list[Check]:
    kinds = [(one["connection"], each["kind"], each["state"]) for one in day.connections for each in one["credentials"]]
    both = [(ALIAS, "oauth", "connected"), (ALIAS, "service_account", "connected"), (CHILD, "oauth", "connected")]
    return [
        Check("credentials that work: two and a child's", sorted(kinds), sorted(both)),
        Check(
            "what profile validate tried and found not ok", sum(one["outcome"] == "not_ok" for one in day.checked), 0
        ),
        Check("and left out as not needed", sum(one["outcome"] == "not_needed" for one in day.checked), 0),
        Check("claims about Asana that the probe refutes", sum(one["outcome"] == "refuted" for one in day.claims), 0),
    ]


def _of_seats(first: Judged, reader: EventReader) -> list[Check]:
    expected = first.expected
    found = reader.of("SubscriptionFound")
    models = Counter(str(event.data["software_model"]) for event in found)
    people = [one for one in expected.people.values() if one.is_member]
    guests = sum(one.is_guest for one in people)
    return [
        Check("subscriptions found", len({event.data["user_gid"] for event in found}), expected.seats),
        Check("paid seats among them", models["member"], expected.paid),
        Check("guests", models["guest"], guests),
        Check("view-only", models["view_only"], expected.seats - expected.paid - guests),
        Check("admins", sum(event.data["is_admin"] is True for event in found), sum(one.is_admin for one in people)),
    ]


def _of_sources(first: Judged) -> list[Check]:
    """Hold what each source saw against what it could see."""
    expected, acts, counts = first.expected, first.acts, first.step("activity")["counts"]
    seen = {gid: at for gid, at in acts.last.items() if gid in expected.asked}
    deep = expected.searched_for(first.pulled_at)
    by_search = expected.last_by_search(first.pulled_at)
    idle = {gid: at for gid, at in expected.seen.items() if gid in expected.ready}
    return [
        Check("people asked about: paid seats but for admins and us", counts["asked"], len(expected.asked)),
        Check("people whose answer is unknown", counts["unknown"], 0),
        Check("people with an act that a source could see", sorted(seen), sorted(expected.seen)),
        Check("people in the audit log, at their last event there", _listed(acts.in_log), _listed(expected.in_log)),
        Check("searched for: whom tasks and log left idle", counts["looked_deep"], len(deep)),
        Check("people whose last act only the search saw", sorted(acts.by_search), sorted(by_search)),
        Check("last acts of the ready", _listed({gid: at for gid, at in seen.items() if gid in idle}), _listed(idle)),
    ]


def _of_coverage(day: Day) -> list[Check]:
    expected = day.cycles[0].expected
    seats = {one["source"]: one for one in day.coverage["sources"]}
    deep = expected.searched_for(day.cycles[0].pulled_at)
    return [
        Check("seats that tasks saw on all days", seats["tasks"]["whole"], len(expected.asked)),
        Check("seats that the search saw on all days", seats["search"]["whole"], len(deep)),
        Check("seats that the audit log saw on all days", seats["audit_log"]["whole"], expected.paid),
        Check("reasons why somebody is not known", len(day.coverage["unknown"]), 0),
    ]


def _of_candidates(judged: Judged) -> list[Check]:
    expected = judged.expected
    ready = {one["user_gid"] for one in judged.candidates if one["state"] == "ready"}
    never = {one["user_gid"] for one in judged.candidates if one["state"] == "attention_required"}
    wrong = ready ^ expected.ready | never ^ expected.never_seen
    return [
        Check("candidates that are ready", len(ready), len(expected.ready)),
        Check("never seen, an operator should look", len(never), len(expected.never_seen)),
        Check("people on the wrong list", len(wrong), 0),
        Check("candidates in another state", len(judged.candidates) - len(ready) - len(never), 0),
    ]


def _of_import(day: Day) -> list[Check]:
    """Hold the import against the members who have an address: the others' lines claim nothing."""
    members = [one for one in day.cycles[0].expected.people.values() if one.is_member]
    addressed = sum(one.email is not None for one in members)
    return [
        Check("lines of the member export", day.imported["lines"], len(members)),
        Check("people found in it by their e-mail", day.imported["matched"], addressed),
        Check("people whom it covers", day.imported["covered"], addressed),
        Check("lines that speak against what was seen", len(day.imported["contradicted"]), 0),
    ]


def _of_economy(first: Judged, last: Judged) -> list[Check]:
    """The next pull asks only about those whose answer could make a difference within a day."""
    counts = last.step("activity")["counts"]
    due = first.expected.due_again(last.pulled_at, last.views)
    return [
        Check("people due in the next pull: who could be idle", counts["due"], len(due)),
        Check("people asked about in it", counts["asked"], len(due)),
    ]


def _of_removals(day: Day, reader: EventReader) -> list[Check]:
    planned = [item["user_gid"] for item in day.plan["items"]]
    accepted = [call["person"] for call in day.removals if call["accepted"]]
    said = [event.data["user_gid"] for event in reader.of("SubscriptionReclaimed")]
    reclaimed = [item["user_gid"] for item in day.plan["items"] if item["outcome"] == "reclaimed"]
    return [
        Check("removals that the look-alike recorded", sorted(accepted), sorted(reclaimed)),
        Check("removal calls, none of them twice", len(day.removals), len(set(accepted))),
        Check("everybody in the plan was settled", len(reclaimed), len(planned)),
        Check("SubscriptionReclaimed, one for each", sorted(str(gid) for gid in said), sorted(reclaimed)),
    ]


def _of_position(day: Day) -> list[Check]:
    expected, position = day.last.expected, day.position
    removed = sum(call["accepted"] is True for call in day.removals)
    used = expected.paid - removed
    cost = Decimal(UNIT_COST)
    left = len(expected.ready) - removed
    return [
        Check("rights owned", position["owned"], day.owned),
        Check("rights used", position["used"], used),
        Check("rights available", position["available"], max(day.owned - used, 0)),
        Check("rights needed", position["needed"], max(used - day.owned, 0)),
        Check("true-up cost", _money(position["true_up_cost"]), _money(max(used - day.owned, 0) * cost)),
        Check(
            "over-licensed amount", _money(position["over_licensed_amount"]), _money(max(day.owned - used, 0) * cost)
        ),
        Check("potential savings", _money(position["potential_savings"]), _money(left * cost)),
        Check("compliant", position["compliant"], used <= day.owned),
    ]


def _of_events(reader: EventReader, said: int) -> list[Check]:
    events = list(reader.received.values())
    ended = Counter(event.type for event in events)
    return [
        Check("events received", len(events), said),
        Check("subjects whose sequence has a gap", _gaps(events), 0),
        Check("runs that failed", ended["RunFailed"], 0),
        Check("requests accepted", ended["RequestAccepted"], 4),
        Check("requests refused", ended["RequestRefused"], 1),
    ]


def _gaps(events: list[Received]) -> int:
    """Count the subjects whose events are not numbered 1, 2, 3, …"""
    sequences: dict[str, list[int]] = {}
    for event in events:
        sequences.setdefault(event.subject, []).append(event.sequence)
    return sum(sorted(numbers) != list(range(1, len(numbers) + 1)) for numbers in sequences.values())


def _listed(acts: Mapping[str, datetime]) -> list[tuple[str, datetime]]:
    return sorted(acts.items())


def _money(amount: object) -> str:
    return str(Decimal(str(amount)).quantize(Decimal("0.01"), ROUND_HALF_UP))


def as_json(check: Check) -> Row:
    """Return the check for a program; long lists are shown by their length."""
    shown = [len(value) if isinstance(value, list) else value for value in (check.found, check.expected)]
    return {"name": check.name, "found": shown[0], "expected": shown[1], "holds": check.holds}
