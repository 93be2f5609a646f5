"""The seats that a verdict is made of: each active subscription with its evidence, its exemptions and its candidate.

What a stream of the whole organization covered, it covered for everybody.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from psycopg.rows import class_row

from messages.events import CandidateState
from rules.evidence import Source
from rules.verdict import Covered, Rule, Seat, Window
from store.connect import Connection


@dataclass(frozen=True, slots=True)
class Judged:
    """A subscription as it is judged, and its open candidate if it has one."""

    subscription_id: int
    user_gid: str
    seat: Seat
    candidate_id: int | None
    candidate_state: CandidateState | None
    candidate_reason: str | None


@dataclass(frozen=True, slots=True)
class _Row:
    id: int
    user_gid: str
    software_model: str
    is_admin: bool
    joined_at: datetime
    is_ours: bool
    exempt_because: str | None
    acted_at: datetime | None
    act: str | None
    proof: str | None
    sources: list[Source]
    begins: list[datetime]
    ends: list[datetime]
    candidate_id: int | None
    candidate_state: CandidateState | None
    candidate_reason: str | None


_SEATS = """
SELECT s.id, s.user_gid, s.software_model, s.is_admin, s.joined_at,
       EXISTS (SELECT FROM credential c WHERE c.connection_id = p.connection_id AND c.user_gid = s.user_gid) AS is_ours,
       e.reason AS exempt_because, l.acted_at, l.act, l.proof,
       v.sources, v.begins, v.ends,
       k.id AS candidate_id, k.state AS candidate_state,
       k.verdict ->> 'reason' AS candidate_reason
  FROM subscription s
  JOIN profile p ON p.id = s.profile_id
  LEFT JOIN exemption e ON e.profile_id = s.profile_id AND e.user_gid = s.user_gid
                       AND (e.until IS NULL OR e.until > %(now)s)
  LEFT JOIN LATERAL (SELECT acted_at, act, proof FROM observation o
                      WHERE o.profile_id = s.profile_id AND o.subscription_id = s.id
                      ORDER BY acted_at DESC LIMIT 1) AS l ON true
 CROSS JOIN LATERAL (
       SELECT coalesce(array_agg(c.source::text ORDER BY c.source, w), '{}') AS sources,
              coalesce(array_agg(lower(w) ORDER BY c.source, w), '{}') AS begins,
              coalesce(array_agg(upper(w) ORDER BY c.source, w), '{}') AS ends
         FROM (SELECT source, covered FROM coverage
                WHERE profile_id = s.profile_id AND subscription_id = s.id
                UNION ALL
               SELECT source, covered FROM activity_stream WHERE profile_id = s.profile_id) AS c,
              unnest(c.covered) AS w) AS v
  LEFT JOIN candidate k ON k.profile_id = s.profile_id AND k.subscription_id = s.id AND k.closed_at IS NULL
 WHERE s.profile_id = %(profile)s AND s.state = 'active' """


async def to_judge(
    connection: Connection, profile_id: int, *, now: datetime, after: int = 0, limit: int = 1000
) -> list[Judged]:
    """Return the next active subscriptions by id, with everything that a verdict needs."""
    async with connection.cursor(row_factory=class_row(_Row)) as cursor:
        await cursor.execute(
            (_SEATS + "AND s.id > %(after)s ORDER BY s.id LIMIT %(limit)s").encode(),
            {"profile": profile_id, "now": now, "after": after, "limit": limit},
        )
        return [_judged(row) for row in await cursor.fetchall()]


async def one_to_judge(
    connection: Connection, profile_id: int, subscription_id: int, *, now: datetime
) -> Judged | None:
    """Return one active subscription with everything that a verdict needs."""
    async with connection.cursor(row_factory=class_row(_Row)) as cursor:
        await cursor.execute(
            (_SEATS + "AND s.id = %(subscription)s").encode(),
            {"profile": profile_id, "now": now, "subscription": subscription_id},
        )
        row = await cursor.fetchone()
    return _judged(row) if row else None


def _judged(row: _Row) -> Judged:
    seat = Seat(
        software_model=row.software_model,
        is_admin=row.is_admin,
        is_ours=row.is_ours,
        exempt_because=row.exempt_because,
        joined_at=row.joined_at,
        last_act_at=row.acted_at,
        last_act=f"{row.act} ({row.proof})" if row.act else None,
        covered=_by_source(row),
    )
    return Judged(row.id, row.user_gid, seat, row.candidate_id, row.candidate_state, row.candidate_reason)


def _by_source(row: _Row) -> Covered:
    covered: dict[Source, list[Window]] = {}
    for source, begin, end in zip(row.sources, row.begins, row.ends, strict=True):
        covered.setdefault(source, []).append((begin, end))
    return covered


async def rule_of(connection: Connection, profile_id: int) -> Rule | None:
    """Return the profile's reclamation rule for the paid seat with the plan that it is judged on, or None."""
    cursor = await connection.execute(
        """SELECT r.threshold_days, r.evidence, p.plan FROM reclamation_rule r JOIN profile p ON p.id = r.profile_id
            WHERE r.profile_id = %s AND r.software_model = 'member'""",
        [profile_id],
    )
    row = await cursor.fetchone()
    return Rule(timedelta(days=row[0]), row[1], row[2]) if row else None


async def last_pull(connection: Connection, profile_id: int, cycle_id: UUID | None) -> datetime | None:
    """Return when the activity pull began that counts: of this cycle, or the last one that finished."""
    cursor = await connection.execute(
        """SELECT max(started_at) FROM run
            WHERE profile_id = %(profile)s AND kind = 'activity' AND state = 'finished'
              AND (%(cycle)s::uuid IS NULL OR cycle_id = %(cycle)s)""",
        {"profile": profile_id, "cycle": cycle_id},
    )
    row = await cursor.fetchone()
    return row[0] if row else None
