"""`seats explain`: every source with its windows and gaps, what it cannot see, and when somebody could become one."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.conftest import Database
from tests.console import evidence_rows
from tests.console.conftest import Seats

pytestmark = pytest.mark.services


@pytest.fixture
def known(seats: Seats, database: Database) -> Seats:
    evidence_rows.write_profiles(database)
    evidence_rows.write_people(database)
    return seats


def test_each_source_with_its_windows_gaps_trouble_and_blind_spots(known: Seats) -> None:
    tasks, search = known.ok("explain", "105")["sources"]
    assert (tasks["source"], len(tasks["covered"]), tasks["trouble"]) == ("tasks", 2, None)
    assert tasks["gaps"] == [{"from": tasks["covered"][0]["to"], "to": tasks["covered"][1]["from"]}]
    assert "reading, logging in and likes" in tasks["unseen"]
    assert (search["covered"], search["asked_at"] is None) == ([], False)
    assert "answer 403" in search["trouble"]
    told = known("explain", "p105@example.com", "--profile=acme").out.splitlines()
    assert sum("NOT SEEN" in line for line in told) == 1
    assert any(line.startswith("search  nothing") and "answer 403" in line for line in told)
    assert any(line.startswith("search sees tasks created") and "It cannot see: reading" in line for line in told)


def test_who_was_never_asked_about(known: Seats) -> None:
    document = known.ok("explain", "104")
    assert [(one["covered"], one["asked_at"]) for one in document["sources"]] == [([], None)] * 2
    assert document["verdict"]["reason"] == "admin"
    assert document["outlook"] == {"earliest": None, "condition": "they are no admin any more"}
    told = known("explain", "104").out
    assert "tasks   nothing" in told
    assert "could become one  only if they are no admin any more" in told


def test_the_earliest_day(known: Seats) -> None:
    ahead = known.ok("explain", "102")["outlook"]
    days = datetime.fromisoformat(ahead["earliest"]) - datetime.now(UTC)
    assert timedelta(days=49) < days < timedelta(days=50)
    assert ahead["condition"] == "no newer act is seen"
    assert "at the earliest, if no newer act is seen" in known("explain", "102").out
    assert known.ok("explain", "103")["outlook"]["condition"] == "they have had the seat for 60 days"


def test_a_candidate_has_no_earliest_day(known: Seats) -> None:
    document = known.ok("explain", "101")
    assert (document["verdict"]["outcome"], document["outlook"]) == ("ready", None)
    assert "could become one" not in known("explain", "101").out


def test_who_is_gone_keeps_the_evidence(known: Seats) -> None:
    document = known.ok("explain", "107")
    assert (document["state"], document["verdict"], document["outlook"]) == ("gone", None, None)
    assert [len(one["covered"]) for one in document["sources"]] == [1, 1]
    assert "has no seat any more: missing" in known("explain", "107").out


def test_who_is_exempt_for_a_time(known: Seats) -> None:
    known.ok("exempt", "add", "acme", "101", "--reason=on leave", "--until=2099-01-31")
    document = known.ok("explain", "101")
    assert document["verdict"]["reason"] == "exempt"
    assert document["outlook"]["earliest"] == "2099-01-31T23:00:00Z"  # the end of the day in Berlin
    known.ok("exempt", "add", "acme", "101", "--reason=for good")
    assert known.ok("explain", "101")["outlook"]["earliest"] is None


def test_a_rule_of_any_use_names_the_sources_that_it_lacks(known: Seats) -> None:
    known.ok("profile", "set", "acme", "--evidence=any-use")
    document = known.ok("explain", "101")
    assert (document["verdict"]["reason"], document["evidence"]) == ("no_source", "any_use")
    assert [one["source"] for one in document["sources"]] == ["tasks", "search", "member_export"]
    assert "a member export of the last 24 hours is imported" in document["outlook"]["condition"]
    assert "without any use" in known("explain", "101").out


def test_where_activity_is_switched_off_no_day_brings_it(known: Seats, database: Database) -> None:
    evidence_rows.execute(database, "UPDATE profile SET activity_enabled = false")
    ahead = known.ok("explain", "102")["outlook"]
    assert ahead == {"earliest": None, "condition": "activity is switched on for the profile"}


def test_a_stream_speaks_of_everybody(known: Seats, database: Database) -> None:
    evidence_rows.execute(
        database,
        """INSERT INTO activity_stream SELECT id, 'audit_log',
                  tstzmultirange(tstzrange(now() - interval '9 days', now() - interval '5 days'),
                                 tstzrange(now() - interval '3 days', now())), 'place', now(), NULL FROM profile""",
    )
    for person in ("101", "104"):
        (stream,) = [one for one in known.ok("explain", person)["sources"] if one["source"] == "audit_log"]
        assert (len(stream["covered"]), len(stream["gaps"])) == (2, 1)


def test_somebody_of_another_organization_is_not_found(known: Seats) -> None:
    assert known("explain", "101", "--profile=other").code == 3
    assert known.ok("explain", "101")["profile"] == "acme"


@pytest.mark.parametrize("more", [[], ["--profile=acme"]])
def test_nobody_has_no_name(known: Seats, more: list[str]) -> None:
    for person in ("", " "):
        ended = known("explain", person, *more)
        assert (ended.code, "say who it is" in ended.err) == (2, True)
