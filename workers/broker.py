"""The one place where Dramatiq and RabbitMQ lose messages, closed.

Stock Dramatiq 2.2.1 on RabbitMQ loses messages in four ways, each measured and each with its test:

1. **Unconfirmed sends.** `confirm_delivery` is off by default, and `mandatory` with it: what is sent just before the
   broker dies is gone (https://github.com/Bogdanp/dramatiq/issues/46). Here it is on and cannot be turned off.
2. **Acknowledgements on the wrong channel.** A delivery tag counts from 1 on every channel, and the stock consumer
   knows deliveries by their bare tag. After a reconnect, the end of a slice that the *old* channel delivered
   acknowledges whatever has the same number on the *new* one: a message that has not run. A kill then loses it.
   Upstream has no report of it that we found; https://github.com/Bogdanp/dramatiq/issues/148 is the nearest. Here
   (`workers/delivery.py`) each message remembers the consumer that delivered it, and an acknowledgement for a lost
   channel is dropped: RabbitMQ has already put that message back, and will deliver it again.
3. **A retry that cannot be stored.** See `workers/retrying.py` (https://github.com/Bogdanp/dramatiq/pull/545).
4. **Envelopes that nobody of ours wrote.** `options.retries: "x"` is lost as in 3; a wrong `queue_name` kills a
   worker thread; `options: null` restarts the consumer for ever. `messages/encoder.py` refuses them, and here the
   consumer refuses an envelope that is good but lies on another queue than it names. What is refused goes to the
   dead-letter queue, which RabbitMQ does itself when the delivery is rejected.

What remains is at-least-once: a message can run twice (never zero times), so every actor checks its run's row first.

Delivered but not yet started when its channel went: `SkipLost` lets it go, because its copy is on its way and
the two would run side by side.

Not installed, on purpose: Pipelines, Callbacks, GroupCallbacks and Results (an envelope could run other actors),
Prometheus (it binds to every address), AgeLimit, TimeLimit and ShutdownNotifications (the last two raise an exception
inside the worker thread at an arbitrary instruction, also between a failure and its retry, where it would end the
thread and lose the message; `workers/declaring.py` limits a slice inside the event loop instead).
"""

import dramatiq
import pika
from dramatiq.broker import Consumer
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.common import q_name
from dramatiq.errors import ConnectionClosed
from dramatiq.message import Message
from dramatiq.middleware import AsyncIO, Middleware

from messages.encoder import StrictEncoder
from workers.delivery import KeepingConsumer, SkipLost
from workers.retrying import GivingUp, Retrying

MAX_RETRIES = 12
"""With back-off from one second to five minutes, about half an hour of trying."""
_HEARTBEAT = 30
_BLOCKED_TIMEOUT = 10
"""Seconds. A broker that is out of memory or disk blocks whoever publishes; a retry then counts as not stored."""


def make_broker(
    internal_url: str, *, threads: int, max_retries: int = MAX_RETRIES, on_giving_up: GivingUp | None = None
) -> RabbitmqBroker:
    """Return a broker for the virtual host in `internal_url` (amqp://user:password@host:port/internal).

    `threads` is how many worker threads will run, and how many messages each queue's consumer takes in advance.
    `on_giving_up` is told of each command that is about to be dead-lettered. Nothing is connected to yet. The
    process's message encoder becomes the strict one; `dramatiq.set_broker` is left to entry points.
    """
    dramatiq.set_encoder(StrictEncoder())
    retrying = Retrying(max_retries=max_retries, on_giving_up=on_giving_up)
    return KeepingBroker(internal_url, threads=threads, middleware=[AsyncIO(), SkipLost(), retrying])


class KeepingBroker(RabbitmqBroker):
    """RabbitmqBroker with confirmed sends, bounded prefetch and the consumer below."""

    def __init__(self, url: str, *, threads: int, middleware: list[Middleware]) -> None:
        """`url` and `threads` as in make_broker."""
        super().__init__(confirm_delivery=True, middleware=middleware)
        self.threads = threads
        parameters = pika.URLParameters(url)
        parameters.heartbeat = _HEARTBEAT
        parameters.blocked_connection_timeout = _BLOCKED_TIMEOUT
        self.parameters = parameters

    @property
    def consumer_class(self) -> type[KeepingConsumer]:
        """Seam of RabbitmqBroker."""
        return KeepingConsumer

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        """Take at most one message for each thread in advance, so that none waits long beside a slow slice.

        Delay queues keep Dramatiq's own, larger number: what they hold is waiting anyway.
        """
        if queue_name == q_name(queue_name):
            prefetch = self.threads
        return super().consume(queue_name, prefetch, timeout)

    def enqueue(self, message: Message[object], *, delay: int | None = None) -> Message[object]:
        """Send and wait for the broker's confirmation, or raise ConnectionClosed; stock leaks socket errors too."""
        try:
            return super().enqueue(message, delay=delay)
        except OSError as error:
            raise ConnectionClosed(error) from error
