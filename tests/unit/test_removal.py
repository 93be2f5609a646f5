"""May this person be removed, now? The last look and the guard, each reason by itself and at its boundary."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from rules.evidence import TASKS
from rules.removal import Guard, Keep, Membership, Planned, held_back, last_look
from tests.unit.seats import DAY, INSTANT, NOW, RULE, seat

JOINED = NOW - 900 * DAY
PLANNED = Planned("7001", JOINED)
AS_PLANNED = Membership("7001", is_active=True, is_admin=False, is_guest=False, is_view_only=False, joined_at=JOINED)
LOOKED = NOW - timedelta(seconds=2)


def look(membership: Membership | None = AS_PLANNED, **of_seat: Any) -> Keep | None:  # noqa: ANN401 - what a seat has
    freshest = seat(**{"covered": {"tasks": [(NOW - 120 * DAY, LOOKED)]}, **of_seat})
    return last_look(PLANNED, membership, freshest, RULE, looked_at=LOOKED, now=NOW)


def test_who_is_exactly_as_planned_may_go() -> None:
    assert look() is None


@pytest.mark.parametrize(
    ("membership", "reason"),
    [
        (None, "gone"),
        (replace(AS_PLANNED, is_active=False), "gone"),
        (replace(AS_PLANNED, membership_gid="7002"), "another_membership"),
        (replace(AS_PLANNED, joined_at=JOINED + INSTANT), "another_membership"),
        (replace(AS_PLANNED, is_admin=True), "admin"),
        (replace(AS_PLANNED, is_guest=True), "no_paid_seat"),
        (replace(AS_PLANNED, is_view_only=True), "no_paid_seat"),
    ],
)
def test_a_membership_that_is_not_as_planned_is_kept_and_the_candidate_closed(
    membership: Membership | None, reason: str
) -> None:
    keep = look(membership)
    assert keep is not None
    assert (keep.reason, keep.candidate) == (reason, "closed_skipped")


@pytest.mark.parametrize(
    ("of_seat", "reason", "candidate"),
    [
        ({"last_act_at": NOW - DAY}, "active", "closed_canceled"),
        ({"exempt_because": "on leave"}, "exempt", "closed_skipped"),
        ({"is_admin": True}, "admin", "closed_skipped"),
        ({"is_ours": True}, "our_own", "closed_skipped"),
        ({"software_model": "guest"}, "no_paid_seat", "closed_skipped"),
        ({"covered": {}}, "not_covered", None),
        ({"covered": {"tasks": [(NOW - 120 * DAY, LOOKED - TASKS.lag - INSTANT)]}}, "not_covered", None),
        ({"last_act_at": None, "last_act": None}, "never_seen", "attention_required"),
    ],
)
def test_what_the_last_look_learnt_of_the_seat_keeps_the_person(
    of_seat: dict[str, Any], reason: str, candidate: str | None
) -> None:
    keep = look(**of_seat)
    assert keep is not None
    assert (keep.reason, keep.candidate) == (reason, candidate)


OPEN = Guard(
    is_published=True,
    activity_enabled=True,
    reclaim_enabled=True,
    leashed=False,
    stopped_why=None,
    provisioned_by_scim=False,
    unanswered=0,
    approved=True,
    due_at=NOW - DAY,
    expires_at=NOW + DAY,
    carried_out=False,
    recent_intents=0,
    cap=25,
)


def test_a_removal_may_start_when_nothing_holds_it_back() -> None:
    assert held_back(OPEN, NOW) is None


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"is_published": False}, "not published"),
        ({"reclaim_enabled": False}, "reclaim is switched off"),
        ({"activity_enabled": False}, "activity is switched off"),
        ({"leashed": True}, "leashed"),
        ({"stopped_why": "an audit"}, "stopped: an audit"),
        ({"provisioned_by_scim": True}, "SCIM"),
        ({"unanswered": 1}, "not known yet"),
        ({"approved": False}, "not approved"),
        ({"due_at": NOW + INSTANT}, "not due before 2026-03-02 06:00 UTC"),
        ({"due_at": NOW}, None),
        ({"expires_at": NOW}, "expired"),
        ({"expires_at": NOW + INSTANT}, None),
        ({"carried_out": True}, "carried out"),
        ({"recent_intents": 24}, None),
        ({"recent_intents": 25}, "cap of 25 removals in 24 hours"),
        ({"recent_intents": 26}, "cap of 25"),
    ],
)
def test_what_holds_a_removal_back(changed: dict[str, Any], words: str | None) -> None:
    sentence = held_back(replace(OPEN, **changed), NOW)
    assert (sentence is None) if words is None else (sentence is not None and words in sentence)


@settings(deadline=None)
@given(
    published=some.booleans(),
    leashed=some.booleans(),
    stopped=some.none() | some.text(),
    approved=some.booleans(),
    due=some.integers(-2, 2),
    recent=some.integers(0, 3),
    unanswered=some.integers(0, 1),
)
def test_one_reason_is_enough_to_hold_back(
    published: bool,
    leashed: bool,
    stopped: str | None,
    approved: bool,
    due: int,
    recent: int,
    unanswered: int,
) -> None:
    guard = replace(
        OPEN,
        is_published=published,
        leashed=leashed,
        stopped_why=stopped,
        approved=approved,
        due_at=NOW + due * INSTANT,
        recent_intents=recent,
        unanswered=unanswered,
        cap=2,
    )
    free = published and not leashed and stopped is None and approved and due <= 0 and recent < 2 and not unanswered
    assert (held_back(guard, NOW) is None) == free


@pytest.mark.parametrize("acted_at", [LOOKED, NOW])
def test_an_act_seen_by_the_last_look_itself_keeps_the_person(acted_at: datetime) -> None:
    keep = look(last_act_at=acted_at)
    assert keep is not None
    assert keep.why.startswith("was active on 2026-03-02")
