"""How much of each day each source has seen: the figures of `seats coverage`.

A day counts as seen for a seat where the source saw all of it, from joining at the earliest, and to the source's newest
coverage at the latest: what no pull can have seen yet is no gap. Seats of the same coverage are counted together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from psycopg.rows import class_row

from rules.evidence import DECLARATIONS, AsanaPlan, Evidence, Source, enough, sources_of
from store.connect import Connection


@dataclass(frozen=True, slots=True)
class Day:
    """One day (of the profile's time zone) of one source: how many paid seats there were, and how many were seen."""

    day: date
    seats: int
    seen: int


@dataclass(frozen=True, slots=True)
class Totals:
    """One source over all days: `whole` seats were seen from the first day to `newest`, the newest end of coverage.

    `oldest` is the end of coverage of the seat that was seen last longest ago. `never` were not asked about yet,
    `troubled` got no answer the last time.
    """

    source: Source
    seats: int
    whole: int
    never: int
    troubled: int
    oldest: datetime | None
    newest: datetime | None
    asked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Unknown:
    """Why a source does not know people now, without the ids in it: so the same trouble stands together."""

    source: Source
    reason: str
    people: int


@dataclass(frozen=True, slots=True)
class Picture:
    """The whole picture of a profile; `days` by source, each source with the same days."""

    sources: list[Source]
    totals: list[Totals]
    unknown: list[Unknown]
    days: dict[Source, list[Day]] = field(default_factory=dict)


_SEEN = """
WITH seat AS (
    SELECT id, joined_at, greatest(joined_at, %(begin)s) AS since FROM subscription
     WHERE profile_id = %(profile)s AND state = 'active' AND software_model = 'member'),
seen AS (
    SELECT s.since, c.source, c.covered, c.pulled_at, c.trouble
      FROM seat s JOIN coverage c ON c.profile_id = %(profile)s AND c.subscription_id = s.id
    UNION ALL
    SELECT s.since, a.source, a.covered, a.pulled_at, a.trouble
      FROM seat s CROSS JOIN activity_stream a WHERE a.profile_id = %(profile)s),
newest AS (SELECT source, max(upper(covered)) AS at FROM seen GROUP BY source) """

_DAYS = """,
alike AS (SELECT source, covered, since, count(*) AS seats FROM seen GROUP BY source, covered, since),
day AS (SELECT * FROM unnest(%(days)s::date[], %(begins)s::timestamptz[], %(ends)s::timestamptz[])
                   AS d (day, begin, ending))
SELECT a.source, d.day,
       sum(a.seats) FILTER (WHERE CASE WHEN greatest(d.begin, a.since) < least(d.ending, n.at)
           THEN a.covered @> tstzrange(greatest(d.begin, a.since), least(d.ending, n.at)) ELSE false END)
  FROM alike a JOIN newest n USING (source) CROSS JOIN day d
 GROUP BY a.source, d.day"""

_TOTALS = """
SELECT k.source, (SELECT count(*) FROM seat) AS seats,
       count(*) FILTER (WHERE CASE WHEN v.since < n.at THEN v.covered @> tstzrange(v.since, n.at)
                                   ELSE v.since >= n.at END) AS whole,
       (SELECT count(*) FROM seat) - count(v.source) AS never,
       count(v.trouble) AS troubled,
       min(upper(v.covered)) AS oldest, max(upper(v.covered)) AS newest, max(v.pulled_at) AS asked_at
  FROM unnest(%(sources)s::text[]) WITH ORDINALITY AS k (source, place)
  LEFT JOIN seen v ON v.source = k.source
  LEFT JOIN newest n ON n.source = k.source
 GROUP BY k.source, k.place ORDER BY k.place"""

_UNKNOWN = """
SELECT source, regexp_replace(trouble, '[0-9]{5,}', '…', 'g') AS reason, count(*) AS people
  FROM seen WHERE trouble IS NOT NULL GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2"""


async def shown_sources(connection: Connection, profile_id: int) -> list[Source]:
    """Return the sources that say something of a profile: those of its pulls, those that its rule may count, and others
    that have said something before.
    """
    cursor = await connection.execute(
        """SELECT p.plan, coalesce(r.evidence, 'work'),
                  EXISTS (SELECT FROM credential c
                           WHERE c.connection_id = p.connection_id AND c.kind = 'service_account'),
                  ARRAY(SELECT DISTINCT source::text FROM coverage WHERE profile_id = p.id
                         UNION SELECT source::text FROM activity_stream WHERE profile_id = p.id)
             FROM profile p LEFT JOIN reclamation_rule r ON r.profile_id = p.id AND r.software_model = 'member'
            WHERE p.id = %s""",
        [profile_id],
    )
    row = await cursor.fetchone()
    assert row is not None
    return sources_shown(row[0], row[1], with_service_account=row[2], known=row[3])


def sources_shown(
    plan: AsanaPlan, evidence: Evidence, *, with_service_account: bool, known: Sequence[Source]
) -> list[Source]:
    """Return the sources worth a line, in the order of their declarations."""
    counted = {one for sources in enough(plan, evidence) for one in sources}
    shown = {*sources_of(plan, with_service_account=with_service_account), *counted, *known}
    return [one for one in DECLARATIONS if one in shown]


async def picture(connection: Connection, profile_id: int, *, days: int, zone: str, now: datetime) -> Picture:
    """Return the last `days` days, the day of `now` among them, of every source that says something of the profile."""
    dates, begins, ends = _days(days, zone, now)
    sources = await shown_sources(connection, profile_id)
    values = {
        "profile": profile_id,
        "begin": begins[0],
        "days": dates,
        "begins": begins,
        "ends": ends,
        "sources": sources,
    }
    cursor = await connection.execute((_SEEN + _DAYS).encode(), values)
    seen = {(row[0], row[1]): int(row[2] or 0) for row in await cursor.fetchall()}
    seats = await _seats_by_day(connection, profile_id, ends)
    async with connection.cursor(row_factory=class_row(Totals)) as totals:
        await totals.execute((_SEEN + _TOTALS).encode(), values)
        summed = await totals.fetchall()
    async with connection.cursor(row_factory=class_row(Unknown)) as unknown:
        await unknown.execute((_SEEN + _UNKNOWN).encode(), values)
        reasons = await unknown.fetchall()
    by_day = {
        source: [Day(day, count, seen.get((source, day), 0)) for day, count in zip(dates, seats, strict=True)]
        for source in sources
    }
    return Picture(sources, summed, reasons, by_day)


async def _seats_by_day(connection: Connection, profile_id: int, ends: list[datetime]) -> list[int]:
    """Return how many of today's paid seats there were already before each of these moments."""
    cursor = await connection.execute(
        """SELECT count(s.id) FROM unnest(%(ends)s::timestamptz[]) WITH ORDINALITY AS d (ending, place)
             LEFT JOIN subscription s ON s.profile_id = %(profile)s AND s.state = 'active'
                                     AND s.software_model = 'member' AND s.joined_at < d.ending
            GROUP BY d.place ORDER BY d.place""",
        {"profile": profile_id, "ends": ends},
    )
    return [int(row[0]) for row in await cursor.fetchall()]


def _days(days: int, zone: str, now: datetime) -> tuple[list[date], list[datetime], list[datetime]]:
    today = now.astimezone(ZoneInfo(zone)).date()
    dates = [today - timedelta(days=back) for back in reversed(range(days))]
    midnights = [datetime.combine(day, time(), ZoneInfo(zone)) for day in [*dates, today + timedelta(days=1)]]
    return dates, midnights[:-1], midnights[1:]
