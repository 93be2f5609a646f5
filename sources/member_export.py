"""The source `member_export`: the list of members that Asana's admin console mails as CSV, with last activity dates.

Asana promises no form for this file, so it is read with care: its encoding, its separator, its columns and the order
of day and month must all be clear, or the whole file is refused with a sentence; a line that is not clear is a problem
of its own, and says nothing about anybody. Nothing here is kept: rows go to whoever knows the people.
"""

import csv
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from rules.member_import import ASANA_BEGAN, normalized
from sources.export_dates import NotADate, day_of, order_of

LONGEST = 64 * 1024 * 1024
"""Bytes; a million members are about that much."""

EMAIL = frozenset({"email", "e mail", "email address", "e mail address"})
LAST_ACTIVITY = frozenset(
    f"last {what}{tail}"
    for what in ("activity", "active")
    for tail in ("", " date", " on", " day", " date utc", " utc")
)
NEVER = frozenset({"", "never"})
LAST_PLACE_ON_EARTH = timedelta(hours=12)
"""So long after UTC does a day end in the last zone (UTC-12)."""
FIRST_PLACE_ON_EARTH = timedelta(hours=14)


class ExportRefused(ValueError):
    """The file cannot be read as a member export; its text is a sentence for whoever brought it."""


class ColumnsUnclear(ExportRefused):
    """Which columns are meant is not clear, or a column is not what it should be; it helps to name them."""


@dataclass(frozen=True, slots=True)
class Row:
    """One member: the file's line, the address, as `normalized` writes it, the day of the last activity, or none."""

    line: int
    email: str
    last_active_on: date | None


@dataclass(slots=True)
class MemberExport:
    """What a file says. `problems` are sentences by line; whoever stands on such a line is in no row."""

    rows: list[Row] = field(default_factory=list)
    problems: dict[int, str] = field(default_factory=dict)


def read(
    content: bytes, *, exported_at: datetime, email_column: str | None = None, activity_column: str | None = None
) -> MemberExport:
    """Read a file that was exported at that moment (aware). The columns may be named, else they are known by heart.

    ExportRefused if the file as a whole is not clear.
    """
    header, lines = _table(_text(content))
    email_at = _column(header, email_column, EMAIL, "the e-mail addresses")
    activity_at = _column(header, activity_column, LAST_ACTIVITY, "the last activity")
    if email_at == activity_at:
        raise ColumnsUnclear("One column cannot be both the e-mail address and the last activity.")
    export = MemberExport()
    cells: list[tuple[int, str, str]] = []
    for line, row in lines:
        if len(row) != len(header):
            export.problems[line] = f"has {len(row)} fields, and the first line {len(header)}"
        elif "@" not in (email := normalized(row[email_at])):
            export.problems[line] = "has no e-mail address"
        else:
            cells.append((line, email, row[activity_at].strip()))
    _read_cells(cells, export, exported_at)
    return export


def latest_moment(day: date, *, exported_at: datetime) -> datetime:
    """Return the latest moment that the export can mean: the end of that day where it ends last, not after the export.

    It can only keep a seat longer. The console does not say in whose zone its days are.
    """
    end = datetime.combine(day, time(), UTC) + timedelta(days=1) + LAST_PLACE_ON_EARTH
    return min(end, exported_at)


def _text(content: bytes) -> str:
    if len(content) > LONGEST:
        raise ExportRefused(f"The file is longer than {LONGEST // 1024 // 1024} MiB: it is no member export.")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in content:
        raise ExportRefused("The file is UTF-16 or not text: save it as CSV in UTF-8.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ExportRefused(f"The file is not UTF-8 (at byte {error.start}): save it as CSV in UTF-8.") from None


def _table(text: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the header, and each line that says anything with the number where it begins."""
    first = text.partition("\n")[0]
    rows = _rows(text, ";" if first.count(";") > first.count(",") else ",")
    try:
        lines = [(number, row) for number, row in rows if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise ExportRefused(f"The file is not CSV: {error}.") from None
    if not lines:
        raise ExportRefused("The file is empty.")
    return [cell.strip() for cell in lines[0][1]], lines[1:]


def _rows(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    begins = 1
    for row in reader:
        yield begins, row
        begins = reader.line_num + 1


def _column(header: Sequence[str], chosen: str | None, known: frozenset[str], what: str) -> int:
    wanted = known if chosen is None else frozenset({_plain(chosen)})
    found = [place for place, name in enumerate(header) if _plain(name) in wanted]
    if len(found) == 1:
        return found[0]
    which = "Several columns may hold" if found else "No column seems to hold"
    named = "" if chosen is None else f" under the name {chosen}"
    columns = ", ".join(name or "(no name)" for name in header)
    raise ColumnsUnclear(f"{which} {what}{named}. The columns are: {columns}.")


def _plain(name: str) -> str:
    """Return a column's name without case, signs and spaces around."""
    return " ".join(re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", name).casefold()))


def _read_cells(cells: Sequence[tuple[int, str, str]], export: MemberExport, exported_at: datetime) -> None:
    written = [text for _, _, text in cells if text.casefold() not in NEVER]
    if not written:
        raise ColumnsUnclear("No line has a date of last activity: such a file would say that nobody ever used Asana.")
    try:
        order = order_of(written)
    except NotADate as error:
        raise ExportRefused(str(error)) from None
    times = Counter(email for _, email, _ in cells)
    for line, email, text in cells:
        if times[email] > 1:
            export.problems[line] = "has an e-mail address that is on another line, too"
            continue
        try:
            day = None if text.casefold() in NEVER else _past(day_of(text, order), exported_at)
        except NotADate as error:
            export.problems[line] = str(error)
        else:
            export.rows.append(Row(line, email, day))


def _past(day: date, exported_at: datetime) -> date:
    if datetime.combine(day, time(), UTC) > exported_at + FIRST_PLACE_ON_EARTH:
        raise NotADate(f"has a date after the export: {day.isoformat()}")
    if day < ASANA_BEGAN.date():
        raise NotADate(f"has a date before there was Asana: {day.isoformat()}")
    return day
