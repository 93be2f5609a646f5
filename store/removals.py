"""Removals: the intent, written before the call, and how each of them was settled.

At most one removal for each decision: the pair of plan and subscription is unique. An intent without an answer stays
`calling` until it is read back; nothing ever calls a second time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from rules.removal import ROLLING, Guard, held_back
from store import candidates
from store.candidates import Change
from store.connect import Connection
from store.endings import Fenced
from store.runs import Run


class NotReady(Exception):
    """The candidate changed between the look and the intent: look again."""


@dataclass(frozen=True, slots=True)
class Item:
    """One person of the run's plan, and the removal that was intended for them, if any."""

    profile_id: int
    profile: str
    plan_hash: str
    subscription_id: int
    candidate_id: int
    candidate_state: str
    user_gid: str
    membership_gid: str
    joined_at: datetime
    outcome: str | None
    removal_id: int | None
    removal_state: str | None
    call_before: datetime | None
    last_look_at: datetime | None


@dataclass(frozen=True, slots=True)
class Intent:
    """A removal that may be called until `call_before`."""

    removal_id: int
    call_before: datetime


async def item(connection: Connection, plan_hash: str, subscription_id: int) -> Item | None:
    """Return one person of a plan."""
    async with connection.cursor(row_factory=class_row(Item)) as cursor:
        await cursor.execute(
            """SELECT i.profile_id, p.name AS profile, i.plan_hash, i.subscription_id, i.candidate_id,
                      c.state AS candidate_state,
                      i.user_gid, i.membership_gid, i.joined_at, i.outcome, r.id AS removal_id,
                      r.state AS removal_state, r.call_before, r.last_look_at
                 FROM plan_item i
                 JOIN profile p ON p.id = i.profile_id
                 JOIN candidate c ON c.profile_id = i.profile_id AND c.id = i.candidate_id
                 LEFT JOIN removal r ON r.plan_hash = i.plan_hash AND r.subscription_id = i.subscription_id
                WHERE i.plan_hash = %s AND i.subscription_id = %s""",
            [plan_hash, subscription_id],
        )
        return await cursor.fetchone()


async def next_unsettled(connection: Connection, plan_hash: str) -> int | None:
    """Return the subscription of the plan's next person who is not settled."""
    cursor = await connection.execute(
        "SELECT subscription_id FROM plan_item WHERE plan_hash = %s AND outcome IS NULL ORDER BY position LIMIT 1",
        [plan_hash],
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def outcomes(connection: Connection, plan_hash: str) -> dict[str, int]:
    """Count the plan's people by outcome; `waiting` are those who are not settled."""
    cursor = await connection.execute(
        "SELECT coalesce(outcome, 'waiting'), count(*) FROM plan_item WHERE plan_hash = %s GROUP BY 1", [plan_hash]
    )
    return {str(name): int(count) for name, count in await cursor.fetchall()}


async def take_up_plan(connection: Connection, run: Run, plan_hash: str) -> None:
    """Bind the run to its plan, if it has none yet."""
    await connection.execute("UPDATE run SET plan_hash = %s WHERE id = %s", [plan_hash, run.id])


async def close_plan(connection: Connection, plan_hash: str, now: datetime) -> None:
    """Note that everybody in the plan is settled."""
    await connection.execute("UPDATE plan SET carried_out_at = %s WHERE hash = %s", [now, plan_hash])


async def why_held(connection: Connection, profile_id: int, plan_hash: str, now: datetime) -> str | None:
    """Lock the profile's row and return why no removal may start now, or None.

    The lock makes intents of one profile wait for each other and for a stop, so that no cap is exceeded by one. It is
    the weaker lock of the two: whoever only refers to the profile (a run, an event) does not wait for it.
    """
    await connection.execute("SELECT FROM profile WHERE id = %s FOR NO KEY UPDATE", [profile_id])
    async with connection.cursor(row_factory=class_row(Guard)) as cursor:
        await cursor.execute(
            """SELECT p.status = 'published' AS is_published, p.activity_enabled, p.reclaim_enabled, p.leashed,
                      p.reclaim_stopped_why AS stopped_why, p.provisioned_by_scim,
                      l.approved_at IS NOT NULL AS approved, l.due_at, l.expires_at,
                      (SELECT count(*) FROM removal r WHERE r.profile_id = p.id AND r.state = 'calling') AS unanswered,
                      l.carried_out_at IS NOT NULL OR l.expired_at IS NOT NULL AS carried_out, p.removal_cap AS cap,
                      (SELECT count(*) FROM removal r WHERE r.profile_id = p.id AND r.intended_at > %(since)s
                          AND r.state NOT IN ('refused', 'never_sent')) AS recent_intents
                 FROM profile p JOIN plan l ON l.profile_id = p.id
                WHERE p.id = %(profile)s AND l.hash = %(plan)s""",
            {"profile": profile_id, "plan": plan_hash, "since": now - ROLLING},
        )
        guard = await cursor.fetchone()
    return held_back(guard, now) if guard is not None else "there is no such plan"


async def intend(
    connection: Connection, run: Run, person: Item, look: Mapping[str, object], *, window: timedelta, now: datetime
) -> Intent:
    """Write the intent, after `why_held` said None in this transaction; `look["at"]` is when the last look ended.

    Raises Fenced if the run was taken up by another worker, NotReady if the candidate is not ready any more.
    """
    mine = await connection.execute(
        "SELECT FROM run WHERE id = %s AND fence = %s AND state = 'running' FOR UPDATE", [run.id, run.fence]
    )
    if mine.rowcount != 1:
        raise Fenced(f"run {run.id} was taken up by another worker")
    step = Change(
        state_from="ready",
        state_to="awaiting_revocation",
        by=candidates.OURSELVES,
        why=f"the removal of plan {person.plan_hash[:12]} is called",
        evidence=look,
        correlation_id=run.correlation_id,
    )
    if not await candidates.change(connection, person.profile_id, person.candidate_id, step, now):
        raise NotReady(f"candidate {person.candidate_id} is not ready any more")
    cursor = await connection.execute(
        """INSERT INTO removal (profile_id, plan_hash, subscription_id, user_gid, run_id, state, last_look_at,
                                last_look, intended_at, call_before)
           VALUES (%s, %s, %s, %s, %s, 'calling', %s, %s, %s, %s) RETURNING id""",
        [
            person.profile_id,
            person.plan_hash,
            person.subscription_id,
            person.user_gid,
            run.id,
            look["at"],
            Jsonb(dict(look)),
            now,
            now + window,
        ],
    )
    row = await cursor.fetchone()
    assert row is not None
    return Intent(row[0], now + window)
