"""A message together with the channel that delivered it; why this matters is said in `workers/broker.py`.

RabbitMQ numbers deliveries from 1 on every channel. A number is only worth something on its own channel, and there
only while that channel lives; once it is gone, RabbitMQ has put back everything that was not settled on it.
"""

from collections.abc import Callable
from functools import partial

import pika.exceptions
from dramatiq.broker import Broker, MessageProxy
from dramatiq.brokers.rabbitmq import _RabbitmqConsumer, _RabbitmqMessage
from dramatiq.middleware import Middleware, SkipMessage


class Delivery(_RabbitmqMessage):
    """One delivery of one message."""

    delivered_by: "KeepingConsumer"
    given_back: bool

    def __init__(self, received: _RabbitmqMessage, delivered_by: "KeepingConsumer") -> None:
        """Take over what the stock consumer received."""
        super().__init__(received.redelivered, received._tag, received._message)
        self.delivered_by = delivered_by
        self.given_back = False

    @property
    def is_lost(self) -> bool:
        """Whether its channel is gone: RabbitMQ has put the message back and will deliver it again."""
        return not self.delivered_by.channel.is_open

    def give_back(self) -> None:
        """Return it to its queue, neither acknowledged nor dead-lettered."""
        self.given_back = True
        self.fail()


class KeepingConsumer(_RabbitmqConsumer):
    """A consumer that delivers only what names its queue, and settles only what it delivered itself."""

    def __next__(self) -> Delivery | None:
        """Return the next delivery, or None when there is none yet or one was refused."""
        received = super().__next__()
        if received is None:
            return None
        if received.queue_name != self.queue_name:
            self.logger.error("Refused %s on %r: it names another queue.", received.message_id, self.queue_name)
            super().nack(received)
            return None
        return Delivery(received, self)

    def ack(self, message: MessageProxy) -> None:
        """Acknowledge the delivery, or drop the acknowledgement when its channel is gone."""
        self._settle(message, self.channel.basic_ack)

    def nack(self, message: MessageProxy) -> None:
        """Dead-letter the delivery or give it back, or drop the rejection when its channel is gone."""
        given_back = isinstance(message, Delivery) and message.given_back
        self._settle(message, partial(self.channel.basic_nack, requeue=given_back))

    def _settle(self, message: MessageProxy, settle: Callable[[int], None]) -> None:
        if not isinstance(message, Delivery) or message.delivered_by is not self:
            self.logger.warning("Dropped the settling of %s: another channel delivered it.", message.message_id)
            return
        self.known_tags.discard(message._tag)
        try:
            self.connection.add_callback_threadsafe(partial(settle, message._tag))
        except pika.exceptions.AMQPError:
            # Dramatiq would try again for as long as it takes, holding the worker thread; it can never succeed.
            self.logger.warning("Dropped the settling of %s: its connection is gone.", message.message_id)


class SkipLost(Middleware):
    """Does not start a message whose channel went while it waited: its copy is on its way, and both would run."""

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        """Seam of Dramatiq's middleware."""
        if isinstance(message, Delivery) and message.is_lost:
            raise SkipMessage("the channel that delivered it is gone")
