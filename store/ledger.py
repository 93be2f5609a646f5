"""The ledger: each change of a candidate is a line there and an event, in the transaction of the change itself.

Any number of changes is one statement: a first look at an organization finds candidates by the thousand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.types.json import Jsonb

from messages.events import CandidateChanged, CandidateFound, CandidateState
from store.connect import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One step of a candidate: from a state (none at its opening) to another, by whom and why, on which evidence."""

    state_from: CandidateState | None
    state_to: CandidateState
    by: str
    why: str
    evidence: Mapping[str, object]
    correlation_id: UUID


@dataclass(frozen=True, slots=True)
class Entry:
    """A change that was made, and what is said of it."""

    change: Change
    event: CandidateFound | CandidateChanged


async def write_down(connection: Connection, profile_id: int, entries: Sequence[Entry], now: datetime) -> None:
    """Add the lines and say the events, in the order given; no candidate may be in it twice."""
    if not entries:
        return
    await connection.execute(
        """WITH entry AS (
               SELECT * FROM unnest(%(candidates)s::bigint[], %(subscriptions)s::bigint[], %(people)s::text[],
                                    %(from)s::text[], %(to)s::text[], %(by)s::text[], %(why)s::text[],
                                    %(evidence)s::jsonb[], %(names)s::text[], %(payloads)s::jsonb[],
                                    %(correlations)s::uuid[])
                      WITH ORDINALITY AS given (candidate_id, subscription_id, user_gid, state_from, state_to,
                                                decided_by, why, evidence, name, payload, correlation_id, place)
           ), written AS (
               INSERT INTO decision (profile_id, candidate_id, subscription_id, user_gid, state_from, state_to,
                                     decided_by, why, evidence, decided_at)
               SELECT %(profile)s, candidate_id, subscription_id, user_gid, state_from, state_to,
                      decided_by, why, evidence, %(now)s FROM entry ORDER BY place
           ), numbered AS (
               INSERT INTO event_subject AS s (subject, sequence)
               SELECT 'candidate/' || candidate_id, 1 FROM entry ORDER BY candidate_id
                   ON CONFLICT (subject) DO UPDATE SET sequence = s.sequence + 1
               RETURNING subject, sequence
           )
           INSERT INTO outbox (channel, name, profile_id, subject, sequence, payload, correlation_id, occurred_at)
           SELECT 'event', e.name, %(profile)s, n.subject, n.sequence, e.payload, e.correlation_id, %(now)s
             FROM entry e JOIN numbered n ON n.subject = 'candidate/' || e.candidate_id ORDER BY e.place""",
        {
            "profile": profile_id,
            "now": now,
            "candidates": [entry.event.candidate_id for entry in entries],
            "subscriptions": [entry.event.subscription_id for entry in entries],
            "people": [entry.event.user_gid for entry in entries],
            "from": [entry.change.state_from for entry in entries],
            "to": [entry.change.state_to for entry in entries],
            "by": [entry.change.by for entry in entries],
            "why": [entry.change.why for entry in entries],
            "evidence": [Jsonb(dict(entry.change.evidence)) for entry in entries],
            "names": [type(entry.event).__name__ for entry in entries],
            "payloads": [Jsonb(entry.event.model_dump(mode="json")) for entry in entries],
            "correlations": [entry.change.correlation_id for entry in entries],
        },
    )
