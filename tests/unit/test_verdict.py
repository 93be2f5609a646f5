"""The verdict on a seat: every branch, every boundary, and what no seat with a doubt about it may ever become."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from rules.evidence import TASKS
from rules.verdict import FRESH, Rule, Seat, judge
from tests.unit.seats import DAY, IDLE_SINCE, INSTANT, NOW, PULLED, RULE, seat


def outcome_of(judged: Seat, rule: Rule = RULE, pulled: datetime = PULLED) -> tuple[str, str]:
    verdict = judge(judged, rule, pull_started_at=pulled, now=NOW)
    return verdict.outcome, verdict.reason


@pytest.mark.parametrize(
    ("judged", "expected"),
    [
        (seat(), ("ready", "idle")),
        (seat(last_act_at=None, last_act=None), ("attention_required", "never_seen")),
        (seat(software_model="guest"), ("keep", "no_paid_seat")),
        (seat(software_model="view_only"), ("keep", "no_paid_seat")),
        (seat(is_admin=True), ("keep", "admin")),
        (seat(is_ours=True), ("keep", "our_own")),
        (seat(exempt_because="on leave"), ("keep", "exempt")),
        (seat(covered={}), ("keep", "not_covered")),
    ],
)
def test_what_a_seat_becomes(judged: Seat, expected: tuple[str, str]) -> None:
    assert outcome_of(judged) == expected


@pytest.mark.parametrize(
    ("last_act_at", "expected"),
    [
        (IDLE_SINCE + INSTANT, ("keep", "active")),
        (IDLE_SINCE, ("keep", "active")),
        (IDLE_SINCE - INSTANT, ("ready", "idle")),
    ],
)
def test_an_act_exactly_at_the_threshold_still_counts(last_act_at: datetime, expected: tuple[str, str]) -> None:
    assert outcome_of(seat(last_act_at=last_act_at)) == expected


@pytest.mark.parametrize(
    ("joined_at", "expected"),
    [
        (IDLE_SINCE + INSTANT, ("keep", "new")),
        (IDLE_SINCE, ("attention_required", "never_seen")),
        (IDLE_SINCE - INSTANT, ("attention_required", "never_seen")),
    ],
)
def test_who_joined_within_the_threshold_is_new(joined_at: datetime, expected: tuple[str, str]) -> None:
    assert outcome_of(seat(joined_at=joined_at, last_act_at=None, last_act=None)) == expected


def test_who_was_put_back_is_new_whatever_they_did_before() -> None:
    assert outcome_of(seat(joined_at=NOW - DAY, last_act_at=NOW - 200 * DAY)) == ("keep", "new")


@pytest.mark.parametrize(
    ("age", "expected"),
    [(FRESH - INSTANT, "ready"), (FRESH, "ready"), (FRESH + INSTANT, "keep")],
)
def test_a_pull_older_than_24_hours_says_nothing_about_now(age: timedelta, expected: str) -> None:
    judged = seat(covered={"tasks": [(NOW - 120 * DAY, NOW)]})
    assert outcome_of(judged, pulled=NOW - age)[0] == expected


def test_a_stale_pull_is_named_as_the_reason() -> None:
    assert outcome_of(seat(), pulled=NOW - FRESH - INSTANT) == ("keep", "stale")


@pytest.mark.parametrize(
    ("covered", "expected"),
    [
        ([(IDLE_SINCE, PULLED)], "ready"),
        ([(IDLE_SINCE - INSTANT, PULLED + INSTANT)], "ready"),
        ([(IDLE_SINCE + INSTANT, PULLED)], "not_covered"),
        ([(IDLE_SINCE, PULLED - TASKS.lag)], "ready"),
        ([(IDLE_SINCE, PULLED - TASKS.lag - INSTANT)], "not_covered"),
        ([(IDLE_SINCE, NOW - 30 * DAY), (NOW - 30 * DAY + INSTANT, PULLED)], "not_covered"),
        ([(NOW - 400 * DAY, NOW - 300 * DAY), (IDLE_SINCE, PULLED)], "ready"),
    ],
)
def test_one_window_has_to_reach_from_the_threshold_to_the_pull(
    covered: list[tuple[datetime, datetime]], expected: str
) -> None:
    outcome, reason = outcome_of(seat(covered={"tasks": covered}))
    assert (outcome if outcome != "keep" else reason) == expected


def test_the_window_reaches_back_to_the_threshold_for_who_joined_at_it() -> None:
    judged = seat(joined_at=IDLE_SINCE, covered={"tasks": [(IDLE_SINCE, PULLED)]})
    assert outcome_of(judged) == ("ready", "idle")


def test_a_rule_that_wants_any_use_keeps_whom_no_source_of_it_saw() -> None:
    assert outcome_of(seat(), Rule(60 * DAY, "any_use", "free")) == ("keep", "no_source")


def test_the_sentences_say_the_date_the_act_and_what_could_not_be_seen() -> None:
    verdict = judge(seat(), RULE, pull_started_at=PULLED, now=NOW)
    assert verdict.why == (
        "no act of work seen for 90 days; the last on 2025-12-02: comment_added (task/1/story/2); the rule allows 60"
    )
    assert "reading, logging in and likes" in verdict.unseen
    assert judge(seat(is_admin=True), RULE, pull_started_at=PULLED, now=NOW).unseen == ()


moments = some.datetimes(min_value=datetime(2025, 1, 1), max_value=datetime(2026, 3, 2)).map(  # noqa: DTZ001 - made aware
    lambda moment: moment.replace(tzinfo=NOW.tzinfo)
)
acts = some.none() | moments


@settings(deadline=None, max_examples=300)
@given(
    joined=moments, last_act=acts, gap=some.floats(0, 1), length=some.integers(1, 10**12), pulled_ago=some.floats(0, 24)
)
def test_no_seat_with_a_gap_in_what_was_seen_is_ever_a_candidate(
    joined: datetime, last_act: datetime | None, gap: float, length: int, pulled_ago: float
) -> None:
    pulled = NOW - timedelta(hours=pulled_ago)
    since = max(IDLE_SINCE, joined)
    begin = since + gap * max(pulled - TASKS.lag - since, timedelta(0))
    end = begin + timedelta(microseconds=length)
    windows = [(NOW - 900 * DAY, begin - INSTANT), (end, NOW)]
    if end > pulled - TASKS.lag:
        windows = windows[:1]
    judged = seat(joined_at=joined, last_act_at=last_act, covered={"tasks": windows})
    assert outcome_of(judged, pulled=pulled)[0] == "keep"


@settings(deadline=None, max_examples=300)
@given(
    never=some.sampled_from(
        [
            {"software_model": "guest"},
            {"software_model": "view_only"},
            {"is_admin": True},
            {"is_ours": True},
            {"exempt_because": "on leave"},
        ]
    ),
    joined=moments,
    last_act=acts,
    days=some.integers(1, 3650),
)
def test_an_admin_a_guest_a_reader_who_is_exempt_or_ourselves_is_never_a_candidate(
    never: dict[str, object], joined: datetime, last_act: datetime | None, days: int
) -> None:
    judged = seat(joined_at=joined, last_act_at=last_act, covered={"tasks": [(NOW - 5000 * DAY, NOW)]}, **never)
    assert outcome_of(judged, Rule(days * DAY, "work", "free"))[0] == "keep"


@settings(deadline=None, max_examples=300)
@given(
    joined=moments, last_act=acts, days=some.integers(1, 400), lower=some.integers(0, 900), upper=some.integers(0, 48)
)
def test_a_candidate_always_joined_and_was_idle_longer_than_the_rule_and_was_seen_throughout(
    joined: datetime, last_act: datetime | None, days: int, lower: int, upper: int
) -> None:
    window = (NOW - lower * DAY, NOW - timedelta(hours=upper))
    judged = seat(joined_at=joined, last_act_at=last_act, covered={"tasks": [window] if window[0] < window[1] else []})
    outcome, _ = outcome_of(judged, Rule(days * DAY, "work", "free"))
    if outcome != "keep":
        idle_since = NOW - days * DAY
        assert joined <= idle_since
        assert last_act is None or last_act < idle_since
        assert window[0] <= max(idle_since, joined)
        assert window[1] >= PULLED - TASKS.lag
        assert (outcome == "ready") == (last_act is not None)
