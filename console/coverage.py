"""`seats coverage`: which days each source has seen, for how many of the paid seats, and whom it does not know and why.

Readable without colour: a character says how many of ten seats were seen. It is as wide as the terminal allows: where
the days do not fit, they go on below.
"""

import shutil
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Annotated

import typer

from console.finding import ProfileName, a_profile
from console.output import UNBOUNDED, AsJson, Sheet, at, named, show
from console.profile_rule import remarks_on
from console.session import database, now, run
from console.style import examples
from rules.evidence import DECLARATIONS, Source
from store import coverage as figures
from store.coverage import Day, Picture, Totals
from store.profiles import Profile

HELP = examples("coverage acme", "coverage acme --days 90", "coverage acme --json")
LEGEND = (
    "One character a day: # every paid seat was seen completely, 9 at least 90 %, 8 at least 80 % ... 0 some, . none."
)
ECONOMICAL = "The sweep is economical: tasks and search are asked only where an answer could change a decision."
MARGIN = 15
"""Columns to the left of the days: the longest source's name and two more."""
NARROWEST = 14
MONDAY = 0
ONE_MINUTE = timedelta(minutes=1)


def coverage(
    profile: ProfileName,
    days: Annotated[int, typer.Option("--days", min=1, max=1000, help="How many days, today among them.")] = 60,
    as_json: AsJson = False,
) -> None:
    """Show by day and source how many of the paid seats were seen completely, and where the gaps are.

    The last day of a source counts up to its newest coverage. People whom a source does not know are grouped by reason.
    """

    async def read() -> tuple[Profile, Picture, list[str]]:
        async with database() as connection:
            found, moment = await a_profile(connection, profile), now()
            seen = await figures.picture(connection, found.id, days=days, zone=found.time_zone, now=moment)
            return found, seen, await remarks_on(connection, found, moment)

    found, seen, remarks = run(read())
    show(_document(found, seen) | {"remarks": remarks}, *_told(found, seen), *remarks, as_json=as_json)


def _told(profile: Profile, seen: Picture) -> list[Sheet | str]:
    if not any(one.seats for one in seen.totals):
        return [f"Nobody with a paid seat is known yet. Next: ./seats run download {profile.name}"]
    totals = _totals(profile, seen.totals)
    if not any(one.asked_at for one in seen.totals):
        return [f"No source was asked yet, so nobody is known to be idle. {_next(profile)}", totals]
    width = shutil.get_terminal_size((UNBOUNDED, 24)).columns
    lines = list(drawn(seen.days, max(NARROWEST, width - MARGIN)))
    legend = [LEGEND, ECONOMICAL] if profile.sweep == "economical" else [LEGEND]
    return ["\n".join([*lines, *legend, ""]), totals, _lags(seen.sources), *_unknown(seen)]


def _lags(sources: Sequence[Source]) -> str:
    """Say why a source claims less than it was asked for: some of what happened last shows in it only later."""
    late = [
        f"{source.replace('_', ' ')} by {named(DECLARATIONS[source].lag // ONE_MINUTE, 'minute')}"
        for source in sources
        if source != "member_export"
    ]
    told = f"A claim ends before the asking, for late acts ({', '.join(late)})" if late else ""
    export = "a member export claims until it was exported" if "member_export" in sources else ""
    return f"{'; '.join(filter(None, (told, export)))}."


def _next(profile: Profile) -> str:
    if not profile.activity_enabled:
        return f"Its activity is switched off: ./seats profile show {profile.name}"
    if profile.status != "published":
        return f"Next: ./seats profile publish {profile.name}"
    return f"Next: ./seats run activity {profile.name}"


def drawn(days: dict[Source, list[Day]], width: int) -> Iterator[str]:
    """Draw the days of each source, at most `width` of them beside each other; Mondays are named above."""
    sources = list(days)
    every = [one.day for one in days[sources[0]]]
    for first in range(0, len(every), width):
        block = slice(first, first + width)
        yield from (f"{'':{MARGIN}}{line}".rstrip() for line in _ruler(every[block]))
        for source in sources:
            row = "".join(character(one) for one in days[source][block])
            yield f"{source.replace('_', ' '):{MARGIN}}{row}"
        yield ""


def character(day: Day) -> str:
    """Return one character for the share of seats that were seen; a space for a day before anybody joined."""
    if day.seats == 0:
        return " "
    if day.seen == 0:
        return "."
    return "#" if day.seen >= day.seats else str(day.seen * 10 // day.seats)


def _ruler(days: Sequence[date]) -> tuple[str, str]:
    """Return two lines that name months and Mondays; a name never reaches into the next one, nor over the last day."""
    months, numbers = [" "] * len(days), [" "] * len(days)
    free = 0
    for place, day in enumerate(days):
        if day.weekday() == MONDAY and place + 2 <= len(days):
            numbers[place : place + 2] = f"{day:%d}"
        begins = day.day == 1 or (place == 0 and all(one.day > 1 for one in days[1:4]))
        if begins and place >= free and place + 3 <= len(days):
            months[place : place + 3] = f"{day:%b}"
            free = place + 4
    return "".join(months), "".join(numbers)


def _totals(profile: Profile, totals: Sequence[Totals]) -> Sheet:
    zone = profile.time_zone
    rows = [
        (
            one.source.replace("_", " "),
            f"{one.whole:,} of {one.seats:,}",
            f"{one.never:,}",
            f"{one.troubled:,}",
            at(one.oldest, zone) or "nothing",
            at(one.newest, zone) or "nothing",
            at(one.asked_at, zone) or "never",
        )
        for one in totals
    ]
    columns = (
        "source",
        "seen on all days",
        "never asked",
        "no answer",
        "oldest claim until",
        "newest claim until",
        "asked at",
    )
    return Sheet(columns, rows, numbers=frozenset(columns[1:4]))


def _unknown(seen: Picture) -> list[Sheet | str]:
    if not seen.unknown:
        return []
    rows = [(named(one.people, "person", "people"), one.source.replace("_", " "), one.reason) for one in seen.unknown]
    return ["\nNot known the last time, and therefore kept:", Sheet(("", "source", "why"), rows)]


def _document(profile: Profile, seen: Picture) -> dict[str, object]:
    names = "source seats whole never troubled oldest newest asked_at"
    return {
        "profile": profile.name,
        "time_zone": profile.time_zone,
        "sources": [{name: getattr(one, name) for name in names.split()} for one in seen.totals],
        "days": {
            source: [{"day": one.day, "seats": one.seats, "seen": one.seen} for one in days]
            for source, days in seen.days.items()
        },
        "unknown": [{"source": one.source, "reason": one.reason, "people": one.people} for one in seen.unknown],
    }
