"""Every figure of the day beside what it must be. One that differs makes the demo fail."""

from collections import Counter
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from sandbox.demo.edge import EventReader, Received
from sandbox.demo.story import UNIT_COST, Day, Row


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
    return [
        *_of_seats(day, reader),
        *_of_candidates(day),
        *_of_removals(day, reader),
        *_of_position(day),
        *_of_events(reader, said),
    ]


def _of_seats(day: Day, reader: EventReader) -> list[Check]:
    expected = day.expected
    assert expected is not None
    found = reader.of("SubscriptionFound")
    models = Counter(str(event.data["software_model"]) for event in found)
    people = [one for one in expected.people.values() if one.is_member]
    guests = sum(one.is_guest for one in people)
    activity = next(step["counts"] for step in day.steps if step["kind"] == "activity")
    return [
        Check("subscriptions found", len({event.data["user_gid"] for event in found}), expected.seats),
        Check("paid seats among them", models["member"], expected.paid),
        Check("guests", models["guest"], guests),
        Check("view-only", models["view_only"], expected.seats - expected.paid - guests),
        Check("admins", sum(event.data["is_admin"] is True for event in found), sum(one.is_admin for one in people)),
        Check("people asked about: paid seats but for admins and us", activity["asked"], expected.asked),
        Check("people with an act that the source could see", activity["acts_seen"], expected.seen),
        Check("people whose answer is unknown", activity["unknown"], 0),
    ]


def _of_candidates(day: Day) -> list[Check]:
    expected = day.expected
    assert expected is not None
    ready = {one["user_gid"] for one in day.candidates if one["state"] == "ready"}
    never = {one["user_gid"] for one in day.candidates if one["state"] == "attention_required"}
    wrong = ready ^ expected.ready | never ^ expected.never_seen
    return [
        Check("candidates that are ready", len(ready), len(expected.ready)),
        Check("never seen, an operator should look", len(never), len(expected.never_seen)),
        Check("people on the wrong list", len(wrong), 0),
        Check("candidates in another state", len(day.candidates) - len(ready) - len(never), 0),
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
    expected, position = day.expected, day.position
    assert expected is not None
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
        Check("requests accepted", ended["RequestAccepted"], 3),
        Check("requests refused", ended["RequestRefused"], 1),
    ]


def _gaps(events: list[Received]) -> int:
    """Count the subjects whose events are not numbered 1, 2, 3, …"""
    sequences: dict[str, list[int]] = {}
    for event in events:
        sequences.setdefault(event.subject, []).append(event.sequence)
    return sum(sorted(numbers) != list(range(1, len(numbers) + 1)) for numbers in sequences.values())


def _money(amount: object) -> str:
    return str(Decimal(str(amount)).quantize(Decimal("0.01"), ROUND_HALF_UP))


def as_json(check: Check) -> Row:
    """Return the check for a program; long lists are shown by their length."""
    shown = [len(value) if isinstance(value, list) else value for value in (check.found, check.expected)]
    return {"name": check.name, "found": shown[0], "expected": shown[1], "holds": check.holds}
