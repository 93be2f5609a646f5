"""The removal of one person, step by step: last look, intent, call, read back, event.

    last look   permits first; then what the person did; the membership last, as close to the call as it can be
    intent      one transaction: the profile's row locked, stop, leash, plan and cap checked, the intent written with
                the time until which it may be called
                (counted from the last byte of the last look)
    call        the client compares its own monotonic clock as its last statement: a process that slept wakes too late
    read back   an answer is believed when a reading after it shows the person gone

Whatever happens between the intent and a clear answer leaves the intent `calling`: it is read back later, twice, by
`workers.reading_back`, and never called again. What window remains: a person who comes back to work between the last
byte of the last look and the call is removed all the same; the time between the two is logged with each removal.
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from asana_api.errors import (
    AsanaError,
    NeedsOperator,
    OutcomeUnknown,
    RateLimited,
    RefusedHere,
    TooLate,
    TryLater,
)
from connections.sealing import SealBroken
from connections.tokens import ConnectionIsLost, NotConnected
from rules.removal import Keep, Planned, last_look
from store import candidates, removals, seats, settlements
from store.budget import CredentialGone
from store.candidates import Change
from store.connect import Connection
from store.removals import Item
from store.settlements import Settlement
from workers.keeping_activity import keep_findings
from workers.last_look import Look, look_at, permits_for, searches_for
from workers.retrying import RetryLater
from workers.slicing import Slice
from workers.station import Asana, Station

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Settled:
    """The person is settled; the plan goes on, unless the refusal concerns everybody."""

    stop_because: str | None = None


@dataclass(frozen=True)
class Held:
    """No removal may start now; the person is not settled."""

    why: str


@dataclass(frozen=True)
class Unanswered:
    """The call was or may have been made and nothing is known of it: it is read back later."""


Ended = Settled | Held | Unanswered


async def remove(piece: Slice, person: Item) -> Ended:
    """Look a last time and, if nothing has changed, remove the person. Raises TryLater before anything was intended."""
    async with piece.station.pool.connection() as connection:
        held = await removals.why_held(connection, person.profile_id, person.plan_hash, piece.now())
    if held is not None:
        return Held(held)
    asana = await piece.station.asana(piece.run.profile)
    searches = searches_for(asana.plan) if asana.opened.service is None else 0
    async with asana.opened.permits.reserved(permits_for(asana.plan), searches=searches):
        look = await look_at(piece, asana, person)
        return await _decide(piece, asana, person, look)


async def _decide(piece: Slice, asana: Asana, person: Item, look: Look | None) -> Ended:
    """In one transaction: keep what was seen, judge it, and write either why the person stays or the intent."""
    window = timedelta(seconds=piece.station.settings.call_window_seconds)
    async with piece.station.transaction() as connection:
        now = piece.now()
        held = await removals.why_held(connection, person.profile_id, person.plan_hash, now)
        if held is not None:
            return Held(held)
        if look is not None:
            await keep_findings(
                connection, person.profile_id, [look.person], look.all_findings, asked_at=look.began_at, now=now
            )
        keep = await _reason_to_keep(connection, person, look, now)
        if keep is not None:
            await _stays(connection, piece, person, keep, now)
            return Settled()
        assert look is not None
        call_before = look.at_monotonic + window.total_seconds()
        if time.monotonic() >= call_before:
            raise RetryLater("the database was slow, so the last look is too old to act on", seconds=1)
        try:
            intent = await removals.intend(connection, piece.run, person, look.evidence(), window=window, now=now)
        except removals.NotReady as changed:
            raise RetryLater(str(changed), seconds=1) from changed
    return await _call(piece, asana, person, _Called(intent.removal_id, call_before, look))


async def _reason_to_keep(connection: Connection, person: Item, look: Look | None, now: datetime) -> Keep | None:
    judged = await seats.one_to_judge(connection, person.profile_id, person.subscription_id, now=now)
    rule = await seats.rule_of(connection, person.profile_id)
    if look is None or judged is None or rule is None:
        return Keep("gone", "has no paid seat any more", "closed_skipped")
    if judged.candidate_id != person.candidate_id or judged.candidate_state != "ready":
        return Keep("not_ready", "is not a ready candidate any more", None)
    if look.trouble is not None:
        return Keep("unknown", f"Asana would not say: {look.trouble}", None)
    planned = Planned(person.membership_gid, person.joined_at)
    seat = judged.seat if look.log is None else look.log.added_to(judged.seat)
    keep = last_look(planned, look.membership, seat, rule, looked_at=look.began_at, now=now)
    if look.trouble_with_activity is not None and (keep is None or keep.candidate is None):
        return Keep("unknown", f"Asana would not say: {look.trouble_with_activity}", None)
    return keep


async def _stays(connection: Connection, piece: Slice, person: Item, keep: Keep, now: datetime) -> None:
    """Note that the last look keeps the person, and close the candidate accordingly."""
    why = f"kept at the last look: {keep.why}"
    await settlements.settle_item(connection, person, "kept", why, now)
    if keep.candidate is None or person.candidate_state != "ready":
        return
    step = Change(
        state_from="ready",
        state_to=keep.candidate,
        by=candidates.OURSELVES,
        why=why,
        evidence={"reason": keep.reason},
        correlation_id=piece.run.correlation_id,
    )
    await candidates.change(connection, person.profile_id, person.candidate_id, step, now)


@dataclass(frozen=True)
class _Called:
    """A removal that is being called: its row, the moment on the monotonic clock, and the look before it."""

    removal_id: int
    call_before: float
    look: Look


async def _call(piece: Slice, asana: Asana, person: Item, called: _Called) -> Ended:
    gap = time.monotonic() - called.look.at_monotonic
    try:
        await asana.client.remove_user(
            asana.organization_gid, person.user_gid, own_gid=asana.opened.own_gid, call_before=called.call_before
        )
    except OutcomeUnknown:
        return Unanswered()
    except RateLimited as error:
        put_off = Settlement(state="refused", outcome="refused", why=str(error), again=True)
        return await _refused(piece, person, called, put_off, concerns_everybody=False)
    except (TryLater, TooLate) as error:
        return await _refused(piece, person, called, _never_sent(error), concerns_everybody=False)
    except (RefusedHere, ConnectionIsLost, NotConnected, CredentialGone, SealBroken) as error:
        return await _refused(piece, person, called, _never_sent(error), concerns_everybody=True)
    except AsanaError as error:
        refusal = Settlement(state="refused", outcome="refused", why=str(error))
        everybody = isinstance(error, NeedsOperator)
        return await _refused(piece, person, called, refusal, concerns_everybody=everybody)
    log.info("removal_answered", removal_id=called.removal_id, look_to_call_seconds=round(gap, 4))
    return await _shown_gone(piece, asana, person, called)


def _never_sent(error: Exception) -> Settlement:
    return Settlement(state="never_sent", outcome="refused", why=str(error), again=True)


async def _refused(
    piece: Slice, person: Item, called: _Called, settlement: Settlement, *, concerns_everybody: bool
) -> Ended:
    await settle(piece.station, person, called.removal_id, settlement, piece.run.correlation_id)
    return Settled(stop_because=settlement.why if concerns_everybody else None)


async def _shown_gone(piece: Slice, asana: Asana, person: Item, called: _Called) -> Ended:
    """Read the membership back; only a person who is shown gone counts as removed."""
    try:
        answer = await asana.client.membership_of(asana.organization_gid, person.user_gid)
    except (AsanaError, ConnectionIsLost) as error:
        log.warning("read_back_failed", removal_id=called.removal_id, why=str(error))
        return Unanswered()
    if answer is not None and answer.is_active:
        return Unanswered()
    done = Settlement(state="done", outcome="reclaimed", why="removed, and read back as gone")
    await settle(piece.station, person, called.removal_id, done, piece.run.correlation_id)
    return Settled()


async def settle(station: Station, person: Item, removal_id: int, settlement: Settlement, correlation_id: UUID) -> bool:
    """End a removal that is being called, in one transaction; False if it was settled already."""
    async with station.transaction() as connection:
        settled = await settlements.settle(connection, person, removal_id, settlement, correlation_id, station.now())
    log.info("removal_settled", removal_id=removal_id, state=settlement.state, why=settlement.why, mine=settled)
    return settled
