"""RabbitMQ for asyncio: pika's connection with awaitable words around its callbacks.

Whatever ends a connection or one of its channels (the broker stops, a heartbeat is missed, a right is missing, a queue
is deleted) raises BrokerLost in everyone who waits on it. There is no half-alive state to look after: the caller's
session ends, and the next one connects anew. RabbitMQ has then put back what was delivered and not acknowledged, and
what was published and not confirmed counts as not sent.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import pika
import pika.exceptions
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.adapters.utils.connection_workflow import AMQPConnectionWorkflowFailed

from workers.waiting import unless

HEARTBEAT = 30
"""Seconds; a broker that says nothing for longer is gone."""
BLOCKED_TIMEOUT = 60
"""Seconds. A broker that is out of memory or disk stops reading from whoever publishes."""
CLOSING = 5.0
T = TypeVar("T")


LARGEST_WRITE = 64 * 1024
"""Bytes that are gathered before they are written."""


class _Connection(AsyncioConnection):  # type: ignore[misc]  # pika ships no types
    """Writes many frames at once: pika gives each of a message's three frames a system call of its own."""

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - pika ships no types
        self._gathered: bytearray | None = None
        super().__init__(*arguments, **named)

    def gather(self) -> None:
        """Keep what is to be written from now on, until `let_go`."""
        self._gathered = bytearray()

    def let_go(self) -> None:
        """Write what was kept."""
        gathered, self._gathered = self._gathered, None
        if gathered:
            super()._adapter_emit_data(bytes(gathered))

    def _adapter_emit_data(self, data: bytes) -> None:
        """Write one frame: what pika asks of each of its adapters."""
        if self._gathered is None:
            super()._adapter_emit_data(data)
            return
        self._gathered += data
        if len(self._gathered) >= LARGEST_WRITE:
            self.let_go()
            self.gather()


class BrokerLost(Exception):
    """The connection to RabbitMQ is gone, or could not be made; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as it was delivered; `tag` is good on its own channel only."""

    queue: str
    tag: int
    redelivered: bool
    headers: dict[str, Any]  # whatever the sender and the broker put there
    body: bytes


class Broker:
    """One connection to one virtual host, from `connect`."""

    def __init__(self, url: str, name: str) -> None:
        """Begin to connect."""
        parameters = pika.URLParameters(url)
        parameters.heartbeat = HEARTBEAT
        parameters.blocked_connection_timeout = BLOCKED_TIMEOUT
        parameters.client_properties = {"connection_name": f"seatkeeper {name}"}
        self._pending: set[asyncio.Future[Any]] = set()
        self._deliveries: list[asyncio.Queue[Delivery | BrokerLost]] = []
        self._why_lost: str | None = None
        self._closed = asyncio.Event()
        self.opened: asyncio.Future[None] = self.future()
        self._connection = _Connection(
            parameters,
            on_open_callback=lambda _connection: settle(self.opened),
            on_open_error_callback=self._on_closed,
            on_close_callback=self._on_closed,
            custom_ioloop=asyncio.get_running_loop(),
        )

    def future(self) -> asyncio.Future[Any]:
        """Return a future that raises BrokerLost when the connection goes before it is settled."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending.add(future)
        future.add_done_callback(self._pending.discard)
        if self._why_lost is not None:
            _fail(future, self._why_lost)
        return future

    async def until_lost(self) -> None:
        """Raise BrokerLost once it is lost, also when nobody waits for anything else of it."""
        await self.future()

    async def channel(self, *, prefetch: int = 0) -> Any:  # noqa: ANN401 - pika ships no types
        """Open a channel that holds at most `prefetch` unacknowledged deliveries for each consumer (0: no limit)."""
        opened = self.future()
        channel = self._connection.channel(on_open_callback=lambda _channel: settle(opened))
        channel.add_on_close_callback(lambda _channel, reason: self._lose(_words(reason)))
        await opened
        if prefetch:
            limited = self.future()
            channel.basic_qos(prefetch_count=prefetch, callback=lambda _frame: settle(limited))
            await limited
        return channel

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Write what is sent inside the block at once at its end. The block awaits nothing."""
        self._connection.gather()
        try:
            yield
        finally:
            self._connection.let_go()

    async def deliveries(self, channel: Any, queue: str, stop: asyncio.Event) -> AsyncIterator[Delivery]:  # noqa: ANN401 - pika ships no types
        """Yield what is delivered from `queue` until `stop`; the caller acknowledges each on `channel`."""
        received: asyncio.Queue[Delivery | BrokerLost] = asyncio.Queue()
        self._deliveries.append(received)

        def on_message(_channel: object, method: Any, properties: Any, body: bytes) -> None:  # noqa: ANN401 - pika ships no types
            headers = properties.headers or {}
            received.put_nowait(Delivery(queue, method.delivery_tag, method.redelivered, headers, body))

        channel.add_on_cancel_callback(lambda _frame: self._lose(f"the queue {queue} was deleted"))
        with losing():
            channel.basic_consume(queue, on_message)
        while (delivery := await unless(stop, received.get())) is not None:
            if isinstance(delivery, BrokerLost):
                raise delivery
            yield delivery

    async def close(self) -> None:
        """Close in order, within CLOSING seconds."""
        self._lose("we closed the connection")
        if not (self._connection.is_closing or self._connection.is_closed):
            self._connection.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSING):
                await self._closed.wait()

    def _on_closed(self, _connection: object, reason: BaseException | str) -> None:
        self._closed.set()
        self._lose(_words(reason))

    def _lose(self, why: str) -> None:
        if self._why_lost is not None:
            return
        self._why_lost = why
        for future in list(self._pending):
            _fail(future, why)
        for received in self._deliveries:
            received.put_nowait(BrokerLost(why))


@contextlib.asynccontextmanager
async def connect(url: str, *, name: str) -> AsyncIterator[Broker]:
    """Yield an open connection to the virtual host in `url` (amqp://user:password@host:port/vhost).

    Raises BrokerLost when there is none to be had. `name` is what RabbitMQ's management page calls it.
    """
    broker = Broker(url, name)
    try:
        await broker.opened
        yield broker
    finally:
        await broker.close()


@contextlib.contextmanager
def losing() -> Iterator[None]:
    """Turn pika's own errors for a channel that has just gone into BrokerLost."""
    try:
        yield
    except pika.exceptions.AMQPError as error:
        raise BrokerLost(_words(error)) from None


def settle(future: asyncio.Future[None]) -> None:
    """End the wait of whoever awaits `future`, if somebody still does."""
    if not future.done():
        future.set_result(None)


def _fail(future: asyncio.Future[Any], why: str) -> None:
    if not future.done():
        future.set_exception(BrokerLost(why))
        future.exception()  # looked at: nobody may be waiting any more, which is no fault


def _words(reason: BaseException | str) -> str:
    """Return the innermost reason in words: pika wraps a refused connection up to four times."""
    while isinstance(reason, BaseException) and (inner := _inner(reason)) is not None:
        reason = inner
    if isinstance(reason, pika.exceptions.ConnectionClosed | pika.exceptions.ChannelClosed):
        return f"closed with {reason.reply_code} {reason.reply_text}"
    return str(reason) or type(reason).__name__


def _inner(error: BaseException) -> BaseException | None:
    if isinstance(error, AMQPConnectionWorkflowFailed):
        return error.exceptions[-1] if error.exceptions else None
    wrapped = getattr(error, "exception", None) or (error.args[0] if error.args else None)
    return wrapped if isinstance(wrapped, BaseException) else None
