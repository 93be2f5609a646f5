"""`seats coverage`: a picture whose gaps can be seen without colour, its totals, and what to do where there is none."""

from datetime import date, timedelta

import pytest

from console.coverage import character, drawn
from store.coverage import Day
from tests.conftest import Database
from tests.console import evidence_rows
from tests.console.conftest import Seats

FIRST = date(2026, 1, 30)  # a Friday


def days(*seen: int, seats: int = 10) -> list[Day]:
    return [Day(FIRST + timedelta(days=place), seats, count) for place, count in enumerate(seen)]


@pytest.mark.parametrize(
    ("seen", "seats", "drawn_as"),
    [(10, 10, "#"), (999, 1000, "9"), (85, 100, "8"), (9, 100, "0"), (0, 100, "."), (0, 0, " ")],
)
def test_a_character_never_says_more_than_was_seen(seen: int, seats: int, drawn_as: str) -> None:
    assert character(Day(FIRST, seats, seen)) == drawn_as


def test_the_picture_names_months_and_mondays_and_shows_the_gap() -> None:
    lines = list(drawn({"tasks": days(10, 10, 10, 0, 5, 10), "audit_log": days(0, 0, 10, 10, 10, 10)}, width=60))
    assert lines == [
        "                 Feb",
        "                  02",
        "tasks          ###.5#",
        "audit log      ..####",
        "",
    ]


def test_what_does_not_fit_goes_on_below() -> None:
    lines = list(drawn({"tasks": days(*[10] * 20)}, width=14))
    assert [line for line in lines if line.startswith("tasks")] == [
        "tasks          ##############",
        "tasks          ######",
    ]
    assert "Feb" in lines[0]
    assert max(map(len, lines)) <= 15 + 14


@pytest.fixture
def known(seats: Seats, database: Database) -> Seats:
    evidence_rows.write_profiles(database)
    evidence_rows.write_people(database)
    return seats


@pytest.mark.services
class TestOfAProfile:
    """With people, windows and gaps in a database."""

    def test_shares_by_day_and_source(self, known: Seats) -> None:
        document = known.ok("coverage", "acme", "--days=60")
        tasks, search = (document["days"][one] for one in ("tasks", "search"))
        assert len(tasks) == len(search) == 60
        # 104 was never asked about, 105 has a gap of ten days in tasks, 103 joined 20 days ago, guests do not count.
        assert [(one["seats"], one["seen"]) for one in (tasks[5], tasks[35], tasks[-1])] == [(4, 3), (4, 2), (5, 4)]
        assert {one["seen"] for one in search[:35]} == {2}
        by_name = {one["source"]: one for one in document["sources"]}
        assert [by_name["tasks"][name] for name in ("seats", "whole", "never", "troubled")] == [5, 3, 1, 0]
        assert [by_name["search"][name] for name in ("seats", "whole", "never", "troubled")] == [5, 3, 1, 1]
        (unknown,) = document["unknown"]
        assert (unknown["source"], unknown["people"]) == ("search", 1)
        assert "1209999999999" not in unknown["reason"]

    def test_the_last_day_counts_up_to_the_newest_coverage(self, known: Seats, database: Database) -> None:
        evidence_rows.execute(
            database,
            """UPDATE coverage SET covered = covered * tstzmultirange(tstzrange(NULL, now() - interval '26 hours'))""",
        )
        tasks = known.ok("coverage", "acme")["days"]["tasks"]
        assert (tasks[-1]["seen"], tasks[-4]["seen"]) == (0, 4)
        assert max(one["seen"] for one in tasks[-3:-1]) == 4  # the day on which the coverage ends

    def test_in_a_terminal_of_any_width(self, known: Seats) -> None:
        wide = known("coverage", "acme", COLUMNS="200").out
        assert "\x1b" not in wide
        assert len([line for line in wide.split("One character")[0].splitlines() if line.startswith("tasks")]) == 1
        assert "The sweep is economical" in wide
        assert "A claim ends before the asking, for late acts (tasks by 2 minutes, search by 2 minutes)." in wide
        narrow = known("coverage", "acme", COLUMNS="50").out
        picture = narrow.split("One character")[0].splitlines()
        assert len([line for line in picture if line.startswith("tasks")]) == 2
        assert max(map(len, picture)) <= 50

    def test_where_the_rule_looks_back_further_it_says_from_when_on_anybody_is_judged(self, known: Seats) -> None:
        assert known.ok("coverage", "acme")["remarks"] == []
        known.ok("profile", "set", "acme", "--threshold-days=100")
        (remark,) = known.ok("coverage", "acme")["remarks"]
        assert "for the next 10 days nobody can be judged by tasks" in remark
        assert remark in known("coverage", "acme").out

    def test_a_stream_counts_for_everybody(self, known: Seats, database: Database) -> None:
        evidence_rows.execute(
            database,
            """INSERT INTO activity_stream SELECT id, 'audit_log',
                      tstzmultirange(tstzrange(now() - interval '30 days', now())), NULL, now(), 'answer 403'
                 FROM profile""",
        )
        document = known.ok("coverage", "acme")
        log = document["days"]["audit_log"]
        assert (log[5]["seen"], log[-10]["seen"]) == (0, 5)
        assert {(one["reason"], one["people"]) for one in document["unknown"]} >= {("answer 403", 5)}

    def test_where_nothing_is_there_it_says_what_to_do(self, known: Seats, database: Database) -> None:
        assert "./seats run download other" in known("coverage", "other").out
        evidence_rows.execute(database, "DELETE FROM coverage")
        told = known("coverage", "acme").out
        assert "./seats run activity acme" in told
        assert "No source was asked yet" in told
        assert known("coverage", "nobody").code == 3
