"""What becomes of a command whose actor failed: again later, given up, or given back to RabbitMQ.

Dramatiq retries by sending a copy and acknowledging the original. If the copy cannot be sent, stock Dramatiq logs it
and acknowledges all the same: the message is gone (https://github.com/Bogdanp/dramatiq/pull/545, open). The same
happens to whatever else fails on that path. Here such a message is given back: it stays in its queue, with the count
of retries that it had.

Why given back and not dead-lettered: that the retry could not be stored says nothing about the command, and a
dead letter waits for a person. Mostly the broker itself is away; then the channel is gone too, and RabbitMQ gives it
back by itself. When only publishing fails (the broker is short of memory or disk and blocks publishers, or a
right is missing) the message comes again at once, so the thread pauses first.

A command is given up when its actor raised what it declared with `throws`, or when its retries are used up. It is
then dead-lettered, and before that `on_giving_up` is called, so that its run is failed with a reason instead of
waiting for ever. If that call fails, nobody knows of the failure yet, and the message is given back as well.
"""

import time
from collections.abc import Callable

from dramatiq.broker import Broker, MessageProxy
from dramatiq.errors import Retry
from dramatiq.message import Message
from dramatiq.middleware import Retries

from messages.commands import COMMANDS, Command
from messages.encoder import LONGEST_DELAY
from workers.delivery import Delivery

GivingUp = Callable[[Command, BaseException], None]
"""Called in the worker thread; `dramatiq.asyncio.async_to_sync` makes one of a coroutine function."""

SHORTEST_BACKOFF = 1
LONGEST_BACKOFF = 5 * 60
"""Seconds; doubled from one retry to the next, with jitter."""


class RetryLater(Retry):
    """Raised by an actor: carry the command out again after so many seconds. It counts as one of its retries."""

    def __init__(self, reason: str, *, seconds: float) -> None:
        """`seconds` is cut to LONGEST_DELAY: whatever waits longer is a row in Postgres, not a delayed message."""
        super().__init__(reason, delay=round(seconds * 1000))


class Retrying(Retries):
    """Dramatiq's Retries, except that nothing is acknowledged before its retry is stored."""

    def __init__(self, *, max_retries: int, on_giving_up: GivingUp | None = None, pause: float = 1.0) -> None:
        """`pause` (seconds) goes before each giving back."""
        super().__init__(
            max_retries=max_retries, min_backoff=SHORTEST_BACKOFF * 1000, max_backoff=LONGEST_BACKOFF * 1000
        )
        self._on_giving_up = on_giving_up
        self._pause = pause

    def after_process_message(
        self,
        broker: Broker,
        message: MessageProxy,
        *,
        result: object = None,
        exception: BaseException | None = None,
    ) -> None:
        """Seam of Dramatiq's middleware."""
        if exception is None:
            return
        _bound_delay(exception)
        try:
            super().after_process_message(broker, message, result=result, exception=exception)
            if message.failed:
                self._give_up(message, exception)
        except Exception:  # whatever went wrong, neither a retry nor a reason is stored
            self.logger.exception("Giving %s back: its failure could not be stored.", message.message_id)
            self._give_back(message)

    def before_enqueue(self, broker: Broker, message: Message[object], delay: int | None) -> None:
        """Take the traceback off the wire: it quotes what it failed on, and dead letters keep it for a week."""
        message.options.pop("traceback", None)

    def _give_up(self, message: MessageProxy, exception: BaseException) -> None:
        if self._on_giving_up is not None:
            command = COMMANDS[message.actor_name].model_validate(message.kwargs)
            self._on_giving_up(command, exception)

    def _give_back(self, message: MessageProxy) -> None:
        time.sleep(self._pause)
        if isinstance(message, Delivery):
            message.give_back()
        else:
            message.fail()


def _bound_delay(exception: BaseException) -> None:
    if isinstance(exception, Retry) and exception.delay is not None:
        exception.delay = round(min(max(exception.delay, 0), LONGEST_DELAY * 1000))
