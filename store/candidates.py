"""Reclamation candidates: each change with its line in the ledger and its event, in one transaction.

Transitions are compare-and-set: a change names the state that it starts from, and does nothing to another one.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from psycopg.types.json import Jsonb

from messages.events import CandidateChanged, CandidateFound
from rules.verdict import Verdict
from store.connect import Connection
from store.ledger import Change, Entry, write_down
from store.runs import Run
from store.seats import Judged

__all__ = ["OURSELVES", "Change", "change", "change_all", "close_for_the_gone", "evidence_of", "open_candidates"]

OURSELVES = "seatkeeper"
"""Who decided, where no person did."""


def evidence_of(judged: Judged, verdict: Verdict) -> dict[str, object]:
    """Return what the verdict stood on, as it is kept in the ledger: no names."""
    seat = judged.seat
    return {
        "reason": verdict.reason,
        "last_act_at": seat.last_act_at.isoformat() if seat.last_act_at else None,
        "last_act": seat.last_act,
        "joined_at": seat.joined_at.isoformat(),
        "covered": {
            source: [[begin.isoformat(), end.isoformat()] for begin, end in windows]
            for source, windows in seat.covered.items()
        },
        "unseen": list(verdict.unseen),
    }


async def open_candidates(
    connection: Connection, run: Run, found: Sequence[tuple[Judged, Verdict]], now: datetime
) -> list[int]:
    """Make candidates of subscriptions whose verdict is not to keep; return their ids, in the order given."""
    if not found:
        return []
    evidence = [evidence_of(judged, verdict) for judged, verdict in found]
    cursor = await connection.execute(
        """INSERT INTO candidate (profile_id, subscription_id, state, why, verdict, found_run, opened_at, changed_at)
           SELECT %(profile)s, subscription_id, state, why, verdict, %(run)s, %(now)s, %(now)s
             FROM unnest(%(subscriptions)s::bigint[], %(states)s::text[], %(why)s::text[], %(evidence)s::jsonb[])
                  WITH ORDINALITY AS given (subscription_id, state, why, verdict, place)
            ORDER BY place
        RETURNING subscription_id, id""",
        {
            "profile": run.profile_id,
            "run": run.id,
            "now": now,
            "subscriptions": [judged.subscription_id for judged, _ in found],
            "states": [verdict.outcome for _, verdict in found],
            "why": [verdict.why for _, verdict in found],
            "evidence": [Jsonb(one) for one in evidence],
        },
    )
    ids: dict[int, int] = dict(await cursor.fetchall())
    entries = [
        _opening(run, judged, verdict, proof, ids[judged.subscription_id])
        for (judged, verdict), proof in zip(found, evidence, strict=True)
    ]
    await write_down(connection, run.profile_id, entries, now)
    return [entry.event.candidate_id for entry in entries]


def _opening(run: Run, judged: Judged, verdict: Verdict, evidence: Mapping[str, object], candidate_id: int) -> Entry:
    assert verdict.outcome != "keep"
    opening = Change(
        state_from=None,
        state_to=verdict.outcome,
        by=OURSELVES,
        why=verdict.why,
        evidence=evidence,
        correlation_id=run.correlation_id,
    )
    event = CandidateFound(
        profile=run.profile,
        subscription_id=judged.subscription_id,
        user_gid=judged.user_gid,
        candidate_id=candidate_id,
        state=verdict.outcome,
        why=verdict.why,
    )
    return Entry(opening, event)


async def change(connection: Connection, profile_id: int, candidate_id: int, step: Change, now: datetime) -> bool:
    """Bring a candidate from one state to another; False if it is not in `state_from` (any more)."""
    return bool(await change_all(connection, profile_id, {candidate_id: step}, now))


async def change_all(
    connection: Connection, profile_id: int, steps: Mapping[int, Change], now: datetime
) -> frozenset[int]:
    """Take each candidate (the key, its id) its step; return those that were in their step's `state_from`.

    Rows are locked in the order of their ids, so that two callers cannot wait for each other.
    """
    if not steps:
        return frozenset()
    cursor = await connection.execute(
        """WITH step AS (
               SELECT * FROM unnest(%(ids)s::bigint[], %(from)s::text[], %(to)s::text[], %(why)s::text[],
                                    %(evidence)s::jsonb[]) AS given (id, state_from, state_to, why, evidence)
           ), mine AS (
               SELECT c.id FROM candidate c JOIN step USING (id)
                WHERE c.profile_id = %(profile)s AND c.state = step.state_from ORDER BY c.id FOR UPDATE OF c
           )
           UPDATE candidate c SET state = step.state_to, why = step.why, changed_at = %(now)s,
                  verdict = c.verdict || step.evidence,
                  closed_at = CASE WHEN step.state_to LIKE 'closed%%' THEN %(now)s::timestamptz END
             FROM mine JOIN step USING (id), subscription s, profile p
            WHERE c.id = mine.id AND c.state = step.state_from
              AND s.profile_id = c.profile_id AND s.id = c.subscription_id AND p.id = c.profile_id
        RETURNING c.id, s.id, s.user_gid, p.name""",
        {
            "profile": profile_id,
            "now": now,
            "ids": list(steps),
            "from": [step.state_from for step in steps.values()],
            "to": [step.state_to for step in steps.values()],
            "why": [step.why for step in steps.values()],
            "evidence": [Jsonb(dict(step.evidence)) for step in steps.values()],
        },
    )
    entries = [Entry(steps[row[0]], _changed(steps[row[0]], *row)) for row in sorted(await cursor.fetchall())]
    await write_down(connection, profile_id, entries, now)
    return frozenset(entry.event.candidate_id for entry in entries)


def _changed(step: Change, candidate_id: int, subscription_id: int, user_gid: str, profile: str) -> CandidateChanged:
    assert step.state_from is not None
    return CandidateChanged(
        profile=profile,
        subscription_id=subscription_id,
        user_gid=user_gid,
        candidate_id=candidate_id,
        state_from=step.state_from,
        state_to=step.state_to,
        by=step.by,
        why=step.why,
    )


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
    steps = {
        candidate_id: Change(
            state_from=state,
            state_to="closed_skipped",
            by=OURSELVES,
            why="the subscription is gone",
            evidence={"reason": "gone"},
            correlation_id=run.correlation_id,
        )
        for candidate_id, state in await cursor.fetchall()
    }
    return len(await change_all(connection, run.profile_id, steps, now))
