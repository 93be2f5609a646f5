"""The actors `reclaim_subscriptions` (a plan) and `reclaim_subscription` (one person of it).

A plan is carried out one person after another: the transaction that settles one person adds the command for the next,
or ends the run. So there is never more than one removal under way for a profile, and a stop, a cap or a lost
permission holds back everybody who has not been called yet. The steps of one removal are in `workers.removing`.
"""

from dataclasses import dataclass

import structlog

from messages.commands import ReclaimSubscription, ReclaimSubscriptions
from store import endings, plans, removals, runs, slices
from store.connect import Connection
from store.removals import Item
from store.runs import Run
from workers.reading_back import read_back
from workers.removing import Held, Settled, Unanswered, remove
from workers.slicing import RunRefused, Slice, in_slice
from workers.station import Station

log = structlog.get_logger(__name__)


async def reclaim_subscriptions(station: Station, command: ReclaimSubscriptions) -> None:
    """Take up the plan that is named or due, or end with "nothing approved"."""
    await in_slice(station, command, _take_up)


async def _take_up(piece: Slice) -> None:
    run, now = piece.run, piece.now()
    async with piece.station.transaction() as connection:
        plan_hash = run.plan_hash or await plans.next_due(connection, run.profile_id, now)
        if plan_hash is None:
            await endings.finish(connection, run, counts={}, now=now, reason="nothing approved")
            return
        held = await removals.why_held(connection, run.profile_id, plan_hash, now)
        if held is not None:
            await _end_held(connection, run, plan_hash, held, piece)
            return
        await removals.take_up_plan(connection, run, plan_hash)
        await _next_or_end(connection, Way(piece.station, run, run.slice), plan_hash)


async def _end_held(connection: Connection, run: Run, plan_hash: str, held: str, piece: Slice) -> None:
    """A plan that was asked for by its hash and may not be carried out fails; one that merely waits goes on waiting."""
    counts = await removals.outcomes(connection, plan_hash)
    if run.cycle_id is None and run.plan_hash is not None:
        await endings.fail(connection, run, counts=counts, reason=held, now=piece.now())
    else:
        await endings.finish(connection, run, counts=counts, reason=f"held back: {held}", now=piece.now())


async def reclaim_subscription(station: Station, command: ReclaimSubscription) -> None:
    """Remove one person, or settle a removal whose outcome is not known; never call twice."""
    person = await _unanswered(station, command)
    if person is None:
        await in_slice(station, command, _remove)
    elif await read_back(station, person, command.correlation_id):
        await _go_on(station, command, person.plan_hash)


async def _unanswered(station: Station, command: ReclaimSubscription) -> Item | None:
    """Return the person if a removal of theirs was intended and has no answer."""
    async with station.pool.connection() as connection:
        run = await runs.get(connection, command.run_id)
        if run is None or run.plan_hash is None:
            return None
        person = await removals.item(connection, run.plan_hash, command.subscription_id)
    return person if person is not None and person.removal_state == "calling" else None


async def _remove(piece: Slice) -> None:
    assert isinstance(piece.command, ReclaimSubscription)
    assert piece.run.plan_hash is not None
    async with piece.station.pool.connection() as connection:
        person = await removals.item(connection, piece.run.plan_hash, piece.command.subscription_id)
    if person is None:
        raise RunRefused(f"subscription {piece.command.subscription_id} is not in the plan")
    if person.removal_state == "calling":
        return  # the intent was written by another delivery while this one took the slice: it is read back
    ended = Settled() if person.outcome is not None else await remove(piece, person)
    match ended:
        case Settled(stop_because=None):
            await _go_on(piece.station, piece.command, person.plan_hash)
        case Settled(stop_because=reason):
            await _stop(piece, person.plan_hash, f"stopped after a removal was refused: {reason}")
        case Held(why):
            await _wait(piece, person.plan_hash, f"held back: {why}")
        case Unanswered():
            log.warning("removal_unanswered", run_id=str(piece.run.id), subscription_id=person.subscription_id)


async def _wait(piece: Slice, plan_hash: str, reason: str) -> None:
    """End the run; whoever is not settled stays in the plan until it expires, for the next run."""
    async with piece.station.transaction() as connection:
        counts = await removals.outcomes(connection, plan_hash)
        await endings.finish(connection, piece.run, counts=counts, now=piece.now(), reason=reason)


async def _stop(piece: Slice, plan_hash: str, reason: str) -> None:
    """Fail the run: what was refused for one person would be refused for everybody."""
    async with piece.station.transaction() as connection:
        counts = await removals.outcomes(connection, plan_hash)
        await endings.fail(connection, piece.run, counts=counts, reason=reason, now=piece.now())


@dataclass(frozen=True)
class Way:
    """A run as it stands, and the slice that has just been done."""

    station: Station
    run: Run
    slice_done: int


async def _go_on(station: Station, command: ReclaimSubscription, plan_hash: str) -> None:
    """After one person: the next, or the end. Nothing if the run went on or ended without us."""
    async with station.transaction() as connection:
        run = await runs.get(connection, command.run_id, lock=True)
        if run is not None and run.state == "running" and run.slice == command.slice:
            await _next_or_end(connection, Way(station, run, command.slice), plan_hash)


async def _next_or_end(connection: Connection, way: Way, plan_hash: str) -> None:
    run, now = way.run, way.station.now()
    counts = await removals.outcomes(connection, plan_hash)
    following = await removals.next_unsettled(connection, plan_hash)
    if following is None:
        await removals.close_plan(connection, plan_hash, now)
        await endings.finish(connection, run, counts=counts, now=now)
        return
    command = ReclaimSubscription(
        run_id=run.id, slice=way.slice_done + 1, correlation_id=run.correlation_id, subscription_id=following
    )
    await slices.checkpoint(connection, run, cursor={}, counts=counts, now=now)
    await slices.hand_on(connection, run, command, now)
