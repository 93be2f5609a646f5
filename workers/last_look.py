"""The last look at a person before a removal: what they did since, then their membership, close to the call."""

import time
from dataclasses import dataclass
from datetime import datetime

from asana_api.errors import AsanaError, NotAuthorized, TryLater
from rules.removal import Membership
from store import activity
from store.activity import Asked, Seen
from store.removals import Item
from workers.activity import ask
from workers.slicing import Slice
from workers.station import Asana


@dataclass(frozen=True)
class Look:
    """What the last look saw, and when its last byte came."""

    asked: Asked
    seen: Seen
    membership: Membership | None
    trouble: str | None
    began_at: datetime
    at: datetime
    at_monotonic: float

    def evidence(self) -> dict[str, object]:
        """Return it as it is kept with the intent: no names."""
        return {
            "reason": "last_look",
            "at": self.at.isoformat(),
            "activity_since": self.asked.since.isoformat(),
            "act": self.seen.act,
            "acted_at": self.seen.acted_at.isoformat() if self.seen.acted_at else None,
        }


async def look_at(piece: Slice, asana: Asana, person: Item) -> Look | None:
    """Read the person's activity, then their membership; None if they are no active paid seat any more."""
    async with piece.station.pool.connection() as connection:
        asked = await activity.ask_about(connection, person.profile_id, person.subscription_id)
    if asked is None:
        return None
    began_at = piece.now()
    seen = await ask(asana, asked)
    membership, trouble = await _membership(asana, person.user_gid)
    return Look(asked, seen, membership, trouble, began_at, piece.now(), time.monotonic())


async def _membership(asana: Asana, user_gid: str) -> tuple[Membership | None, str | None]:
    """Return the membership as it is now, or why Asana would not say: one person's unknown, and no one else's."""
    try:
        answer = await asana.client.membership_of(asana.organization_gid, user_gid)
    except (TryLater, NotAuthorized):
        raise
    except AsanaError as error:
        return None, str(error)
    if answer is None:
        return None, None
    seat = (answer.gid, answer.is_active, answer.is_admin, answer.is_guest, answer.is_view_only, answer.created_at)
    return Membership(*seat), None
