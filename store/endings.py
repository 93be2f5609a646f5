"""How a run ends, and what its end moves: the event, and the next steps of its cycle, all in one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from psycopg.types.json import Jsonb

from messages.events import RunFailed, RunFinished, RunStarted
from messages.kinds import StepKind
from rules.cycle import next_steps
from rules.switches import switched_off
from store import runs
from store.connect import Connection
from store.outbox import say
from store.runs import Order, Run


class Fenced(Exception):
    """Another worker took this run up since, or it has ended; what this worker did is not written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a run ended. Anything but a plain finish has a reason: a sentence for a person."""

    state: Literal["finished", "failed", "coalesced", "not_run"]
    reason: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    coalesced_into: UUID | None = None


async def finish(
    connection: Connection, run: Run, *, counts: Mapping[str, int], now: datetime, reason: str | None = None
) -> None:
    """End a running run with its result; raise Fenced if it is not this worker's any more."""
    await _end_running(connection, run, End(state="finished", counts=counts, reason=reason), now)


async def fail(connection: Connection, run: Run, *, counts: Mapping[str, int], reason: str, now: datetime) -> None:
    """End a running run without its result; raise Fenced if it is not this worker's any more."""
    await _end_running(connection, run, End(state="failed", counts=counts, reason=reason), now)


async def give_up(connection: Connection, run_id: UUID, slice_number: int, reason: str, now: datetime) -> bool:
    """Fail a run whose message died at this slice; False if the run went on or ended without that message."""
    run = await runs.get(connection, run_id, lock=True)
    if run is None or run.slice != slice_number or run.state not in {"queued", "running"}:
        return False
    if run.state == "queued":
        await end_without_start(connection, run, End(state="failed", reason=reason), now)
    else:
        await fail(connection, run, counts=run.counts, reason=reason, now=now)
    return True


async def end_without_start(connection: Connection, run: Run, end: End, now: datetime) -> None:
    """End a queued run that never started; raise Fenced if it is not queued any more."""
    done = await connection.execute(
        """UPDATE run SET state = %s, ended_at = %s, reason = %s, coalesced_into = %s
            WHERE id = %s AND state = 'queued'""",
        [end.state, now, end.reason, end.coalesced_into, run.id],
    )
    if done.rowcount != 1:
        raise Fenced(f"run {run.id} is not queued any more")
    await _after_the_end(connection, run, end, now)


async def _end_running(connection: Connection, run: Run, end: End, now: datetime) -> None:
    done = await connection.execute(
        """UPDATE run SET state = %s, ended_at = %s, counts = %s, reason = %s
            WHERE id = %s AND fence = %s AND state = 'running'""",
        [end.state, now, Jsonb(dict(end.counts)), end.reason, run.id, run.fence],
    )
    if done.rowcount != 1:
        raise Fenced(f"run {run.id} was taken up by another worker, or has ended")
    await _after_the_end(connection, run, end, now)


async def _after_the_end(connection: Connection, run: Run, end: End, now: datetime) -> None:
    known = {
        "run_id": run.id,
        "kind": run.kind,
        "profile": run.profile,
        "cycle_id": run.cycle_id,
        "counts": end.counts,
        "reason": end.reason,
    }
    event = (
        RunFailed.model_validate(known)
        if end.state == "failed"
        else RunFinished.model_validate({**known, "outcome": end.state, "coalesced_into": end.coalesced_into})
    )
    await say_of_run(connection, run, event, now)
    if run.cycle_id is not None:
        await advance(connection, run.cycle_id, now)


async def say_of_run(
    connection: Connection, run: Run, event: RunStarted | RunFinished | RunFailed, now: datetime
) -> None:
    """Say an event whose subject is the run."""
    await say(
        connection,
        event,
        subject=run.subject,
        profile_id=run.profile_id,
        correlation_id=run.correlation_id,
        now=now,
    )


async def advance(connection: Connection, cycle_id: UUID, now: datetime) -> None:
    """Start what the ended steps of a cycle allow, end what they forbid, and end the cycle after its last step.

    The cycle's row is locked first: two steps that end at the same time see each other, one after the other.
    """
    cycle = await runs.get(connection, cycle_id, lock=True)
    if cycle is None or cycle.state != "running":
        return
    steps = await runs.steps_of(connection, cycle_id)
    standing = await runs.standing_of(connection, cycle.profile_id)
    off = switched_off(activity_enabled=standing.activity_enabled, reclaim_enabled=standing.reclaim_enabled)
    following = next_steps({step.kind: step.state for step in steps if step.kind != "cycle"}, off)
    for kind in following.start:
        await runs.add_step(connection, _of_cycle(cycle, kind), now)
    for kind, reason in following.not_run[:1]:  # its end comes back here for the next one
        skipped = await runs.insert(connection, _of_cycle(cycle, kind), now)
        await end_without_start(connection, skipped, End(state="not_run", reason=reason), now)
    if following.over:
        await _end_cycle(connection, cycle, steps, now)


def _of_cycle(cycle: Run, kind: StepKind) -> Order:
    return Order(
        profile_id=cycle.profile_id,
        kind=kind,
        requested_by=cycle.requested_by,
        correlation_id=cycle.correlation_id,
        cycle_id=cycle.id,
    )


async def _end_cycle(connection: Connection, cycle: Run, steps: list[Run], now: datetime) -> None:
    counts = {state: sum(step.state == state for step in steps) for state in sorted({step.state for step in steps})}
    broken = next((step for step in steps if step.state in {"failed", "coalesced"}), None)
    if broken is None:
        await finish(connection, cycle, counts=counts, now=now)
    else:
        await fail(connection, cycle, counts=counts, reason=f"{broken.kind}: {broken.reason}", now=now)
