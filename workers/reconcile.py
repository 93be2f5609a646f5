"""The actor `reconcile`: compare the subscriptions in use with the rights owned, in one statement over one snapshot."""

from messages.commands import Reconcile
from store import endings, reconciliation
from workers.slicing import Slice, in_slice
from workers.station import Station


async def reconcile(station: Station, command: Reconcile) -> None:
    """Compute the license position of the profile and say it."""
    await in_slice(station, command, _reconcile)


async def _reconcile(piece: Slice) -> None:
    now = piece.now()
    async with piece.station.transaction() as connection:
        positions = await reconciliation.reconcile(connection, piece.run, now)
        counts = {
            "owned": sum(position.owned for position in positions),
            "used": sum(position.used for position in positions),
        }
        await endings.finish(connection, piece.run, counts=counts, now=now)
