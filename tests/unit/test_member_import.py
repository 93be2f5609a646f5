"""What a member export may say: whom it speaks of, what it may claim, and what speaks against it."""

from datetime import UTC, datetime, timedelta

import pytest

from rules.member_import import (
    FEW,
    Exported,
    Line,
    Matching,
    Member,
    Told,
    doubt_of_dates,
    doubt_of_people,
    doubt_of_time,
    match,
)

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
DAY = timedelta(days=1)
JOINED = NOW - 900 * DAY


def member(number: int, email: str, last_act_at: datetime | None = None) -> Member:
    return Member(number, str(number), email, JOINED, last_act_at)


def told(number: int, line: int, at: datetime | None) -> Told:
    return Told(number, JOINED, line, at, whole=True)


def test_people_are_found_whatever_the_case_of_their_address() -> None:
    people = [member(1, "Mara@Example.com"), member(2, "STRASSE@example.com"), member(3, "ola@example.com")]
    lines = [
        Line(2, " mara@EXAMPLE.com ", NOW - DAY),
        Line(3, "straße@example.com", None),
        Line(4, "who@example.com", NOW),
    ]
    found = match(lines, people, NOW)
    assert found.told == [told(1, 2, NOW - DAY), told(2, 3, None)]
    assert [line.number for line in found.strangers] == [4]


def test_an_address_of_several_people_says_nothing_of_any() -> None:
    found = match([Line(2, "a@x.com", None)], [member(1, "a@x.com"), member(2, "A@x.com")], NOW)
    assert (found.told, [line.number for line in found.unclear]) == ([], [2])


def test_nothing_later_than_the_export_is_told() -> None:
    found = match([Line(2, "a@x.com", NOW + 9 * DAY)], [member(1, "a@x.com")], NOW)
    assert found.told == [told(1, 2, NOW)]


@pytest.mark.parametrize(
    ("said", "seen", "whole"),
    [
        (None, NOW - 5 * DAY, False),
        (NOW - 9 * DAY, NOW - 5 * DAY, False),
        (NOW - 5 * DAY, NOW - 4.5 * DAY, True),
        (NOW - 9 * DAY, NOW - 0.5 * DAY, True),
        (None, None, True),
    ],
    ids=["never", "earlier", "the same day", "since the export", "nothing seen"],
)
def test_a_line_that_knows_less_than_was_seen_claims_nothing(
    said: datetime | None, seen: datetime | None, whole: bool
) -> None:
    found = match([Line(2, "a@x.com", said)], [member(1, "a@x.com", seen)], NOW)
    assert ([one.whole for one in found.told], len(found.contradicted)) == ([whole], 0 if whole else 1)


@pytest.mark.parametrize(
    ("exported", "by_the_file", "doubt"),
    [
        (NOW - DAY, False, None),
        (NOW - DAY, True, None),
        (NOW + DAY, False, "in the future"),
        (NOW - 31 * DAY, False, "older than the last one"),
        (NOW - 10 * DAY, False, "later than an export"),
        (NOW, True, None),
    ],
)
def test_what_speaks_against_a_time(exported: datetime, by_the_file: bool, doubt: str | None) -> None:
    found = doubt_of_time(Exported(exported, by_the_file), NOW - 2 * DAY, NOW - 30 * DAY, NOW, people=FEW)
    assert (found is None) == (doubt is None)
    assert (doubt or "") in (found or "")


def test_the_time_of_a_copied_file_is_not_that_of_the_export() -> None:
    newest = NOW - 5 * DAY
    assert "copied" in (doubt_of_time(Exported(NOW, by_the_file=True), newest, None, NOW, people=FEW) or "")
    assert doubt_of_time(Exported(NOW, by_the_file=False), newest, None, NOW, people=FEW) is None
    in_another_zone = Exported(newest - DAY, by_the_file=False)
    assert doubt_of_time(in_another_zone, newest, None, NOW, people=FEW) is None


@pytest.mark.parametrize(
    ("people", "hours", "believed"),
    [(FEW + 1, 47, True), (FEW + 1, 48, False), (FEW, 48, True), (FEW, 107, True), (FEW, 108, False)],
    ids=["a day later", "two days later", "few people", "few, after a weekend", "few, too long"],
)
def test_how_long_after_its_newest_day_a_file_is_believed(people: int, hours: int, *, believed: bool) -> None:
    day = datetime(2026, 3, 2, tzinfo=UTC)
    exported = Exported(day + timedelta(hours=hours), by_the_file=True)
    doubt = doubt_of_time(exported, day + timedelta(hours=36), None, exported.at, people=people)
    assert (doubt is None) == believed
    assert believed or "of 2026-03-02: it was perhaps copied since; say when it was exported with --exported-at" in (
        doubt or ""
    )


def test_fewer_than_half_of_the_people_are_another_organization() -> None:
    people = [member(number, f"{number}@x.com") for number in range(5)]
    assert doubt_of_people(Matching(told=[told(1, 2, NOW)] * 2), people) is not None
    assert doubt_of_people(Matching(told=[told(1, 2, NOW)] * 3), people) is None


def test_a_column_without_a_date_or_with_too_early_ones_is_another_column() -> None:
    assert "right column" in (doubt_of_dates(Matching(told=[told(1, 2, None)])) or "")
    many = [told(number, number, NOW) for number in range(20)]
    line = Line(2, "a@x.com", None)
    assert doubt_of_dates(Matching(told=many, contradicted=[line])) is None
    assert "other sources" in (doubt_of_dates(Matching(told=many, contradicted=[line] * 2)) or "")
