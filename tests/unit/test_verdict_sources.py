"""The verdict by source: which together are enough, what each may leave open at its end, and what the sentence says."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from rules.evidence import AUDIT_LOG, DECLARATIONS, MEMBER_EXPORT, PRIVATE, READING, UNFOLLOWED, Source, enough
from rules.verdict import FRESH, Rule, Verdict, Window, judge
from tests.unit.seats import DAY, IDLE_SINCE, INSTANT, NOW, PULLED, seat

THRESHOLD = 60 * DAY
PAID, ENTERPRISE = Rule(THRESHOLD, "work", "advanced"), Rule(THRESHOLD, "work", "enterprise")
ANY_USE = Rule(THRESHOLD, "any_use", "enterprise")
ALL = (IDLE_SINCE, PULLED)
Seen = dict[Source, list[Window]]


def verdict_on(covered: Seen, rule: Rule, pulled: datetime = PULLED, **changed: object) -> Verdict:
    return judge(seat(covered=covered, **changed), rule, pull_started_at=pulled, now=NOW)


@pytest.mark.parametrize(
    ("covered", "rule", "expected"),
    [
        ({"tasks": [ALL]}, PAID, "not_covered"),
        ({"search": [ALL]}, PAID, "not_covered"),
        ({"tasks": [ALL], "search": [ALL]}, PAID, "idle"),
        ({"tasks": [ALL], "search": [(IDLE_SINCE + INSTANT, PULLED)]}, PAID, "not_covered"),
        ({"tasks": [ALL]}, Rule(THRESHOLD, "work", "free"), "idle"),
        ({"member_export": [ALL]}, PAID, "not_covered"),
        ({"tasks": [ALL], "search": [ALL]}, ANY_USE, "no_source"),
        ({"tasks": [ALL], "search": [ALL], "audit_log": []}, ANY_USE, "no_source"),
        ({"audit_log": [ALL]}, ANY_USE, "not_covered"),
        ({"tasks": [ALL], "search": [ALL], "audit_log": [ALL]}, ANY_USE, "idle"),
        ({"tasks": [ALL], "audit_log": [ALL]}, Rule(THRESHOLD, "any_use", "advanced"), "no_source"),
        ({"member_export": [ALL]}, ANY_USE, "idle"),
        ({"member_export": [ALL]}, Rule(THRESHOLD, "any_use", "free"), "idle"),
        ({"member_export": [(IDLE_SINCE, PULLED - MEMBER_EXPORT.lag)]}, ANY_USE, "idle"),
        ({"member_export": [(IDLE_SINCE, PULLED - MEMBER_EXPORT.lag - INSTANT)]}, ANY_USE, "not_covered"),
    ],
)
def test_which_sources_have_to_have_seen_everything(covered: Seen, rule: Rule, expected: str) -> None:
    assert verdict_on(covered, rule).reason == expected


@pytest.mark.parametrize("source", ["tasks", "search", "audit_log"])
def test_each_source_may_end_its_lag_before_the_pull_and_no_earlier(source: Source) -> None:
    lag = DECLARATIONS[source].lag
    others: Seen = {"tasks": [ALL], "search": [ALL], "audit_log": [ALL]}
    assert verdict_on(others | {source: [(IDLE_SINCE, PULLED - lag)]}, ANY_USE).outcome == "ready"
    assert verdict_on(others | {source: [(IDLE_SINCE, PULLED - lag - INSTANT)]}, ANY_USE).outcome == "keep"


def test_a_lag_longer_than_the_threshold_does_not_make_a_window_of_nothing_a_proof() -> None:
    rule = Rule(DAY, "any_use", "free")
    assert verdict_on({"member_export": [(NOW - 900 * DAY, NOW - 2 * DAY)]}, rule, NOW - FRESH).outcome == "keep"
    assert verdict_on({"member_export": [(NOW - 900 * DAY, NOW - DAY)]}, rule, NOW - FRESH).outcome == "ready"


@pytest.mark.parametrize(
    ("covered", "outcome", "reason"),
    [
        ({}, "attention_required", "never_seen"),
        ({"member_export": [(NOW - 899 * DAY, PULLED)]}, "attention_required", "never_seen"),
        ({"member_export": [(NOW - 900 * DAY, PULLED)]}, "ready", "never_used"),
        ({"member_export": [(NOW - 900 * DAY, PULLED - MEMBER_EXPORT.lag)]}, "ready", "never_used"),
        ({"member_export": [(NOW - 900 * DAY, PULLED - 2 * DAY)]}, "attention_required", "never_seen"),
        ({"audit_log": [(NOW - 900 * DAY, PULLED - AUDIT_LOG.lag)]}, "ready", "never_used"),
    ],
)
def test_who_was_never_seen_is_ready_only_if_a_source_of_any_use_covers_them_since_they_joined(
    covered: Seen, outcome: str, reason: str
) -> None:
    work: Seen = {"tasks": [(NOW - 900 * DAY, PULLED)], "search": [(NOW - 900 * DAY, PULLED)]}
    verdict = verdict_on(work | covered, ENTERPRISE, last_act_at=None, last_act=None)
    assert (verdict.outcome, verdict.reason) == (outcome, reason)


def test_the_sentence_names_each_source_that_misses_something_and_what() -> None:
    covered: Seen = {"tasks": [(IDLE_SINCE, NOW - 30 * DAY), (NOW - 20 * DAY, PULLED)]}
    assert verdict_on(covered, PAID).why == (
        "what happened since 2026-01-01 was not seen without a gap: tasks has not seen 2026-01-31 06:00 to "
        "2026-02-10 06:00; search has not seen 2026-01-01 06:00 to 2026-03-02 04:58"
    )
    log: Seen = {"tasks": [ALL], "search": [ALL], "audit_log": [(NOW - 9 * DAY, PULLED)]}
    assert verdict_on(log, ANY_USE).why.endswith(": audit_log has not seen 2026-01-01 06:00 to 2026-02-21 06:00"), (
        "the set that comes nearest"
    )


def test_what_could_not_be_seen_is_what_none_of_the_sources_sees_that_covered_the_time() -> None:
    covered: Seen = {"tasks": [ALL], "search": [ALL]}
    assert verdict_on(covered, PAID).unseen == (READING, PRIVATE, UNFOLLOWED)
    short: Seen = {"audit_log": [(NOW - 9 * DAY, PULLED)]}
    assert verdict_on(covered | short, ENTERPRISE).unseen == (READING, PRIVATE, UNFOLLOWED)
    whole: Seen = {"audit_log": [ALL]}
    assert READING not in verdict_on(covered | whole, ENTERPRISE).unseen


sources = some.sampled_from(list(DECLARATIONS))
windows = some.lists(
    some.tuples(some.integers(0, 120), some.integers(0, 120)).map(
        lambda two: (NOW - max(two) * DAY, NOW - min(two) * DAY)
    ),
    max_size=2,
)


@settings(deadline=None, max_examples=500)
@given(
    covered=some.dictionaries(sources, windows),
    rule=some.builds(
        Rule,
        threshold=some.integers(1, 100).map(lambda days: days * DAY),
        evidence=some.sampled_from(["work", "any_use"]),
        plan=some.sampled_from(["free", "starter", "advanced", "enterprise"]),
    ),
    never=some.booleans(),
)
def test_a_candidate_was_seen_by_a_whole_set_of_sources_over_the_whole_time(
    covered: Seen, rule: Rule, never: bool
) -> None:
    act = {"last_act_at": None, "last_act": None} if never else {"last_act_at": NOW - 400 * DAY}
    verdict = verdict_on(covered, rule, **act)
    if verdict.outcome == "keep":
        return
    since = NOW - rule.threshold
    seen = {
        source
        for source, found in covered.items()
        if any(begin <= since and end >= PULLED - DECLARATIONS[source].lag for begin, end in found)
    }
    assert any(seen.issuperset(one) for one in enough(rule.plan, rule.evidence))
    assert (verdict.reason == "idle") == (not never)


def test_the_lag_of_a_source_is_shorter_than_what_a_verdict_may_stand_on() -> None:
    assert all(timedelta(0) <= one.lag <= FRESH for one in DECLARATIONS.values())
