"""How a removal ends: its person of the plan, its candidate, its subscription and its event, in one transaction."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from messages.events import ReclaimFailed, SubscriptionReclaimed
from store import candidates
from store.candidates import Change
from store.connect import Connection
from store.outbox import say
from store.removals import Item


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """How a removal ended: its state, what it makes of the person, and the sentence for people."""

    state: Literal["done", "refused", "never_sent", "parked"]
    outcome: Literal["reclaimed", "refused", "unknown"]
    why: str
    recovered: bool = False
    again: bool = False
    """Nothing was done and nothing is wrong with the person: a later plan may name them again."""


_REASONS = {"unknown": "outcome_unknown"}
"""Why a candidate waits for a person, where the outcome's own word says too little."""


async def settle(
    connection: Connection, person: Item, removal_id: int, settlement: Settlement, correlation_id: UUID, now: datetime
) -> bool:
    """End a removal that is `calling`, with its candidate, its subscription and its event.

    Guarded by the removal's own state and by no fence: the answer of a call is worth keeping even when another worker
    has taken up the run since. False if it was settled already.
    """
    done = await connection.execute(
        """UPDATE removal SET state = %s, answered_at = %s, answer = %s, recovered = %s
            WHERE id = %s AND state = 'calling' RETURNING last_look_at, intended_at""",
        [settlement.state, now, settlement.why, settlement.recovered, removal_id],
    )
    row = await done.fetchone()
    if row is None:
        return False
    await settle_item(connection, person, settlement.outcome, settlement.why, now)
    gone = settlement.outcome == "reclaimed"
    step = Change(
        state_from="awaiting_revocation",
        state_to="closed_complete" if gone else "ready" if settlement.again else "attention_required",
        by=candidates.OURSELVES,
        why=settlement.why,
        evidence={"reason": "idle" if settlement.again else _REASONS.get(settlement.outcome, settlement.outcome)},
        correlation_id=correlation_id,
    )
    await candidates.change(connection, person.profile_id, person.candidate_id, step, now)
    if gone:
        await _subscription_gone(connection, person, intended_at=row[1], now=now)
    await _say(connection, person, removal_id, settlement, (correlation_id, row[0], now))
    return True


async def _subscription_gone(connection: Connection, person: Item, *, intended_at: datetime, now: datetime) -> None:
    """Note that the seat was reclaimed, also where a download found it missing before the call was settled."""
    await connection.execute(
        """UPDATE subscription SET state = 'gone', gone_at = coalesce(gone_at, %s), gone_because = 'reclaimed'
            WHERE profile_id = %s AND id = %s AND (state = 'active' OR gone_at >= %s)""",
        [now, person.profile_id, person.subscription_id, intended_at],
    )


async def settle_item(connection: Connection, person: Item, outcome: str, why: str, now: datetime) -> None:
    """Note what became of one person of the plan."""
    await connection.execute(
        """UPDATE plan_item SET outcome = %s, why = %s, settled_at = %s
            WHERE plan_hash = %s AND subscription_id = %s AND outcome IS NULL""",
        [outcome, why, now, person.plan_hash, person.subscription_id],
    )


async def _say(
    connection: Connection,
    person: Item,
    removal_id: int,
    settlement: Settlement,
    when: tuple[UUID, datetime, datetime],
) -> None:
    correlation_id, last_look_at, now = when
    known: dict[str, object] = {
        "profile": person.profile,
        "subscription_id": person.subscription_id,
        "user_gid": person.user_gid,
        "plan": person.plan_hash,
        "removal_id": removal_id,
    }
    event = (
        SubscriptionReclaimed.model_validate({**known, "removed_at": now, "last_look_at": last_look_at})
        if settlement.outcome == "reclaimed"
        else ReclaimFailed.model_validate({**known, "outcome": settlement.outcome, "reason": settlement.why})
    )
    await say(
        connection,
        event,
        subject=f"subscription/{person.subscription_id}",
        profile_id=person.profile_id,
        correlation_id=correlation_id,
        now=now,
    )
