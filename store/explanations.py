"""Why a person is, or is not, a candidate: the verdict as it would be now, its evidence, and every decision so far.

The verdict is computed by the same rule that the actor uses, never by a second one written for people.
"""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from messages.events import CandidateState
from rules.verdict import Verdict, judge
from store import seats
from store.connect import Connection


@dataclass(frozen=True, slots=True)
class Listed:
    """A candidate as it is listed; `name` and `email` are read fresh."""

    candidate_id: int
    subscription_id: int
    user_gid: str
    name: str | None
    email: str | None
    state: CandidateState
    why: str
    last_act_at: str | None
    opened_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Decided:
    """One line of the ledger."""

    decided_at: datetime
    state_from: str | None
    state_to: str
    decided_by: str
    why: str
    evidence: dict[str, object]


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription with what was seen of it; all times are aware."""

    profile_id: int
    subscription_id: int
    user_gid: str
    name: str | None
    email: str | None
    software_model: str
    is_admin: bool
    joined_at: datetime
    state: str
    gone_at: datetime | None
    gone_because: str | None
    last_act_at: datetime | None
    last_act: str | None
    proof: str | None
    source: str | None
    asked_at: datetime | None
    trouble: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that is known of one person's seat, the verdict on it now, and the decisions so far.

    `verdict` is None where there is nothing to judge: the seat is gone, or no activity was ever pulled.
    """

    subscription: Subscription
    covered: list[tuple[datetime, datetime]]
    threshold_days: int | None
    verdict: Verdict | None
    candidate_state: CandidateState | None
    decisions: list[Decided]


async def listed(
    connection: Connection, profile_id: int, *, state: CandidateState | None = None, with_closed: bool = False
) -> list[Listed]:
    """Return the candidates of a profile, longest idle first: one state, or all open ones, or all."""
    async with connection.cursor(row_factory=class_row(Listed)) as cursor:
        await cursor.execute(
            """SELECT c.id AS candidate_id, s.id AS subscription_id, s.user_gid, n.name, n.email, c.state, c.why,
                      c.verdict ->> 'last_act_at' AS last_act_at, c.opened_at, c.changed_at
                 FROM candidate c
                 JOIN subscription s ON s.profile_id = c.profile_id AND s.id = c.subscription_id
                 LEFT JOIN person n ON n.profile_id = s.profile_id AND n.user_gid = s.user_gid
                WHERE c.profile_id = %(profile)s
                  AND CASE WHEN %(state)s::text IS NULL THEN c.closed_at IS NULL OR %(with_closed)s
                           ELSE c.state = %(state)s END
                ORDER BY c.verdict ->> 'last_act_at', c.id""",
            {"profile": profile_id, "state": state, "with_closed": with_closed},
        )
        return await cursor.fetchall()


async def explain(connection: Connection, profile_id: int, user_gid: str, now: datetime) -> Explanation | None:
    """Explain one person by Asana's gid; None if the profile never had a subscription of theirs."""
    subscription = await _subscription(connection, profile_id, user_gid)
    if subscription is None:
        return None
    judged = await seats.one_to_judge(connection, profile_id, subscription.subscription_id, now=now)
    rule = await seats.rule_of(connection, profile_id)
    pulled = await seats.last_pull(connection, profile_id, None)
    verdict = judge(judged.seat, rule, pull_started_at=pulled, now=now) if judged and rule and pulled else None
    return Explanation(
        subscription=subscription,
        covered=await _covered(connection, profile_id, subscription.subscription_id),
        threshold_days=rule.threshold.days if rule else None,
        verdict=verdict,
        candidate_state=judged.candidate_state if judged else None,
        decisions=await _decisions(connection, profile_id, subscription.subscription_id),
    )


async def _subscription(connection: Connection, profile_id: int, user_gid: str) -> Subscription | None:
    async with connection.cursor(row_factory=class_row(Subscription)) as cursor:
        await cursor.execute(
            """SELECT s.profile_id, s.id AS subscription_id, s.user_gid, n.name, n.email, s.software_model, s.is_admin,
                      s.joined_at, s.state, s.gone_at, s.gone_because, l.acted_at AS last_act_at, l.act AS last_act,
                      l.proof, l.source, v.pulled_at AS asked_at, v.trouble
                 FROM subscription s
                 LEFT JOIN person n ON n.profile_id = s.profile_id AND n.user_gid = s.user_gid
                 LEFT JOIN last_activity l ON l.profile_id = s.profile_id AND l.subscription_id = s.id
                 LEFT JOIN coverage v ON v.profile_id = s.profile_id AND v.subscription_id = s.id
                                     AND v.source = 'tasks'
                WHERE s.profile_id = %s AND s.user_gid = %s""",
            [profile_id, user_gid],
        )
        return await cursor.fetchone()


async def _covered(connection: Connection, profile_id: int, subscription_id: int) -> list[tuple[datetime, datetime]]:
    """Return the windows that were seen completely, also of a seat that is gone: of one that we reclaimed above all."""
    cursor = await connection.execute(
        """SELECT lower(w), upper(w) FROM coverage, unnest(covered) AS w
            WHERE profile_id = %s AND subscription_id = %s ORDER BY w""",
        [profile_id, subscription_id],
    )
    return [(row[0], row[1]) for row in await cursor.fetchall()]


async def _decisions(connection: Connection, profile_id: int, subscription_id: int) -> list[Decided]:
    async with connection.cursor(row_factory=class_row(Decided)) as cursor:
        await cursor.execute(
            """SELECT decided_at, state_from, state_to, decided_by, why, evidence FROM decision
                WHERE profile_id = %s AND subscription_id = %s ORDER BY id""",
            [profile_id, subscription_id],
        )
        return await cursor.fetchall()
