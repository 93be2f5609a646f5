"""The member export is read if it can mean one thing only; else it is refused, with a sentence on what is wrong."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.member_import import normalized
from sources.export_dates import NotADate, day_of, order_of
from sources.member_export import ExportRefused, MemberExport, Row, latest_moment, read

EXPORTED = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
DAY = date(2026, 4, 3)


def export(text: str | bytes, email: str | None = None, activity: str | None = None) -> MemberExport:
    content = text.encode() if isinstance(text, str) else text
    return read(content, exported_at=EXPORTED, email_column=email, activity_column=activity)


def dates(*written: str) -> MemberExport:
    return export("Email,Last activity\n" + "".join(f'p{n}@x.example,"{one}"\n' for n, one in enumerate(written)))


@pytest.mark.parametrize("prefix", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_usual_file(prefix: bytes, separator: str, newline: str) -> None:
    lines = [
        '"Name"§"Email address"§"Last Activity Date"',
        '"Lind; Mara, née X"§MARA@Example.com§2026-04-03',
        "K§k@x.example§",
    ]
    assert export(prefix + newline.join(lines).replace("§", separator).encode()) == MemberExport(
        [Row(2, "mara@example.com", DAY), Row(3, "k@x.example", None)]
    )


@pytest.mark.parametrize("email", ["email", "E-mail", "Email Address", "E-MAIL ADDRESS", " e_mail "])
@pytest.mark.parametrize(
    "activity", ["last activity date", "Last active", "Last Activity", "last_active_date", "Last activity (UTC)"]
)
def test_columns_are_known_by_their_names(email: str, activity: str) -> None:
    assert export(f"Role,{activity},{email}\nx,2026-04-03,a@x.example\n").rows == [Row(2, "a@x.example", DAY)]


def test_columns_may_be_named() -> None:
    text = "Work mail,Email,Seen\na@x.example,b@x.example,2026-04-03\n"
    assert export(text, "Work mail", "seen").rows == [Row(2, "a@x.example", DAY)]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "empty"),
        ("\n\n", "empty"),
        ("Name,Email\nMara,m@x.example\n", "No column seems to hold the last activity. The columns are: Name, Email."),
        ("Name,Last activity\nMara,2026-04-03\n", "No column seems to hold the e-mail addresses"),
        ("Email,Last activity,Last active\na@x.example,2026-04-03,2026-05-03\n", "Several columns may hold the last"),
        ("Email,Last activity\na@x.example,\n", "No line has a date"),
        ("Email,Last activity\n", "No line has a date"),
        ('Email,Last activity\n"a@x.example,2026-04-03\n', "not CSV"),
        ('Email,Last activity\n"a@x.example"x,2026-04-03\n', "not CSV"),
        ("Email,Last activity\n".encode("utf-16"), "UTF-16"),
        ("Email,Last activity\n".encode("utf-16-le"), "UTF-16"),
        (b"Email,Last activity\nm\xfcller@x.example,2026-04-03\n", "not UTF-8 (at byte 21)"),
        ("Email,Last activity\na@x.example,03/04/2026\nb@x.example,05/05/2026\n", "Nobody can tell"),
        ("Email,Last activity\na@x.example,13/04/2026\nb@x.example,04/13/2026\n", "Some dates have the day first"),
    ],
)
def test_a_file_that_is_not_clear_is_refused_with_a_sentence(content: str | bytes, says: str) -> None:
    with pytest.raises(ExportRefused) as refused:
        export(content)
    assert says in str(refused.value)


def test_a_column_that_is_named_and_missing_is_said() -> None:
    with pytest.raises(ExportRefused, match="under the name Mail"):
        export("Email,Last activity\na@x.example,2026-04-03\n", "Mail")
    with pytest.raises(ExportRefused, match="One column"):
        export("Email,Last activity\na@x.example,2026-04-03\n", "Email", "Email")


def test_lines_that_are_not_clear_say_nothing_about_anybody() -> None:
    found = export(
        'Email,Name,Last activity\nok@x.example,"two\nlines",2026-04-03\nbad@x.example,x,soon\n,x,2026-04-03\n'
        "short@x.example\nA@x.example,x,2026-04-03\na@X.example,x,\n\nnew@x.example,x,2027-01-01\nnever@x.example,x,Never\n"
    )
    assert found.rows == [Row(2, "ok@x.example", DAY), Row(11, "never@x.example", None)]
    assert sorted(found.problems) == [4, 5, 6, 7, 8, 10]
    assert "another line" in found.problems[8]
    assert "after the export" in found.problems[10]


@pytest.mark.parametrize(
    "written",
    [
        "2026-04-03", "2026/04/03", "2026-04-03T23:59:00Z", "2026-04-03 10:00", "2026-04-03T10:00:00.000+02:00",
        "3.4.2026", "03.04.2026", "Apr 3, 2026", "April 3, 2026", "3 Apr 2026", "03-apr-2026", "Apr 3, 2026, 10:00 AM",
    ],
)  # fmt: skip
def test_ways_to_write_a_day(written: str) -> None:
    assert dates(written).rows == [Row(2, "p0@x.example", DAY)]


def test_one_date_that_shows_its_order_shows_that_of_all() -> None:
    assert [row.last_active_on for row in dates("03/04/2026", "13/04/2026").rows] == [DAY, date(2026, 4, 13)]
    assert [row.last_active_on for row in dates("04/03/2026", "04/13/2026").rows] == [DAY, date(2026, 4, 13)]
    assert [row.last_active_on for row in dates("05/05/2026").rows] == [date(2026, 5, 5)]


@pytest.mark.parametrize(
    "written", ["-", "n/a", "yesterday", "2026-02-30", "45/45/2026", "03/04/26", "1775174400", "٣/٤/٢٠٢٦"]
)
def test_what_is_no_date_is_a_problem_and_never_never(written: str) -> None:
    found = dates(written, "2026-04-03")
    assert list(found.problems) == [2]
    assert [row.line for row in found.rows] == [3]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.dates(date(2000, 1, 1), date(2026, 1, 1)), min_size=1, max_size=8), st.booleans())
def test_a_day_is_read_as_it_was_written_or_not_at_all(days: list[date], day_first: bool) -> None:
    written = [f"{day:%d/%m/%Y}" if day_first else f"{day:%m/%d/%Y}" for day in days]
    try:
        order = order_of(written)
    except NotADate:
        assert all(max(day.day, day.month) <= 12 for day in days)
        return
    assert [day_of(one, order) for one in written] == days


def test_a_day_counts_to_its_end_in_the_last_place_on_earth_and_never_past_the_export() -> None:
    assert latest_moment(DAY, exported_at=EXPORTED) == datetime(2026, 4, 4, 12, tzinfo=UTC)
    assert latest_moment(EXPORTED.date(), exported_at=EXPORTED) == EXPORTED
    assert latest_moment(EXPORTED.date() - timedelta(days=1), exported_at=EXPORTED) == EXPORTED


def test_the_day_that_has_begun_somewhere_is_not_after_the_export() -> None:
    late = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)  # where it is UTC+14, the 26th has just begun
    text = b"Email,Last activity\na@x.example,2026-11-26\n"
    assert read(text, exported_at=late).rows == [Row(2, "a@x.example", date(2026, 11, 26))]
    assert list(read(text, exported_at=late - timedelta(seconds=1)).problems) == [2]


@pytest.mark.parametrize("other", [" Müller@x.example ", "MÜLLER@X.EXAMPLE", "Mu\u0308ller@x.example"])
def test_an_address_is_the_same_however_it_is_written(other: str) -> None:
    assert normalized(other) == normalized("müller@x.example")


def test_a_day_before_there_was_asana_says_nothing() -> None:
    found = dates("0001-01-01", "1970-01-01", "2026-04-03")
    assert [row.line for row in found.rows] == [4]
    assert found.problems[2] == "has a date before there was Asana: 0001-01-01"
