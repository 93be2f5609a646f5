"""What the broker said of each message that was published: taken, refused, or returned because no queue wants it.

RabbitMQ confirms in any order and many at once, by a number that counts the messages of a channel from 1. A message
that was published as `mandatory` and fits no queue is first returned and then confirmed: a confirm alone would count
it as sent, and it would be lost.
"""

import asyncio
from collections import OrderedDict
from itertools import takewhile
from typing import Any, Self

from workers.amqp import Broker, BrokerLost, settle

LONGEST_WAIT = 60.0
"""Seconds without all confirms after which the connection counts as lost."""


class Confirms:
    """The confirms of one channel in confirm mode."""

    def __init__(self, broker: Broker, channel: Any) -> None:  # noqa: ANN401 - pika ships no types
        """Use `on` instead."""
        self.broker, self.channel = broker, channel
        self.published = 0
        self._open: OrderedDict[int, str] = OrderedDict()  # in the order of publishing: the first is the oldest
        self._returned: dict[str, str] = {}
        self._refused: dict[int, tuple[str, str]] = {}
        self._awaited = 0
        self._settled: asyncio.Future[None] | None = None

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
        """Count a message that is being published now; `published` is its number."""
        self.published += 1
        self._open[self.published] = message_id

    async def settled(self, upto: int) -> dict[str, str]:
        """Wait for the broker's word on the messages up to this number; return what it did not take: id to reason.

        One waits at a time. Raises BrokerLost when the connection goes or the word does not come.
        """
        if self._waits_for(upto):
            self._awaited, self._settled = upto, self.broker.future()
            try:
                await asyncio.wait_for(self._settled, LONGEST_WAIT)
            except TimeoutError:
                raise BrokerLost(f"it confirmed nothing for {LONGEST_WAIT:.0f} seconds") from None
        return dict(self._refused.pop(number) for number in list(self._refused) if number <= upto)

    def _waits_for(self, upto: int) -> bool:
        return bool(self._open) and next(iter(self._open)) <= upto

    def _on_return(self, _channel: object, method: Any, properties: Any, _body: bytes) -> None:  # noqa: ANN401 - pika ships no types
        self._returned[properties.message_id] = f"returned by RabbitMQ: {method.reply_text} ({method.routing_key})"

    def _on_confirm(self, frame: Any) -> None:  # noqa: ANN401 - pika ships no types
        tag = frame.method.delivery_tag
        tags = list(takewhile(lambda one: one <= tag, self._open)) if frame.method.multiple else [tag]
        taken = frame.method.NAME != "Basic.Nack"
        for one in tags:
            message_id = self._open.pop(one)
            if not taken or message_id in self._returned:
                why = self._returned.pop(message_id, "RabbitMQ did not take it")
                self._refused[one] = (message_id, why)
        if self._settled is not None and not self._waits_for(self._awaited):
            settle(self._settled)
