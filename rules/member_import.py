"""What an imported member export may say of whom: pure, so that nothing but the file and what we know decides.

People are matched by e-mail, upper and lower case alike. An e-mail that several people have claims nothing, nor does a
line that knows less than we saw ourselves. An act is kept in any case: it can only keep somebody.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from unicodedata import normalize

ASANA_BEGAN = datetime(2008, 1, 1, tzinfo=UTC)
"""Nothing was done in Asana before; an earlier time is a slip of the pen."""
LONGEST_SILENCE = timedelta(hours=12)
"""A file's own time is believed so long after its newest day has ended everywhere: one day after its end in UTC.

Whoever exports is in Asana on that day, so a later time is probably that of a copy.
"""
FEW = 20
LONGEST_SILENCE_OF_FEW = timedelta(days=3)
"""So long where the file has at most FEW people, whose console may be behind while nobody works for a weekend.

Where another source saw a later act of one of them, `doubt_of_dates` speaks against the file.
"""
ONE_DAY = timedelta(days=1)
DAY_ANYWHERE = timedelta(hours=50)
"""From the first moment of a day, in the zone that is furthest ahead, to its last one in the zone furthest behind."""


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody with a seat whose e-mail we know."""

    subscription_id: int
    user_gid: str
    email: str
    joined_at: datetime
    last_act_at: datetime | None
    """The last act that other sources saw."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the file: whose, and the end of the day of their last activity (aware); None if there was none."""

    number: int
    email: str
    last_activity_at: datetime | None


@dataclass(frozen=True, slots=True)
class Told:
    """What the file says of a person: their last activity (aware) or none. It is `whole` if it may claim coverage."""

    subscription_id: int
    joined_at: datetime
    line: int
    last_activity_at: datetime | None
    whole: bool


@dataclass(slots=True)
class Matching:
    """Whom the file speaks of, and which of its lines speak of nobody that we know, or may not be believed whole."""

    told: list[Told] = field(default_factory=list)
    strangers: list[Line] = field(default_factory=list)
    unclear: list[Line] = field(default_factory=list)
    """Lines of an e-mail that several of our people have."""
    contradicted: list[Line] = field(default_factory=list)
    """Lines that know of no activity where another source saw some: not the right column, or an older export."""


def match(lines: Iterable[Line], people: Sequence[Member], exported_at: datetime) -> Matching:
    """Say of which people the lines speak; each e-mail is on one line at most."""
    by_email = {normalized(one.email): one for one in people}
    shared = {email for email, count in Counter(normalized(one.email) for one in people).items() if count > 1}
    found = Matching()
    for line in lines:
        email = normalized(line.email)
        member = by_email.get(email)
        if member is None:
            found.strangers.append(line)
        elif email in shared:
            found.unclear.append(line)
        else:
            whole = not _knows_less(line, member, exported_at)
            at = min(line.last_activity_at, exported_at) if line.last_activity_at else None
            found.told.append(Told(member.subscription_id, member.joined_at, line.number, at, whole))
            if not whole:
                found.contradicted.append(line)
    return found


def normalized(email: str) -> str:
    """Return an address as addresses are compared: without spaces around, in one case, composed."""
    return normalize("NFC", email.strip().casefold())


def _knows_less(line: Line, member: Member, exported_at: datetime) -> bool:
    """Say whether another source saw an act that the file should know. A day is borne: its days may be of any zone."""
    if member.last_act_at is None or member.last_act_at >= exported_at - ONE_DAY:
        return False
    return line.last_activity_at is None or line.last_activity_at + ONE_DAY < member.last_act_at


@dataclass(frozen=True, slots=True)
class Exported:
    """When the file was exported (aware), and whether that is only the file's own time."""

    at: datetime
    by_the_file: bool


def doubt_of_time(
    exported: Exported, newest_activity: datetime | None, last_export: datetime | None, now: datetime, *, people: int
) -> str | None:
    """Return why the time of the export is not to be believed as it is; None where nothing speaks against it.

    `newest_activity` is the end of the newest day, wherever it ends last; `people` is how many the file has.
    """
    told = f"{exported.at:%Y-%m-%d %H:%M} UTC"
    if exported.at > now:
        return f"an export of {told} lies in the future"
    if last_export is not None and exported.at < last_export:
        return f"an export of {told} is older than the last one, of {last_export:%Y-%m-%d %H:%M} UTC"
    if newest_activity is None:
        return None
    if newest_activity - DAY_ANYWHERE > exported.at:
        return f"the file knows of activity on {_day(newest_activity)}, later than an export of {told}"
    silence = LONGEST_SILENCE_OF_FEW if people <= FEW else LONGEST_SILENCE
    if exported.by_the_file and exported.at - newest_activity >= silence:
        return (
            f"the file's own time is {told}, but the newest activity in it is of {_day(newest_activity)}: "
            "it was perhaps copied since; say when it was exported with --exported-at"
        )
    return None


def _day(its_end: datetime) -> str:
    """Name the day that ends everywhere at that moment, half a day after its end in UTC."""
    return f"{its_end - timedelta(hours=36):%Y-%m-%d}"


def doubt_of_people(matching: Matching, people: Sequence[Member]) -> str | None:
    """Return why this is probably the export of another organization; None where it holds half of our people."""
    held = len(matching.told)
    if held * 2 >= len(people):
        return None
    return (
        f"the file holds {held:,} of the {len(people):,} people that the profile knows: is it another organization's?"
    )


def doubt_of_dates(matching: Matching) -> str | None:
    """Return why the column of the last activity is probably another one; None where nothing speaks against it."""
    if matching.told and not any(one.last_activity_at for one in matching.told):
        return "no line has a date of last activity: is it the right column?"
    if len(matching.contradicted) * 20 > len(matching.told):
        return (
            f"of {len(matching.contradicted):,} of {len(matching.told):,} people other sources saw later acts than the "
            "file knows: is it the right column, and the right time of the export?"
        )
    return None
