"""Plans: the dry run that anybody can read, bound to its hash; approved by an operator; it expires."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from messages.events import PlanApproved, PlanMade
from rules.plan import hash_of
from rules.switches import why_off
from store import runs
from store.connect import Connection
from store.naming import NAMED
from store.outbox import say

SEVEN_DAYS = timedelta(days=7)


class PlanRefused(Exception):
    """The plan cannot be made or approved; the sentence says why."""


class NothingToPlan(PlanRefused):
    """No candidate is ready, so there is nobody to plan for."""


@dataclass(frozen=True, slots=True)
class PlanItem:
    """One person of a plan; `name` and `email` are read fresh and are not part of the plan."""

    position: int
    subscription_id: int
    candidate_id: int
    user_gid: str
    membership_gid: str
    joined_at: datetime
    name: str | None
    email: str | None
    planned_because: str
    outcome: str | None
    why: str | None
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan; all times are aware."""

    hash: str
    profile_id: int
    profile: str
    made_by: str
    made_at: datetime
    due_at: datetime
    expires_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    carried_out_at: datetime | None
    expired_at: datetime | None
    people: int
    settled: int


_PLAN = """SELECT l.hash, l.profile_id, p.name AS profile, l.made_by, l.made_at, l.due_at, l.expires_at, l.approved_by,
                  l.approved_at, l.carried_out_at, l.expired_at, count(i.*) AS people, count(i.outcome) AS settled
             FROM plan l JOIN profile p ON p.id = l.profile_id
             LEFT JOIN plan_item i ON i.plan_hash = l.hash """


async def make(
    connection: Connection,
    *,
    profile_id: int,
    made_by: str,
    now: datetime,
    due_in: timedelta = timedelta(0),
    expires_in: timedelta = SEVEN_DAYS,
    limit: int | None = None,
) -> Plan:
    """Write the plan of everybody who is ready, longest idle first, at most `limit` of them; say PlanMade.

    Raises NothingToPlan if nobody is ready.
    """
    people = await _ready(connection, profile_id, limit)
    if not people:
        raise NothingToPlan("no candidate is ready")
    content = {
        "profile": profile_id,
        "rule": await _rule(connection, profile_id),
        "made_at": now.isoformat(),
        "due_at": (now + due_in).isoformat(),
        "expires_at": (now + expires_in).isoformat(),
        "people": people,
    }
    plan_hash = hash_of(content)
    await connection.execute(
        """INSERT INTO plan (hash, profile_id, content, made_by, made_at, due_at, expires_at)
           VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (hash) DO NOTHING""",
        [plan_hash, profile_id, Jsonb(content), made_by, now, now + due_in, now + expires_in],
    )
    await connection.execute(
        """INSERT INTO plan_item (profile_id, plan_hash, position, subscription_id, candidate_id, user_gid,
                                  membership_gid, joined_at)
           SELECT l.profile_id, l.hash, p.n, (p.person ->> 'subscription_id')::bigint,
                  (p.person ->> 'candidate_id')::bigint, p.person ->> 'user_gid', p.person ->> 'membership_gid',
                  (p.person ->> 'joined_at')::timestamptz
             FROM plan l, jsonb_array_elements(l.content -> 'people') WITH ORDINALITY AS p (person, n)
            WHERE l.hash = %s ON CONFLICT DO NOTHING""",
        [plan_hash],
    )
    plan = await get(connection, plan_hash)
    assert plan is not None
    event = PlanMade(
        profile=plan.profile, plan=plan_hash, people=plan.people, made_by=made_by, expires_at=plan.expires_at
    )
    await say(connection, event, subject=f"plan/{plan_hash}", profile_id=profile_id, correlation_id=uuid4(), now=now)
    return plan


async def _ready(connection: Connection, profile_id: int, limit: int | None) -> list[dict[str, object]]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """SELECT s.id AS subscription_id, c.id AS candidate_id, s.user_gid, s.membership_gid,
                      to_jsonb(s.joined_at) #>> '{}' AS joined_at, c.why, c.verdict ->> 'last_act_at' AS last_act_at
                 FROM candidate c
                 JOIN subscription s ON s.profile_id = c.profile_id AND s.id = c.subscription_id
                WHERE c.profile_id = %s AND c.state = 'ready' AND s.state = 'active'
                  AND NOT EXISTS (SELECT FROM plan_item i JOIN plan l ON l.hash = i.plan_hash
                                   WHERE i.profile_id = s.profile_id AND i.subscription_id = s.id
                                     AND i.outcome IS NULL AND l.approved_at IS NOT NULL
                                     AND l.carried_out_at IS NULL AND l.expired_at IS NULL)
                ORDER BY c.verdict ->> 'last_act_at', s.id LIMIT %s""",
            [profile_id, limit],
        )
        return list(await cursor.fetchall())


async def _rule(connection: Connection, profile_id: int) -> dict[str, object]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            "SELECT software_model, threshold_days, evidence FROM reclamation_rule WHERE profile_id = %s", [profile_id]
        )
        return await cursor.fetchone() or {}


async def get(connection: Connection, plan_hash: str) -> Plan | None:
    """Return the plan with this hash."""
    async with connection.cursor(row_factory=class_row(Plan)) as cursor:
        await cursor.execute((_PLAN + "WHERE l.hash = %s GROUP BY l.hash, p.name").encode(), [plan_hash])
        return await cursor.fetchone()


async def recent(connection: Connection, profile: str | None, limit: int = 20) -> list[Plan]:
    """Return the newest plans first, of one profile or of all."""
    async with connection.cursor(row_factory=class_row(Plan)) as cursor:
        await cursor.execute(
            (
                _PLAN + f"WHERE %(profile)s::text IS NULL OR {NAMED} = %(profile)s"
                " GROUP BY l.hash, p.name ORDER BY l.made_at DESC LIMIT %(limit)s"
            ).encode(),
            {"profile": profile, "limit": limit},
        )
        return await cursor.fetchall()


async def items(connection: Connection, plan_hash: str) -> list[PlanItem]:
    """Return the people of a plan in its order."""
    async with connection.cursor(row_factory=class_row(PlanItem)) as cursor:
        await cursor.execute(
            """SELECT i.position, i.subscription_id, i.candidate_id, i.user_gid, i.membership_gid, i.joined_at,
                      n.name, n.email, l.content -> 'people' -> (i.position - 1) ->> 'why' AS planned_because,
                      i.outcome, i.why, i.settled_at
                 FROM plan_item i JOIN plan l ON l.hash = i.plan_hash
                 LEFT JOIN person n ON n.profile_id = i.profile_id AND n.user_gid = i.user_gid
                WHERE i.plan_hash = %s ORDER BY i.position""",
            [plan_hash],
        )
        return await cursor.fetchall()


async def approve(connection: Connection, plan_hash: str, *, by: str, now: datetime) -> Plan:
    """Approve exactly this plan and say so; approving it again by the same person is harmless. Raises PlanRefused."""
    await connection.execute("SELECT FROM plan WHERE hash = %s FOR UPDATE", [plan_hash])
    plan = await get(connection, plan_hash)
    if plan is None:
        raise PlanRefused(f"there is no plan {plan_hash}")
    if plan.approved_by == by:
        return plan
    if plan.approved_by is not None:
        raise PlanRefused(f"the plan was approved by {plan.approved_by} already")
    await _check_profile(connection, plan)
    if plan.expired_at is not None or now >= plan.expires_at:
        raise PlanRefused(f"the plan expired on {plan.expires_at:%Y-%m-%d %H:%M} UTC; make a new one")
    await connection.execute(
        "UPDATE plan SET approved_by = %s, approved_role = session_user, approved_at = %s WHERE hash = %s",
        [by, now, plan_hash],
    )
    event = PlanApproved(profile=plan.profile, plan=plan_hash, approved_by=by)
    await say(
        connection, event, subject=f"plan/{plan_hash}", profile_id=plan.profile_id, correlation_id=uuid4(), now=now
    )
    approved = await get(connection, plan_hash)
    assert approved is not None
    return approved


async def _check_profile(connection: Connection, plan: Plan) -> None:
    standing = await runs.standing_of(connection, plan.profile_id)
    off = why_off("reclaim", activity_enabled=standing.activity_enabled, reclaim_enabled=standing.reclaim_enabled)
    if standing.status == "deleted" or off is not None:
        raise PlanRefused(off or f"the profile {plan.profile} was deleted")


async def next_due(connection: Connection, profile_id: int, now: datetime) -> str | None:
    """Return the hash of the oldest approved, due, unexpired plan that was not carried out."""
    cursor = await connection.execute(
        """SELECT hash FROM plan
            WHERE profile_id = %(profile)s AND approved_at IS NOT NULL AND carried_out_at IS NULL
              AND expired_at IS NULL AND due_at <= %(now)s AND expires_at > %(now)s
            ORDER BY approved_at LIMIT 1""",
        {"profile": profile_id, "now": now},
    )
    row = await cursor.fetchone()
    return row[0] if row else None
