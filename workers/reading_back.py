"""Settling a removal whose outcome is unknown: by reading, never by calling again."""

import asyncio
from datetime import timedelta
from uuid import UUID

import structlog

from asana_api.errors import AsanaError
from connections.tokens import ConnectionIsLost, NotConnected
from store.removals import Item
from store.settlements import Settlement
from workers.removing import settle
from workers.station import Station

log = structlog.get_logger(__name__)


async def read_back(station: Station, person: Item, correlation_id: UUID) -> bool:
    """Settle a removal without an answer by reading twice; False while it is too early, or Asana does not say.

    Gone both times is done. There both times is parked for a person's decision: it may still be under way, or the
    person may have been put back, and a second call could remove somebody who was only just invited.
    """
    assert person.removal_id is not None
    assert person.call_before is not None
    patience = timedelta(seconds=station.settings.recovery_after_seconds)
    if station.now() < person.call_before + patience:
        return False
    there = await _read_twice(station, person)
    if there is None:
        return False
    why = "no answer came; read twice afterwards: "
    settlement = (
        Settlement(state="parked", outcome="unknown", why=why + "still there, outcome unknown", recovered=True)
        if there
        else Settlement(state="done", outcome="reclaimed", why=why + "gone", recovered=True)
    )
    return await settle(station, person, person.removal_id, settlement, correlation_id)


async def _read_twice(station: Station, person: Item) -> bool | None:
    """Return whether the person has a seat, if two readings agree; None if they do not, or one failed."""
    readings: list[bool] = []
    for _ in range(2):
        if readings:
            await asyncio.sleep(station.settings.recovery_pause_seconds)
        try:
            asana = await station.asana(person.profile)
            answer = await asana.client.membership_of(asana.organization_gid, person.user_gid)
        except (AsanaError, ConnectionIsLost, NotConnected) as error:
            log.warning("read_back_failed", removal_id=person.removal_id, why=str(error))
            return None
        readings.append(answer is not None and answer.is_active)
    return readings[0] if readings[0] == readings[1] else None
