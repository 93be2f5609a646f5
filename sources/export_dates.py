"""Dates as people's programs write them, if they can mean one day only.

03/04/2026 is March or April. A file is written by one program, so all its dates have one order: where any date shows
which, it holds for all; where none does, or two contradict each other, nobody can know.
"""

import re
from collections.abc import Iterable
from datetime import date
from typing import Literal

Order = Literal["day first", "month first"]
"""Of two numbers before a year; None where no date of the file needs to know."""

_YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})", re.ASCII)
_YEAR_LAST = re.compile(r"(\d{1,2})([-/])(\d{1,2})\2(\d{4})", re.ASCII)
_DOTTED = re.compile(r"(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4})", re.ASCII)
_MONTH_NAMED = re.compile(r"([a-z]{3,9})\.? (\d{1,2}),? (\d{4})", re.ASCII)
_DAY_NAMED = re.compile(r"(\d{1,2})[ -]([a-z]{3,9})\.?[ -](\d{4})", re.ASCII)
_TIME = re.compile(
    r"(?:[ t]|, )\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?[ap]m)?(?: ?(?:z|utc|gmt|[+-]\d{2}:?\d{2}))?$", re.ASCII
)
_MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)


class NotADate(ValueError):
    """A sentence on why this is no day that anybody can be sure of."""


def order_of(written: Iterable[str]) -> Order | None:
    """Return the one order in which these dates can be read. NotADate if both are possible and differ, or neither."""
    pairs = [(int(found[1]), int(found[3])) for text in written if (found := _YEAR_LAST.fullmatch(_without_time(text)))]
    pairs = [
        (one, two) for one, two in pairs if max(one, two) <= 31 and min(one, two) <= 12
    ]  # else a line's own matter
    day_first = [pair for pair in pairs if pair[0] > 12]
    month_first = [pair for pair in pairs if pair[1] > 12]
    if day_first and month_first:
        raise NotADate("Some dates have the day first, others the month: nobody can tell which is which.")
    if day_first or month_first:
        return "day first" if day_first else "month first"
    if any(one != two for one, two in pairs):
        raise NotADate("Nobody can tell whether the day or the month is first in its dates: export them as 2026-04-03.")
    return "day first" if pairs else None


def day_of(text: str, order: Order | None) -> date:
    """Return the day of a written date; a time behind it is left out. NotADate if it is none."""
    plain = _without_time(text)
    try:
        if found := _YEAR_FIRST.fullmatch(plain):
            return date(int(found[1]), int(found[3]), int(found[4]))
        if found := _DOTTED.fullmatch(plain):
            return date(int(found[3]), int(found[2]), int(found[1]))
        if found := _MONTH_NAMED.fullmatch(plain):
            return date(int(found[3]), _month(found[1]), int(found[2]))
        if found := _DAY_NAMED.fullmatch(plain):
            return date(int(found[3]), _month(found[2]), int(found[1]))
        if order is not None and (found := _YEAR_LAST.fullmatch(plain)):
            one, two = int(found[1]), int(found[3])
            return date(int(found[4]), *((two, one) if order == "day first" else (one, two)))
    except ValueError:
        pass
    raise NotADate("has a last activity that is no date")


def _without_time(text: str) -> str:
    return _TIME.sub("", text.strip().lower())


def _month(name: str) -> int:
    found = [
        number for number, month in enumerate(_MONTHS, 1) if name in (month, month[:3]) or name == month[:4] == "sept"
    ]
    if not found:
        raise NotADate(name)
    return found[0]
