"""The earliest day on which somebody could become a candidate: held against the verdict of that day."""

from datetime import UTC, datetime, timedelta

import pytest

from rules.evidence import AsanaPlan, Evidence, Source, enough
from rules.outlook import Since, outlook, sight_of_stream
from rules.verdict import Rule, Seat, judge

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
DAY = timedelta(days=1)
LOOK_BACK = NOW - 40 * DAY


def seat(**change: object) -> Seat:
    known: dict[str, object] = {
        "software_model": "member",
        "is_admin": False,
        "is_ours": False,
        "exempt_because": None,
        "joined_at": NOW - 900 * DAY,
        "last_act_at": NOW - 10 * DAY,
        "last_act": "task_completed (task/7)",
        "covered": {},
    }
    return Seat(**(known | change))  # type: ignore[arg-type] # what each case changes


def rule(plan: AsanaPlan = "starter", evidence: Evidence = "work") -> Rule:
    return Rule(60 * DAY, evidence, plan)


def all_since(moment: datetime, *sources: Source) -> Since:
    return dict.fromkeys(sources or ("tasks", "search"), moment)


@pytest.mark.parametrize(
    ("who", "since", "days", "condition"),
    [
        (seat(), LOOK_BACK - 60 * DAY, 50, "no newer act"),
        (seat(joined_at=NOW - 5 * DAY), LOOK_BACK, 55, "had the seat for 60 days"),
        (seat(last_act_at=None), LOOK_BACK, 20, "tasks and search saw all of 60 days"),
        (seat(last_act_at=NOW - 100 * DAY), LOOK_BACK - 60 * DAY, 0, "the next pull sees everything"),
    ],
    ids=["active", "new", "looked at since a while ago", "only a gap"],
)
def test_the_day_is_the_first_on_which_the_verdict_is_another(
    who: Seat, since: datetime, days: int, condition: str
) -> None:
    found = outlook(who, rule(), all_since(since), exempt_until=None, now=NOW)
    assert found.earliest == NOW + days * DAY
    assert condition in found.condition

    def verdict_on(moment: datetime) -> str:
        windows = {source: [(max(since, who.joined_at), moment)] for source in ("tasks", "search")}
        judged = seat(joined_at=who.joined_at, last_act_at=who.last_act_at, covered=windows)
        return judge(judged, rule(), pull_started_at=moment, now=moment).outcome

    just_after = timedelta(seconds=1)
    assert verdict_on(found.earliest + just_after) != "keep"
    if days:
        assert verdict_on(found.earliest - just_after) == "keep"


@pytest.mark.parametrize(
    ("change", "condition"),
    [
        ({"software_model": "guest"}, "paid"),
        ({"is_admin": True}, "admin"),
        ({"is_ours": True}, "another account"),
        ({"exempt_because": "on leave"}, "exemption is removed"),
    ],
)
def test_no_day_brings_what_only_a_change_can(change: dict[str, object], condition: str) -> None:
    found = outlook(seat(**change), rule(), all_since(LOOK_BACK), exempt_until=None, now=NOW)
    assert found.earliest is None
    assert condition in found.condition


def test_an_exemption_that_ends_is_waited_for() -> None:
    until = NOW + 200 * DAY
    found = outlook(seat(exempt_because="on leave"), rule(), all_since(LOOK_BACK), exempt_until=until, now=NOW)
    assert (found.earliest, found.condition) == (until, "the exemption has ended")


def test_a_source_that_is_not_connected_is_asked_for() -> None:
    found = outlook(seat(), rule("enterprise", "any_use"), all_since(LOOK_BACK), exempt_until=None, now=NOW)
    assert found.earliest is None
    assert "service account" in found.condition
    assert "member export" in found.condition


def test_the_sources_that_are_whole_first_decide() -> None:
    sources = {source for one in enough("enterprise", "any_use") for source in one}
    since = dict.fromkeys(sources, NOW - 20 * DAY) | {"member_export": NOW - 2000 * DAY}
    found = outlook(seat(last_act_at=None), rule("enterprise", "any_use"), since, exempt_until=None, now=NOW)
    assert found.earliest == NOW


def test_a_stream_goes_back_through_windows_whose_gaps_asana_still_keeps() -> None:
    keeps = NOW - 90 * DAY
    joined = [(NOW - 200 * DAY, NOW - 80 * DAY), (NOW - 50 * DAY, NOW)]
    assert sight_of_stream(joined, keeps_since=keeps, now=NOW) == NOW - 200 * DAY
    assert sight_of_stream([(NOW - 200 * DAY, NOW - 91 * DAY)], keeps_since=keeps, now=NOW) == keeps
    assert sight_of_stream([], keeps_since=keeps, now=NOW) == keeps
