"""Who is asked about, and from when on: the paid seats as they stand before a pull, and each person's windows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.rows import class_row

from rules.economy import SLACK, Standing
from store.connect import Connection


@dataclass(frozen=True, slots=True)
class Person:
    """A paid seat to ask about; times are aware.

    `tasks_since` and `search_since` are where the source's unbroken window ends, a day earlier (or the look-back).
    `seen_until` is up to when both task sources have seen them without a gap since the threshold; None if there is one.
    """

    subscription_id: int
    user_gid: str
    joined_at: datetime
    last_act_at: datetime | None
    was_asked: bool
    tasks_since: datetime
    search_since: datetime
    seen_until: datetime | None


_STANDINGS = """
SELECT s.id AS subscription_id, s.joined_at, l.acted_at AS last_act_at,
       s.is_admin OR c.user_gid IS NOT NULL OR e.user_gid IS NOT NULL AS excused,
       coalesce(v.covered <> '{}', false) AS was_asked
  FROM subscription s
  JOIN profile p ON p.id = s.profile_id
  LEFT JOIN (SELECT DISTINCT connection_id, user_gid FROM credential) c
         ON c.connection_id = p.connection_id AND c.user_gid = s.user_gid
  LEFT JOIN exemption e ON e.profile_id = s.profile_id AND e.user_gid = s.user_gid
                       AND (e.until IS NULL OR e.until > %(outlasts)s)
  LEFT JOIN coverage v ON (v.profile_id, v.subscription_id, v.source) = (s.profile_id, s.id, 'tasks')
  LEFT JOIN coverage f ON (f.profile_id, f.subscription_id, f.source) = (s.profile_id, s.id, 'search')
  LEFT JOIN LATERAL (SELECT acted_at FROM observation o
                      WHERE o.profile_id = s.profile_id AND o.subscription_id = s.id
                      ORDER BY acted_at DESC LIMIT 1) AS l ON true
 WHERE s.profile_id = %(profile)s AND s.state = 'active' AND s.software_model = 'member' """
_NOT_ASKED = "AND (v.pulled_at IS NULL OR v.pulled_at < %(started)s)"
_ASKED_BY_TASKS_ONLY = """AND v.pulled_at >= %(started)s AND v.trouble IS NULL
                          AND (f.pulled_at IS NULL OR f.pulled_at < %(started)s)"""


async def standings(connection: Connection, profile_id: int, *, pull_started_at: datetime) -> list[Standing]:
    """Return every paid seat that this pull has not asked about yet, with what is known of it."""
    return await _standings(connection, profile_id, pull_started_at, _NOT_ASKED)


async def asked_by_tasks_only(connection: Connection, profile_id: int, *, pull_started_at: datetime) -> list[Standing]:
    """Return every paid seat of which this pull has seen the tasks, but has not searched for it yet."""
    return await _standings(connection, profile_id, pull_started_at, _ASKED_BY_TASKS_ONLY)


async def _standings(connection: Connection, profile_id: int, started: datetime, which: str) -> list[Standing]:
    values = {"profile": profile_id, "started": started, "outlasts": started + SLACK}
    async with connection.cursor(row_factory=class_row(Standing)) as cursor:
        await cursor.execute((_STANDINGS + which).encode(), values)
        return await cursor.fetchall()


_PEOPLE = """
SELECT s.id AS subscription_id, s.user_gid, s.joined_at, l.acted_at AS last_act_at,
       coalesce(t.covered <> '{}', false) AS was_asked,
       coalesce((SELECT upper(w) - interval '1 day' FROM unnest(t.covered) AS w WHERE w @> p.analyze_activity_from),
                p.analyze_activity_from) AS tasks_since,
       coalesce((SELECT upper(w) - interval '1 day' FROM unnest(f.covered) AS w WHERE w @> p.analyze_activity_from),
                p.analyze_activity_from) AS search_since,
       (SELECT least(upper(a), upper(b)) FROM unnest(t.covered) AS a, unnest(f.covered) AS b
         WHERE a @> n.since AND b @> n.since) AS seen_until
  FROM subscription s
  JOIN profile p ON p.id = s.profile_id
 CROSS JOIN LATERAL (SELECT greatest(s.joined_at, %(began)s) AS since) AS n
  LEFT JOIN coverage t ON (t.profile_id, t.subscription_id, t.source) = (s.profile_id, s.id, 'tasks')
  LEFT JOIN coverage f ON (f.profile_id, f.subscription_id, f.source) = (s.profile_id, s.id, 'search')
  LEFT JOIN LATERAL (SELECT acted_at FROM observation o
                      WHERE o.profile_id = s.profile_id AND o.subscription_id = s.id
                      ORDER BY acted_at DESC LIMIT 1) AS l ON true
 WHERE s.profile_id = %(profile)s AND s.id = ANY (%(ids)s::bigint[])
   AND s.state = 'active' AND s.software_model = 'member'"""


async def people(
    connection: Connection, profile_id: int, ids: Sequence[int], *, threshold: timedelta, now: datetime
) -> list[Person]:
    """Return those of these subscriptions that are paid seats now, in the order given."""
    async with connection.cursor(row_factory=class_row(Person)) as cursor:
        await cursor.execute(_PEOPLE.encode(), {"profile": profile_id, "ids": list(ids), "began": now - threshold})
        found = {one.subscription_id: one for one in await cursor.fetchall()}
    return [found[one] for one in ids if one in found]


async def count_paid_seats(connection: Connection, profile_id: int) -> int:
    """Return how many paid seats there are."""
    cursor = await connection.execute(
        "SELECT count(*) FROM subscription WHERE profile_id = %s AND state = 'active' AND software_model = 'member'",
        [profile_id],
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])
