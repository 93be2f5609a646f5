"""Reclamation candidates: each change with its line in the ledger and its event, in one transaction.

Transitions are compare-and-set: a change names the state that it starts from, and does nothing to another one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.types.json import Jsonb

from messages.events import CandidateChanged, CandidateFound, CandidateState
from rules.verdict import Verdict
from store.connect import Connection
from store.outbox import say
from store.runs import Run
from store.seats import Judged

OURSELVES = "seatkeeper"
"""Who decided, where no person did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One step of a candidate: from a state (none at its opening) to another, by whom and why, on which evidence."""

    state_from: CandidateState | None
    state_to: CandidateState
    by: str
    why: str
    evidence: Mapping[str, object]
    correlation_id: UUID


def evidence_of(judged: Judged, verdict: Verdict) -> dict[str, object]:
    """Return what the verdict stood on, as it is kept in the ledger: no names."""
    seat = judged.seat
    return {
        "reason": verdict.reason,
        "last_act_at": seat.last_act_at.isoformat() if seat.last_act_at else None,
        "last_act": seat.last_act,
        "joined_at": seat.joined_at.isoformat(),
        "covered": [[begin.isoformat(), end.isoformat()] for begin, end in seat.covered],
        "unseen": list(verdict.unseen),
    }


async def open_candidate(connection: Connection, run: Run, judged: Judged, verdict: Verdict, now: datetime) -> int:
    """Make a candidate of a subscription whose verdict is not to keep; return its id."""
    assert verdict.outcome != "keep"
    evidence = evidence_of(judged, verdict)
    cursor = await connection.execute(
        """INSERT INTO candidate (profile_id, subscription_id, state, why, verdict, found_run, opened_at, changed_at)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING id""",
        [run.profile_id, judged.subscription_id, verdict.outcome, verdict.why, Jsonb(evidence), run.id, now, now],
    )
    row = await cursor.fetchone()
    assert row is not None
    candidate_id = int(row[0])
    opening = Change(
        state_from=None,
        state_to=verdict.outcome,
        by=OURSELVES,
        why=verdict.why,
        evidence=evidence,
        correlation_id=run.correlation_id,
    )
    await _write_down(connection, run.profile_id, candidate_id, opening, now)
    event = CandidateFound(
        profile=run.profile,
        subscription_id=judged.subscription_id,
        user_gid=judged.user_gid,
        candidate_id=candidate_id,
        state=verdict.outcome,
        why=verdict.why,
    )
    await _say(connection, run.profile_id, event, run.correlation_id, now)
    return candidate_id


async def change(connection: Connection, profile_id: int, candidate_id: int, step: Change, now: datetime) -> bool:
    """Bring a candidate from one state to another; False if it is not in `state_from` (any more)."""
    assert step.state_from is not None
    cursor = await connection.execute(
        """UPDATE candidate c SET state = %(to)s, why = %(why)s, changed_at = %(now)s,
                  verdict = c.verdict || %(evidence)s,
                  closed_at = CASE WHEN %(to)s LIKE 'closed%%' THEN %(now)s::timestamptz END
             FROM subscription s, profile p
            WHERE c.profile_id = %(profile)s AND c.id = %(id)s AND c.state = %(from)s
              AND s.profile_id = c.profile_id AND s.id = c.subscription_id AND p.id = c.profile_id
        RETURNING s.id, s.user_gid, p.name""",
        {
            "to": step.state_to,
            "from": step.state_from,
            "why": step.why,
            "evidence": Jsonb(dict(step.evidence)),
            "now": now,
            "profile": profile_id,
            "id": candidate_id,
        },
    )
    row = await cursor.fetchone()
    if row is None:
        return False
    await _write_down(connection, profile_id, candidate_id, step, now)
    event = CandidateChanged(
        profile=row[2],
        subscription_id=row[0],
        user_gid=row[1],
        candidate_id=candidate_id,
        state_from=step.state_from,
        state_to=step.state_to,
        by=step.by,
        why=step.why,
    )
    await _say(connection, profile_id, event, step.correlation_id, now)
    return True


async def close_for_the_gone(connection: Connection, run: Run, now: datetime) -> int:
    """Close, as skipped, the open candidates whose subscription is gone; return how many.

    One that is being revoked stays open: what becomes of it is said when its removal is settled.
    """
    cursor = await connection.execute(
        """SELECT c.id, c.state FROM candidate c
             JOIN subscription s ON s.profile_id = c.profile_id AND s.id = c.subscription_id
            WHERE c.profile_id = %s AND c.closed_at IS NULL AND s.state = 'gone'
              AND c.state <> 'awaiting_revocation' ORDER BY c.id""",
        [run.profile_id],
    )
    closed = 0
    for candidate_id, state in await cursor.fetchall():
        step = Change(
            state_from=state,
            state_to="closed_skipped",
            by=OURSELVES,
            why="the subscription is gone",
            evidence={"reason": "gone"},
            correlation_id=run.correlation_id,
        )
        closed += await change(connection, run.profile_id, candidate_id, step, now)
    return closed


async def _write_down(connection: Connection, profile_id: int, candidate_id: int, step: Change, now: datetime) -> None:
    await connection.execute(
        """INSERT INTO decision (profile_id, candidate_id, subscription_id, user_gid, state_from, state_to,
                                 decided_by, why, evidence, decided_at)
           SELECT c.profile_id, c.id, s.id, s.user_gid, %s, %s, %s, %s, %s, %s
             FROM candidate c JOIN subscription s ON s.profile_id = c.profile_id AND s.id = c.subscription_id
            WHERE c.profile_id = %s AND c.id = %s""",
        [
            step.state_from,
            step.state_to,
            step.by,
            step.why,
            Jsonb(dict(step.evidence)),
            now,
            profile_id,
            candidate_id,
        ],
    )


async def _say(
    connection: Connection,
    profile_id: int,
    event: CandidateFound | CandidateChanged,
    correlation_id: UUID,
    now: datetime,
) -> None:
    subject = f"candidate/{event.candidate_id}"
    await say(connection, event, subject=subject, profile_id=profile_id, correlation_id=correlation_id, now=now)
