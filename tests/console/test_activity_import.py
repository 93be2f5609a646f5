"""`seats activity import`: whom a member export speaks of, until when, and what is refused; no e-mail of it is kept."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from tests.conftest import Database
from tests.console import evidence_rows
from tests.console.conftest import Seats
from tests.console.test_refusals import assert_refused

pytestmark = pytest.mark.services

USAGE, NOT_FOUND, REFUSED = 2, 3, 4
DAY = timedelta(days=1)
NOW = datetime.now(UTC)


def csv_of(*rows: tuple[str, datetime | str | None], column: str = "Last activity") -> str:
    said = [(email, f"{at:%Y-%m-%d}" if isinstance(at, datetime) else at or "") for email, at in rows]
    return f"Name,Email address,{column}\n" + "".join(f"Somebody,{email},{at}\n" for email, at in said)


FILE = csv_of(
    ("P101@Example.COM", NOW - 100 * DAY),
    ("p102@example.com", NOW - 2 * DAY),
    ("p103@example.com", None),
    ("p104@example.com", NOW - 4 * DAY),
    ("p105@example.com", "soon"),
    ("p106@example.com", NOW - 9 * DAY),
    ("stranger@elsewhere.org", NOW - 5 * DAY),
)


@pytest.fixture
def known(seats: Seats, database: Database) -> Seats:
    evidence_rows.write_profiles(database)
    evidence_rows.write_people(database)
    evidence_rows.execute(database, "DELETE FROM coverage")
    return seats


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(tmp_path / "members.csv", FILE)


def written(path: Path, text: str, at: datetime = NOW - timedelta(hours=2)) -> Path:
    path.write_text(text, encoding="utf-8")
    os.utime(path, (at.timestamp(), at.timestamp()))
    return path


def windows(seats: Seats, person: str) -> list[dict[str, str]]:
    (look,) = [one for one in seats.ok("explain", person)["sources"] if one["source"] == "member_export"]
    covered: list[dict[str, str]] = look["covered"]
    return covered


def rows_of_an_import(database: Database) -> int:
    with psycopg.connect(database.owner_url) as owner:
        row = owner.execute(
            """SELECT (SELECT count(*) FROM member_export) + (SELECT count(*) FROM coverage)
                      + (SELECT count(*) FROM observation WHERE source = 'member_export')"""
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_what_is_imported(known: Seats, file: Path) -> None:
    done = known.ok("activity", "import", "acme", str(file), "--by=Ola")
    assert (done["import"], done["lines"], done["known_people"], done["matched"]) == (1, 7, 6, 5)
    assert (done["with_activity"], done["covered"], done["exported_at_from"]) == (4, 5, "file")
    assert [(one["line"], one["email"]) for one in done["strangers"]] == [(8, "stranger@elsewhere.org")]
    assert done["problems"] == [{"line": 6, "problem": "has a last activity that is no date"}]

    active = known.ok("explain", "102")
    assert (active["source"], active["proof"]) == ("member_export", "member_export/1/line/3")
    (window,) = windows(known, "102")
    assert window["from"] == active["joined_at"]
    assert datetime.fromisoformat(window["to"]) == datetime.fromisoformat(done["exported_at"])
    assert len(windows(known, "103")) == 1, "no date: never used, and covered"
    assert "last_act_at" in known.ok("explain", "103")
    assert known.ok("explain", "103")["last_act_at"] is None
    (listed,) = known.ok("activity", "imports", "acme")["imports"]
    assert (listed["id"], listed["imported_by"], listed["people"], listed["matched"]) == (1, "Ola", 7, 5)


def test_a_line_that_cannot_be_read_claims_nothing(known: Seats, file: Path) -> None:
    known.ok("activity", "import", "acme", str(file))
    document = known.ok("explain", "105")
    assert "member_export" in [one["source"] for one in document["sources"]]
    assert windows(known, "105") == []
    assert document["source"] == "tasks"


def test_it_is_told_to_a_person(known: Seats, file: Path) -> None:
    told = known("activity", "import", "acme", str(file)).out
    assert "Imported as 1: exported" in told
    assert "(the file's own time)" in told
    assert "7 lines; 5 of 6 people found." in told
    assert "1 line of nobody with a seat:" in told
    assert "8     stranger@elsewhere.org" in told
    assert "1 line not clear, so nothing is claimed:" in told
    assert known("activity", "imports", "acme").out.splitlines()[1].split()[-3:-1] == ["7", "5"]


def test_a_rule_of_any_use_stands_on_it(known: Seats, file: Path) -> None:
    (remark,) = known.ok("profile", "set", "acme", "--evidence=any-use")["remarks"]
    assert "until a member export is imported" in remark
    assert known.ok("explain", "101")["verdict"]["reason"] == "no_source"
    known.ok("activity", "import", "acme", str(file))
    assert known.ok("explain", "101")["verdict"]["outcome"] == "ready"
    assert known.ok("explain", "105")["verdict"]["outcome"] == "keep"
    active = known.ok("explain", "102")
    assert (active["verdict"]["reason"], active["outlook"]["condition"]) == ("active", "no newer act is seen")
    assert known.ok("profile", "set", "acme", "--evidence=any-use")["remarks"] == []


def test_no_address_of_the_file_is_kept(known: Seats, file: Path, database: Database) -> None:
    with psycopg.connect(database.owner_url) as owner:
        owner.execute("DELETE FROM person WHERE user_gid = '106'")
    known.ok("activity", "import", "acme", str(file), "--by=Ola")
    with psycopg.connect(database.owner_url) as owner:
        tables = owner.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        ).fetchall()
        for (table,) in tables:
            rows = " ".join(str(row) for row in owner.execute(f'SELECT t::text FROM "{table}" t'.encode()).fetchall())
            assert "elsewhere.org" not in rows, table
            assert "p106@example.com" not in rows.lower(), table


def test_a_dry_run_keeps_nothing(known: Seats, file: Path, database: Database) -> None:
    done = known.ok("activity", "import", "acme", str(file), "--dry-run")
    assert (done["import"], done["matched"]) == (None, 5)
    assert rows_of_an_import(database) == 0
    assert "Nothing was kept (--dry-run)" in known("activity", "import", "acme", str(file), "--dry-run").out


def test_the_same_file_again_is_refused_also_by_force(known: Seats, file: Path, database: Database) -> None:
    known.ok("activity", "import", "acme", str(file))
    before = rows_of_an_import(database)
    for more in ([], ["--force"]):
        assert_refused(known("activity", "import", "acme", str(file), *more), REFUSED, "already, as 1,", "by Ola")
    assert rows_of_an_import(database) == before


def test_from_standard_input_its_time_has_to_be_said(known: Seats) -> None:
    assert_refused(known("activity", "import", "acme", "-", stdin=FILE), USAGE, "--exported-at")
    at = (NOW - timedelta(hours=3)).isoformat()
    done = known.ok("activity", "import", "acme", "-", f"--exported-at={at}", stdin=FILE)
    assert (done["exported_at_from"], datetime.fromisoformat(done["exported_at"])) == (
        "operator",
        NOW - timedelta(hours=3),
    )
    assert_refused(known("activity", "import", "acme", "-", "--exported-at=today", stdin=FILE), USAGE, "'today'")


@pytest.mark.parametrize("at", ["0001-01-01T00:00+14:00", "0001-01-01", "9999-12-31T23:00-14:00", "2007-12-31"])
def test_a_time_at_which_nothing_was_exported(known: Seats, at: str) -> None:
    ended = known("activity", "import", "acme", "-", f"--exported-at={at}", stdin=FILE)
    assert_refused(ended, USAGE, f"--exported-at {at} is no time")


def test_the_columns_are_spoken_of_only_where_they_matter(known: Seats) -> None:
    def refused(text: str) -> str:
        return known("activity", "import", "acme", "-", f"--exported-at={NOW.isoformat()}", stdin=text).err

    assert "columns are named with" in refused(csv_of(column="Joined"))
    assert "columns are named with" not in refused(csv_of(("p101@example.com", "03/04/2026")))


def test_times_that_are_not_believed(known: Seats, tmp_path: Path, database: Database) -> None:
    def bring(*more: str, at: datetime = NOW - timedelta(hours=2), text: str = FILE) -> list[str]:
        return ["activity", "import", "acme", str(written(tmp_path / "members.csv", text, at)), *more]

    assert_refused(known(*bring(at=NOW + 2 * DAY)), REFUSED, "lies in the future", "--force")
    old = csv_of(*((f"p{number}@example.com", NOW - 60 * DAY) for number in (101, 103, 104, 106)))
    assert_refused(known(*bring(text=old)), REFUSED, "copied", "--exported-at")
    assert_refused(known(*bring(f"--exported-at={NOW - 8 * DAY:%Y-%m-%d}")), REFUSED, "later than an export")
    copied = csv_of(("p101@example.com", NOW - 2 * DAY), *((f"x{number}@x.com", NOW - 3 * DAY) for number in range(25)))
    assert_refused(known(*bring(at=NOW, text=copied)), REFUSED, "copied", "--exported-at")
    assert rows_of_an_import(database) == 0
    known.ok(*bring())
    earlier = csv_of(*((f"p{number}@example.com", NOW - 20 * DAY) for number in (101, 103, 104, 106)))
    older = f"--exported-at={NOW - 19 * DAY:%Y-%m-%d}"
    assert_refused(known(*bring(older, text=earlier)), REFUSED, "older than the last one")
    assert known.ok(*bring(older, "--force", text=earlier))["import"] == 2


def test_by_force_nothing_later_than_now_is_claimed(known: Seats, tmp_path: Path) -> None:
    path = written(tmp_path / "members.csv", FILE, NOW + 2 * DAY)
    done = known.ok("activity", "import", "acme", str(path), "--force")
    assert datetime.fromisoformat(done["exported_at"]) <= datetime.now(UTC)
    assert "in the future" in done["doubts"][0]


def test_the_export_of_another_organization_is_refused(known: Seats, tmp_path: Path, database: Database) -> None:
    other = csv_of(("p101@example.com", NOW - DAY), *((f"x{number}@x.com", NOW - DAY) for number in range(9)))
    path = str(written(tmp_path / "other.csv", other))
    assert_refused(known("activity", "import", "acme", path), REFUSED, "1 of the 6 people", "another organization")
    assert rows_of_an_import(database) == 0
    assert_refused(known("activity", "import", "other", path), REFUSED, "./seats run download other")


def test_a_column_that_knows_less_than_was_seen_is_refused(known: Seats, tmp_path: Path, database: Database) -> None:
    wrong = csv_of(*((f"p{number}@example.com", NOW - 300 * DAY) for number in range(101, 107)), column="Joined")
    path = str(written(tmp_path / "members.csv", wrong))
    assert_refused(known("activity", "import", "acme", path), USAGE, "--last-activity-column")
    told = known(
        "activity", "import", "acme", path, "--last-activity-column=joined", f"--exported-at={NOW.isoformat()}"
    )
    assert_refused(told, REFUSED, "right column")
    assert rows_of_an_import(database) == 0


def test_what_cannot_be_read_at_all(known: Seats, tmp_path: Path) -> None:
    assert_refused(known("activity", "import", "acme", str(tmp_path / "none.csv")), USAGE, "cannot be read")
    path = tmp_path / "members.csv"
    path.write_bytes("Name".encode("utf-16"))
    assert_refused(known("activity", "import", "acme", str(path)), USAGE, "UTF-8")
    assert_refused(known("activity", "import", "nobody", str(path)), NOT_FOUND, "no profile nobody")


def test_where_nothing_was_imported(known: Seats) -> None:
    assert "./seats activity import acme members.csv" in known("activity", "imports", "acme").out
