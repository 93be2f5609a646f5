"""Copies dead letters from RabbitMQ, which forgets them after seven days, to Postgres, where they stay.

Part of the intake process. A dead letter is taken from its queue after its copy has committed; the run that waited for
the command fails in the same transaction, so that nobody waits for what cannot come any more.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from messages.commands import QUEUES
from store import dead_letters
from store.connect import Connection, open_connection
from workers import amqp
from workers.amqp import Broker, Delivery
from workers.entry import Trouble, unfenced
from workers.waiting import Signal, first_of

PREFETCH = 10
DEAD_QUEUES = tuple(f"{queue}.XQ" for queue in QUEUES)

log = structlog.get_logger(__name__)


class DeadLetters:
    """Copies dead letters. Each call of `session` is one life, from connecting to losing something."""

    def __init__(
        self, database_url: str, internal_url: str, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """Connect to nothing yet."""
        self._database_url, self._internal_url, self._clock = database_url, internal_url, clock
        self.trouble = Trouble()
        self.copied: Signal[str] = Signal()

    async def session(self, stop: asyncio.Event) -> None:
        """Copy dead letters of all queues until `stop`, or raise what was lost."""
        async with (
            open_connection(self._database_url) as connection,
            amqp.connect(self._internal_url, name="dead letters") as internal,
        ):
            self.trouble.now = None
            one_at_a_time = asyncio.Lock()  # they share one connection to the database, and its transaction
            await first_of(*(self._copy(connection, internal, queue, stop, one_at_a_time) for queue in DEAD_QUEUES))

    async def _copy(
        self, connection: Connection, internal: Broker, queue: str, stop: asyncio.Event, one_at_a_time: asyncio.Lock
    ) -> None:
        channel = await internal.channel(prefetch=PREFETCH)
        async for delivery in internal.deliveries(channel, queue, stop):
            async with one_at_a_time:
                await self._keep(connection, delivery)
            with amqp.losing():
                channel.basic_ack(delivery.tag)
            self.copied.give(queue)

    async def _keep(self, connection: Connection, delivery: Delivery) -> None:
        async def keep() -> bool:
            async with connection.transaction():
                return await dead_letters.keep(
                    connection, delivery.queue, delivery.body, delivery.headers, self._clock()
                )

        if await unfenced(keep):
            log.warning("dead_letter_kept", queue=delivery.queue, bytes=len(delivery.body))
