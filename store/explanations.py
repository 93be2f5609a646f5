"""Why a person is, or is not, a candidate: the verdict as it would be now, its evidence, and every decision so far.

The verdict is computed by the same rule that the actor uses, never by a second one written for people.
"""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from messages.events import CandidateState
from rules.evidence import AsanaPlan, Evidence, Source, task_sources
from rules.outlook import Outlook, Since, outlook, sight_of_stream
from rules.verdict import Verdict, judge
from store import seats, streams
from store.connect import Connection
from store.coverage import shown_sources


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
    source: Source | None


@dataclass(frozen=True, slots=True)
class Look:
    """What one source saw of a person: the windows that it saw completely (aware), and how it was asked last."""

    source: Source
    begins: list[datetime]
    ends: list[datetime]
    asked_at: datetime | None
    trouble: str | None

    @property
    def covered(self) -> list[tuple[datetime, datetime]]:
        """The windows in their order; what is between two of them was not seen."""
        return list(zip(self.begins, self.ends, strict=True))


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that is known of one person's seat, the verdict on it now, and the decisions so far.

    `verdict` is None where there is nothing to judge: the seat is gone, or no activity was ever pulled. `outlook` is
    None for a seat that is gone, and for somebody who is a candidate already.
    """

    subscription: Subscription
    looks: list[Look]
    threshold_days: int | None
    evidence: Evidence | None
    verdict: Verdict | None
    outlook: Outlook | None
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
    looks = await _looks(connection, profile_id, subscription.subscription_id)
    ahead = None
    if judged and rule and (verdict is None or verdict.outcome == "keep"):
        since = await _since(connection, profile_id, looks, now)
        until = await _exempt_until(connection, profile_id, user_gid, now)
        ahead = outlook(judged.seat, rule, since, exempt_until=until, now=now)
    return Explanation(
        subscription=subscription,
        looks=looks,
        threshold_days=rule.threshold.days if rule else None,
        evidence=rule.evidence if rule else None,
        verdict=verdict,
        outlook=ahead,
        candidate_state=judged.candidate_state if judged else None,
        decisions=await _decisions(connection, profile_id, subscription.subscription_id),
    )


async def _subscription(connection: Connection, profile_id: int, user_gid: str) -> Subscription | None:
    async with connection.cursor(row_factory=class_row(Subscription)) as cursor:
        await cursor.execute(
            """SELECT s.profile_id, s.id AS subscription_id, s.user_gid, n.name, n.email, s.software_model, s.is_admin,
                      s.joined_at, s.state, s.gone_at, s.gone_because, l.acted_at AS last_act_at, l.act AS last_act,
                      l.proof, l.source
                 FROM subscription s
                 LEFT JOIN person n ON n.profile_id = s.profile_id AND n.user_gid = s.user_gid
                 LEFT JOIN last_activity l ON l.profile_id = s.profile_id AND l.subscription_id = s.id
                WHERE s.profile_id = %s AND s.user_gid = %s""",
            [profile_id, user_gid],
        )
        return await cursor.fetchone()


async def _looks(connection: Connection, profile_id: int, subscription_id: int) -> list[Look]:
    """Return what each source saw, also of a seat that is gone: of one that we reclaimed above all."""
    async with connection.cursor(row_factory=class_row(Look)) as cursor:
        await cursor.execute(
            """SELECT k.source, coalesce(w.begins, '{}') AS begins, coalesce(w.ends, '{}') AS ends,
                      coalesce(c.pulled_at, a.pulled_at) AS asked_at, coalesce(c.trouble, a.trouble) AS trouble
                 FROM unnest(%(sources)s::text[]) WITH ORDINALITY AS k (source, place)
                 LEFT JOIN coverage c ON c.profile_id = %(profile)s AND c.subscription_id = %(subscription)s
                                     AND c.source = k.source
                 LEFT JOIN activity_stream a ON a.profile_id = %(profile)s AND a.source = k.source
                CROSS JOIN LATERAL (
                      SELECT array_agg(lower(u) ORDER BY u) AS begins, array_agg(upper(u) ORDER BY u) AS ends
                        FROM unnest(coalesce(c.covered, '{}') + coalesce(a.covered, '{}')) AS u) AS w
                ORDER BY k.place""",
            {
                "profile": profile_id,
                "subscription": subscription_id,
                "sources": await shown_sources(connection, profile_id),
            },
        )
        return await cursor.fetchall()


async def _since(connection: Connection, profile_id: int, looks: list[Look], now: datetime) -> Since:
    """Return since when each source can have seen everything by the next pull; a member export, since joining."""
    plan, look_back, has_log, is_on = await _pulls(connection, profile_id)
    if not is_on:
        return {}
    since: dict[Source, datetime | None] = dict.fromkeys(task_sources(plan), look_back)
    asked = {look.source: look for look in looks}
    if has_log and "audit_log" in asked:
        keeps = max(look_back, now - streams.RETENTION)
        since["audit_log"] = sight_of_stream(asked["audit_log"].covered, keeps_since=keeps, now=now)
    if "member_export" in asked and asked["member_export"].asked_at:
        since["member_export"] = datetime.min.replace(tzinfo=now.tzinfo)
    return since


async def _pulls(connection: Connection, profile_id: int) -> tuple[AsanaPlan, datetime, bool, bool]:
    """Return the profile's plan, since when its activity is analyzed, if its service account works, if it is pulled."""
    cursor = await connection.execute(
        """SELECT plan, analyze_activity_from, EXISTS (SELECT FROM credential c
                   WHERE c.connection_id = p.connection_id AND c.kind = 'service_account' AND c.state = 'connected'),
                  activity_enabled
             FROM profile p WHERE id = %s""",
        [profile_id],
    )
    row = await cursor.fetchone()
    assert row is not None
    return row[0], row[1], row[2], row[3]


async def _exempt_until(connection: Connection, profile_id: int, user_gid: str, now: datetime) -> datetime | None:
    cursor = await connection.execute(
        "SELECT until FROM exemption WHERE profile_id = %s AND user_gid = %s AND until > %s",
        [profile_id, user_gid, now],
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def _decisions(connection: Connection, profile_id: int, subscription_id: int) -> list[Decided]:
    async with connection.cursor(row_factory=class_row(Decided)) as cursor:
        await cursor.execute(
            """SELECT decided_at, state_from, state_to, decided_by, why, evidence FROM decision
                WHERE profile_id = %s AND subscription_id = %s ORDER BY id""",
            [profile_id, subscription_id],
        )
        return await cursor.fetchall()
