"""What a new verdict does to a candidate that is open: the whole table."""

from typing import get_args

import pytest

from messages.events import CandidateState
from rules.candidate import UNKNOWN, Open, next_state
from rules.verdict import Outcome, Verdict

STATES: tuple[CandidateState, ...] = get_args(CandidateState)
OTHERS = [state for state in STATES if state not in {"ready", "attention_required"}]


def verdict(outcome: Outcome, reason: str) -> Verdict:
    return Verdict(outcome, reason, "")


@pytest.mark.parametrize("state", ["ready", "attention_required"])
@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("active", "closed_canceled"),
        ("new", "closed_skipped"),
        ("admin", "closed_skipped"),
        ("our_own", "closed_skipped"),
        ("exempt", "closed_skipped"),
        ("no_paid_seat", "closed_skipped"),
        ("stale", None),
        ("not_covered", None),
        ("no_source", None),
    ],
)
def test_a_reason_to_keep_closes_a_candidate_unless_it_only_says_what_is_not_known(
    state: CandidateState, reason: str, expected: CandidateState | None
) -> None:
    assert next_state(Open(state, "idle"), verdict("keep", reason)) == expected


def test_the_reasons_that_only_say_what_is_not_known() -> None:
    assert {"stale", "not_covered", "no_source"} == UNKNOWN


@pytest.mark.parametrize(
    ("state", "outcome", "expected"),
    [
        ("ready", "ready", None),
        ("attention_required", "attention_required", None),
        ("attention_required", "ready", "ready"),
        ("ready", "attention_required", "attention_required"),
    ],
)
def test_the_verdict_moves_an_open_candidate(
    state: CandidateState, outcome: Outcome, expected: CandidateState | None
) -> None:
    assert next_state(Open(state, "never_seen"), verdict(outcome, "idle")) == expected


@pytest.mark.parametrize("reason", ["outcome_unknown", "refused"])
def test_a_removal_that_waits_for_a_person_is_never_made_ready_by_a_verdict(reason: str) -> None:
    waiting = Open("attention_required", reason)
    assert next_state(waiting, verdict("ready", "idle")) is None
    assert next_state(waiting, verdict("attention_required", "never_seen")) is None


@pytest.mark.parametrize("reason", ["outcome_unknown", "refused"])
def test_a_removal_that_waits_for_a_person_closes_when_the_person_is_seen_to_work(reason: str) -> None:
    assert next_state(Open("attention_required", reason), verdict("keep", "active")) == "closed_canceled"


@pytest.mark.parametrize("state", OTHERS)
@pytest.mark.parametrize(
    ("outcome", "reason"), [("keep", "active"), ("ready", "idle"), ("attention_required", "never_seen")]
)
def test_no_verdict_moves_a_candidate_that_is_under_way_or_closed(
    state: CandidateState, outcome: Outcome, reason: str
) -> None:
    assert next_state(Open(state, "idle"), verdict(outcome, reason)) is None
