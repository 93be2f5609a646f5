"""The economical pull: whoever is left out has the same verdict whatever they did, and nobody else is left out."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from rules.economy import Standing, is_due, may_be_idle, whom_to_ask
from rules.verdict import FRESH, Rule, judge
from tests.unit.seats import DAY, INSTANT, NOW, seat

THRESHOLD = 60 * DAY
EDGE = NOW + FRESH - THRESHOLD
"""Evidence from this moment or before it may be called idle by the last verdict that stands on a pull at NOW."""
ASKED = Standing(1, joined_at=NOW - 900 * DAY, last_act_at=NOW - DAY, excused=False, was_asked=True)


@pytest.mark.parametrize(
    ("one", "due"),
    [
        (ASKED, False),
        (replace(ASKED, last_act_at=EDGE + INSTANT), False),
        (replace(ASKED, last_act_at=EDGE), True),
        (replace(ASKED, last_act_at=NOW - 400 * DAY), True),
        (replace(ASKED, last_act_at=None), True),
        (replace(ASKED, last_act_at=None, joined_at=EDGE + INSTANT), False),
        (replace(ASKED, last_act_at=None, joined_at=EDGE), True),
        (replace(ASKED, last_act_at=NOW - 400 * DAY, joined_at=EDGE + INSTANT), False),
        (replace(ASKED, was_asked=False), True),
        (replace(ASKED, was_asked=False, excused=True), False),
        (replace(ASKED, last_act_at=None, excused=True), False),
    ],
)
def test_who_is_due(one: Standing, due: bool) -> None:
    assert is_due(one, THRESHOLD, pull_started_at=NOW) == due


def test_who_was_never_asked_comes_first_and_then_the_oldest_evidence() -> None:
    standings = [
        replace(ASKED, subscription_id=1, last_act_at=NOW - 70 * DAY),
        replace(ASKED, subscription_id=2, last_act_at=NOW - 80 * DAY),
        replace(ASKED, subscription_id=3, was_asked=False),
        replace(ASKED, subscription_id=4),
        replace(ASKED, subscription_id=5, last_act_at=None),
        replace(ASKED, subscription_id=6, last_act_at=NOW - 80 * DAY),
    ]
    assert whom_to_ask(standings, THRESHOLD, pull_started_at=NOW, everybody=False) == [3, 5, 2, 6, 1]
    assert sorted(whom_to_ask(standings, THRESHOLD, pull_started_at=NOW, everybody=True)) == [1, 2, 3, 4, 5, 6]


moments = some.datetimes(min_value=datetime(2025, 1, 1), max_value=datetime(2026, 3, 2)).map(  # noqa: DTZ001 - made aware
    lambda moment: moment.replace(tzinfo=NOW.tzinfo)
)
standing = some.builds(
    Standing,
    subscription_id=some.just(1),
    joined_at=moments,
    last_act_at=some.none() | moments,
    excused=some.just(False),  # noqa: FBT003 - hypothesis' word
    was_asked=some.just(True),  # noqa: FBT003 - hypothesis' word
)


@settings(deadline=None, max_examples=500)
@given(
    one=standing,
    days=some.integers(1, 400),
    later=some.floats(0, 1),
    missed=some.none() | moments,
    covered=some.booleans(),
)
def test_whoever_is_left_out_is_kept_for_the_same_reason_whatever_they_did(
    one: Standing, days: int, later: float, missed: datetime | None, covered: bool
) -> None:
    """`missed` is an act that an answer would have shown; the verdict comes at any time while it stands on the pull."""
    threshold = days * DAY
    if is_due(one, threshold, pull_started_at=NOW):
        return
    rule, at = Rule(threshold, "work", "free"), NOW + later * FRESH
    windows = {"tasks": [(NOW - 900 * DAY, NOW)]} if covered else {}
    known = seat(joined_at=one.joined_at, last_act_at=one.last_act_at, covered=windows)
    newest = max((act for act in (one.last_act_at, missed) if act is not None), default=None)
    asked = seat(joined_at=one.joined_at, last_act_at=newest, covered={"tasks": [(NOW - 900 * DAY, NOW)]})
    left_out = judge(known, rule, pull_started_at=NOW, now=at)
    assert left_out.outcome == judge(asked, rule, pull_started_at=NOW, now=at).outcome == "keep"
    assert left_out.reason in {"active", "new"}


@settings(deadline=None, max_examples=500)
@given(one=standing, days=some.integers(1, 400), later=some.floats(0, 1))
def test_whoever_a_verdict_calls_idle_was_due_in_the_pull_that_it_stands_on(
    one: Standing, days: int, later: float
) -> None:
    judged = seat(
        joined_at=one.joined_at, last_act_at=one.last_act_at, covered={"tasks": [(NOW - 900 * DAY, NOW + DAY)]}
    )
    verdict = judge(judged, Rule(days * DAY, "work", "free"), pull_started_at=NOW, now=NOW + later * FRESH)
    if verdict.outcome != "keep":
        assert is_due(one, days * DAY, pull_started_at=NOW)


@settings(deadline=None, max_examples=300)
@given(evidence=moments, act=moments, days=some.integers(1, 400), hours=some.integers(0, 48))
def test_a_later_act_never_makes_anybody_due_and_time_never_settles_anybody(
    evidence: datetime, act: datetime, days: int, hours: int
) -> None:
    threshold, tomorrow = days * DAY, NOW + timedelta(hours=hours)
    now_idle = may_be_idle(evidence, threshold, pull_started_at=NOW)
    assert may_be_idle(max(evidence, act), threshold, pull_started_at=NOW) <= now_idle
    assert now_idle <= may_be_idle(evidence, threshold, pull_started_at=tomorrow)
