"""When a schedule is due next, on the days when clocks change too."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from rules.schedule import next_due

BERLIN = ZoneInfo("Europe/Berlin")


def berlin(month: int, day: int, hour: int, minute: int = 0, fold: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=BERLIN, fold=fold)


@pytest.mark.parametrize(
    ("cron", "after", "due"),
    [
        ("0 5 * * *", berlin(1, 10, 4, 59), "2026-01-10T04:00"),
        ("0 5 * * *", berlin(1, 10, 5), "2026-01-11T04:00"),
        ("0 5 * * *", berlin(7, 10, 4), "2026-07-10T03:00"),
        ("30 6 * * MON-FRI", berlin(1, 9, 7), "2026-01-12T05:30"),
        ("0 0 29 2 *", berlin(1, 1, 0), "2028-02-28T23:00"),
        # 29 March 2026: 02:00 to 03:00 does not exist, so 02:30 is due at 03:00 (01:00 UTC), and only once.
        ("30 2 * * *", berlin(3, 28, 3), "2026-03-29T01:00"),
        ("30 2 * * *", berlin(3, 29, 3), "2026-03-30T00:30"),
        ("*/30 * * * *", berlin(3, 29, 1, 30), "2026-03-29T01:00"),
        # 25 October 2026: 02:00 to 03:00 comes twice; a fixed time is due the first time only.
        ("30 2 * * *", berlin(10, 25, 1), "2026-10-25T00:30"),
        ("30 2 * * *", berlin(10, 25, 2, 30), "2026-10-26T01:30"),
        ("50 2 * * *", berlin(10, 25, 2, 45, fold=1), "2026-10-26T01:50"),
        ("50 2 * * *", berlin(10, 25, 2, 55, fold=1), "2026-10-26T01:50"),
        # Every so many minutes goes on through both passings.
        ("*/30 * * * *", berlin(10, 25, 2, 30), "2026-10-25T01:00"),
        ("*/30 * * * *", berlin(10, 25, 2, 0, fold=1), "2026-10-25T01:30"),
    ],
)
def test_the_next_time(cron: str, after: datetime, due: str) -> None:
    assert next_due(cron, "Europe/Berlin", after) == datetime.fromisoformat(due).replace(tzinfo=UTC)


def test_a_year_of_days_has_one_due_time_each_and_each_is_later() -> None:
    moment, found = datetime(2025, 12, 31, 23, tzinfo=UTC), []
    while (moment := next_due("30 2 * * *", "Europe/Berlin", moment)).year < 2027:
        found.append(moment)
    assert found == sorted(set(found))
    assert len({one.astimezone(BERLIN).date() for one in found}) == len(found) == 365


def test_a_half_hour_zone() -> None:
    assert next_due("0 5 * * *", "Asia/Kolkata", datetime(2026, 1, 1, tzinfo=UTC)).isoformat() == (
        "2026-01-01T23:30:00+00:00"
    )


@pytest.mark.parametrize(
    ("cron", "time_zone", "why"),
    [
        ("daily", "UTC", "give five fields"),
        ("0 5 * * * *", "UTC", "give five fields"),
        ("", "UTC", "give five fields"),
        ("61 5 * * *", "UTC", "bad minute"),
        ("0 5 * * FUNDAY", "UTC", "bad day-of-week"),
        ("0 0 31 2 *", "UTC", "bad day-of-month"),
        ("0 5 * * *", "Europe/Atlantis", "no time zone"),
        ("0 5 * * *", "../etc/passwd", "no time zone"),
        ("0 5 * * *", "Europe", "no time zone"),
        ("0 5 * * *", "", "no time zone"),
    ],
)
def test_what_is_refused(cron: str, time_zone: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        next_due(cron, time_zone, datetime(2026, 1, 1, tzinfo=UTC))
