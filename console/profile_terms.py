"""What an operator says about a profile, read from the command line: plan, zone, switches, and from when to analyze."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeAlias
from zoneinfo import ZoneInfo, available_timezones

import typer

from console.errors import BadUse
from rules.evidence import AsanaPlan
from rules.member_import import ASANA_BEGAN
from store.profiles import Sweep

USUAL_DAYS = 60
"""How far back activity is analyzed without a word of confirmation: a longer way can take hours of requests."""
BEYOND = "--look-back-beyond-60-days"
MOST_REMOVALS = 10_000
LONGEST_NAME = 120

Plan: TypeAlias = Annotated[
    AsanaPlan, typer.Option(help="The organization's Asana plan; it decides limits and sources.", show_default=False)
]
TimeZone: TypeAlias = Annotated[str, typer.Option(help="The zone of the schedule and of times that are shown.")]
AnalyzeFrom: TypeAlias = Annotated[
    str, typer.Option(help="From when activity is analyzed: a date (2026-10-01), or days back (60d).")
]
Beyond: TypeAlias = Annotated[
    bool, typer.Option(BEYOND, help="Yes, analyze further back: the first pull of activity can take hours.")
]
RemovalCap: TypeAlias = Annotated[int, typer.Option(min=1, max=MOST_REMOVALS, help="Most removals in any 24 hours.")]
Activity: TypeAlias = Annotated[
    bool, typer.Option("--activity/--no-activity", help="Pull activity; without it no candidates are found.")
]
Reclaim: TypeAlias = Annotated[
    bool, typer.Option("--reclaim/--no-reclaim", help="Take seats back; without it there are candidates only.")
]
WhomToAsk: TypeAlias = Annotated[
    Sweep, typer.Option(help="Whom a pull asks about: those whom it can make a difference for, or everybody.")
]


def zone_named(name: str) -> ZoneInfo:
    """Return the time zone; raise BadUse."""
    if name not in available_timezones():
        raise BadUse(f"there is no time zone {name!r}; give one as Europe/Berlin")
    return ZoneInfo(name)


def matching(value: str, pattern: str, sentence: str) -> str:
    """Return the value if it has the form; raise BadUse with the sentence."""
    if not re.fullmatch(pattern, value):
        raise BadUse(f"{sentence}, not {value!r}")
    return value


def name_for_people(text: str) -> str:
    """Return a name as it is shown, without spaces around: one line of printable text; raise BadUse."""
    name = text.strip()
    if not name:
        raise BadUse("--display-name is a name for people")
    if not name.isprintable() or len(name) > LONGEST_NAME:
        raise BadUse(f"--display-name is one line of printable text, at most {LONGEST_NAME} characters")
    return name


def moment_from(text: str, moment: datetime, zone: ZoneInfo, *, beyond: bool) -> datetime:
    """Return from when activity is analyzed, in UTC; raise BadUse for what is no moment, lies ahead or too far back."""
    begin = _moment(text, moment, zone)
    if begin > moment:
        raise BadUse("--analyze-activity-from lies in the future")
    if begin < ASANA_BEGAN:
        raise BadUse(f"--analyze-activity-from lies before {ASANA_BEGAN:%Y}, when there was no Asana")
    days = (moment.astimezone(zone).date() - begin.astimezone(zone).date()).days
    if days > USUAL_DAYS and not beyond:
        raise BadUse(
            f"--analyze-activity-from is {days} days back, the usual most is {USUAL_DAYS}: confirm with {BEYOND}"
        )
    return begin.astimezone(UTC)


def _moment(text: str, moment: datetime, zone: ZoneInfo) -> datetime:
    if re.fullmatch(r"[0-9]{1,4}d", text):
        return moment - timedelta(days=int(text[:-1]))
    try:
        begin = datetime.fromisoformat(text)
    except ValueError:
        raise BadUse("--analyze-activity-from is a date as 2026-10-01, or days back as 60d") from None
    return begin if begin.tzinfo else begin.replace(tzinfo=zone)
