"""When a schedule is due next: cron expressions in the time zone of the people whose day it is.

On the day when clocks go forward, a time that does not exist is due at the first minute that does. On the day when
they go back, a fixed time is due once, the first time that the clock shows it. Expressions whose minute or hour begins
with a star mean "every so many minutes" and follow real time through both. (cronsim mirrors Debian's cron in this.)
"""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

_FIELDS = 5


def next_due(cron: str, time_zone: str, after: datetime) -> datetime:
    """Return the first moment (UTC) after `after` (aware) at which the expression is due.

    `cron` has five fields: minute, hour, day of the month, month, day of the week. `time_zone` is an IANA name.
    Raises ValueError with a sentence for a person.
    """
    if len(cron.split()) != _FIELDS:
        raise ValueError(f"{cron!r} is no cron expression: give five fields, as in '0 5 * * *'")
    zone = _zone(time_zone)
    after = after.astimezone(UTC)
    try:
        for moment in CronSim(cron, after.astimezone(zone)):
            due: datetime = moment.astimezone(UTC)
            # In the repeated hour of autumn the clock's reading lies after `after`, and its first passing before it.
            if due > after:
                return due
    except CronSimError as error:
        raise ValueError(f"{cron!r} is no cron expression: {str(error).lower()}; one is '0 5 * * *'") from None
    raise ValueError(f"{cron!r} is never due")


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone; one is 'Europe/Berlin'") from None
