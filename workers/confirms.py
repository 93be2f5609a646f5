"""What the broker said of each message that was published: taken, refused, or returned because no queue wants it.

RabbitMQ confirms in any order and many at once, by a number that counts the messages of a channel from 1. A message
that was published as `mandatory` and fits no queue is first returned and then confirmed: a confirm alone would count
it as sent, and it would be lost.
"""

import asyncio
from typing import Any, Self

from workers.amqp import Broker, BrokerLost, settle

LONGEST_WAIT = 60.0
"""Seconds without all confirms after which the connection counts as lost."""


class Confirms:
    """The confirms of one channel in confirm mode."""

    def __init__(self, broker: Broker, channel: Any) -> None:  # noqa: ANN401 - pika ships no types
        """Use `on` instead."""
        self.channel = channel
        self._broker = broker
        self._published = 0
        self._open: dict[int, str] = {}
        self._refused: dict[str, str] = {}
        self._all: asyncio.Future[None] | None = None

    @classmethod
    async def on(cls, broker: Broker) -> Self:
        """Open a channel and put it into confirm mode."""
        confirms = cls(broker, await broker.channel())
        on = broker.future()
        confirms.channel.add_on_return_callback(confirms._on_return)
        confirms.channel.confirm_delivery(confirms._on_confirm, callback=lambda _frame: settle(on))
        await on
        return confirms

    def expect(self, message_id: str) -> None:
        """Count a message that is being published now."""
        self._published += 1
        self._open[self._published] = message_id

    async def settled(self) -> dict[str, str]:
        """Wait for the broker's word on everything published; return what it did not take: id to reason.

        Raises BrokerLost when the connection goes or the word does not come.
        """
        if self._open:
            self._all = self._broker.future()
            try:
                await asyncio.wait_for(self._all, LONGEST_WAIT)
            except TimeoutError:
                raise BrokerLost(f"it confirmed nothing for {LONGEST_WAIT:.0f} seconds") from None
        refused, self._refused = self._refused, {}
        return refused

    def _on_return(self, _channel: object, method: Any, properties: Any, _body: bytes) -> None:  # noqa: ANN401 - pika ships no types
        self._refused[properties.message_id] = f"returned by RabbitMQ: {method.reply_text} ({method.routing_key})"

    def _on_confirm(self, frame: Any) -> None:  # noqa: ANN401 - pika ships no types
        tag, multiple = frame.method.delivery_tag, frame.method.multiple
        tags = [one for one in self._open if one <= tag] if multiple else [tag]
        for one in tags:
            message_id = self._open.pop(one)
            if frame.method.NAME == "Basic.Nack":
                self._refused[message_id] = "RabbitMQ did not take it"
        if not self._open and self._all is not None:
            settle(self._all)
