"""What the relay has published and not yet marked as sent, batch by batch in the order of publishing."""

import asyncio
from dataclasses import dataclass

from store.outbox import Outgoing


@dataclass(frozen=True, slots=True)
class Batch:
    """One reading of the outbox."""

    messages: list[Outgoing]
    refused: dict[int, str]
    """Ids of rows that could not be written, with the reason; they were not published."""
    upto: dict[str, int]
    """For each channel, the number of its last message when this batch was published."""


class Flight:
    """The batches between their publishing and their mark. One coroutine adds, one other takes and lands them."""

    def __init__(self) -> None:
        """Begin with nothing in the air."""
        self.ids: set[int] = set()
        self._batches: asyncio.Queue[Batch] = asyncio.Queue()
        self._landed = asyncio.Event()

    def add(self, batch: Batch) -> None:
        """Take in a batch that was published."""
        self.ids.update(message.id for message in batch.messages)
        self._batches.put_nowait(batch)

    async def oldest(self) -> Batch:
        """Wait for the batch that was published first of those not yet taken."""
        return await self._batches.get()

    def land(self, batch: Batch) -> None:
        """Forget a batch: each row is marked as sent, or rests."""
        self.ids.difference_update(message.id for message in batch.messages)
        self._landed.set()

    async def one_landed(self) -> None:
        """Wait until a batch lands."""
        self._landed.clear()
        await self._landed.wait()

    async def all_landed(self) -> None:
        """Wait until nothing is in the air."""
        while self.ids:
            await self.one_landed()
