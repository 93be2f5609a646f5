"""A real queue with a real worker on it, ours or stock Dramatiq's, and what can be seen of both from outside."""

import asyncio
import contextlib
import json
import socket
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import dramatiq
import pika
from dramatiq.broker import Broker
from dramatiq.brokers.rabbitmq import RabbitmqBroker, _RabbitmqConsumer
from dramatiq.encoder import JSONEncoder
from dramatiq.middleware import AsyncIO, Retries, default_middleware
from pika.adapters.blocking_connection import BlockingChannel

from messages.commands import Command, DownloadSubscriptions, PullActivity
from messages.encoder import encode_command
from sandbox.services import Rabbitmq
from workers.declaring import DeclaredActor, register
from workers.worker import RunningWorker

QUEUE = DownloadSubscriptions.queue
DEAD = f"{QUEUE}.XQ"
DELAYED = f"{QUEUE}.DQ"


def eventually(is_so: Callable[[], bool], within: float = 10.0) -> bool:
    """Return whether it became so within so many seconds."""
    deadline = time.monotonic() + within
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def download(slice_number: int = 0) -> DownloadSubscriptions:
    """Return a new command; tests tell them apart by their slice."""
    return DownloadSubscriptions(run_id=uuid.uuid4(), slice=slice_number, correlation_id=UUID(int=7))


def body_of(command: Command) -> bytes:
    """Return the envelope in which the relay would send it now."""
    return encode_command(command, uuid.uuid4(), datetime.now(UTC))


def envelope_with(**changes: object) -> bytes:
    """Return a good envelope with some of its fields replaced."""
    return json.dumps({**json.loads(body_of(download(666))), **changes}).encode()


@dataclass
class Bench:
    """The internal virtual host of one test, seen by RabbitMQ's administrator."""

    rabbitmq: Rabbitmq
    vhost: str

    @property
    def worker_url(self) -> str:
        """The address as workers have it, with their permissions."""
        return self.rabbitmq.url("worker", self.vhost)

    def put(self, *bodies: bytes, queue: str = QUEUE) -> None:
        """Publish bodies and wait for each to be confirmed."""
        with self._channel() as channel:
            channel.confirm_delivery()
            for body in bodies:
                persistent = pika.BasicProperties(delivery_mode=2)
                channel.basic_publish("", queue, body, persistent, mandatory=True)

    def ready(self, queue: str = QUEUE) -> int:
        """Count the messages that no consumer holds; a queue that does not exist has none."""
        with self._channel() as channel:
            try:
                return int(channel.queue_declare(queue, passive=True).method.message_count)
            except pika.exceptions.ChannelClosedByBroker:
                return 0

    def take(self, queue: str) -> list[bytes]:
        """Take all ready messages out of a queue."""
        taken: list[bytes] = []
        with self._channel() as channel:
            while (got := channel.basic_get(queue, auto_ack=True))[0] is not None:
                taken.append(got[2])
        return taken

    def delete(self, queue: str) -> None:
        """Delete a queue with all that is in it."""
        with self._channel() as channel:
            channel.queue_delete(queue)

    def forbid_publishing(self) -> None:
        """Let workers go on consuming, but not publish."""
        self._permit("^$")

    def permit_publishing(self) -> None:
        """Undo forbid_publishing."""
        self._permit(".*")

    def _permit(self, write: str) -> None:
        permissions = {"configure": ".*", "write": write, "read": ".*"}
        self.rabbitmq._call("PUT", f"/permissions/{self.vhost}/worker", permissions)

    @contextlib.contextmanager
    def _channel(self) -> Iterator[BlockingChannel]:
        url = pika.URLParameters(self.rabbitmq.admin_url)
        url.virtual_host = self.vhost
        connection = pika.BlockingConnection(url)
        try:
            yield connection.channel()
        finally:
            connection.close()


def cut(worker: RunningWorker) -> None:
    """Drop the connection of the worker's consumer, as a network does; the broker's own listing is seconds late."""
    consumer = worker._worker.consumers[QUEUE].consumer
    assert isinstance(consumer, _RabbitmqConsumer)
    consumer.connection._impl._transport._sock.shutdown(socket.SHUT_RDWR)


@dataclass
class Script:
    """The actor of a test: it notes each command that it starts, then does what the test said."""

    act: Callable[[Command], Awaitable[None]] | None = None
    started: list[int] = field(default_factory=list)
    finished: list[int] = field(default_factory=list)

    async def __call__(self, command: Command) -> None:
        self.started.append(command.slice)
        if self.act is not None:
            await self.act(command)
        self.finished.append(command.slice)

    def declared(
        self, *, throws: tuple[type[BaseException], ...] = (), longest_slice: float = 60
    ) -> DeclaredActor[DownloadSubscriptions]:
        """Return it as an actor."""
        return DeclaredActor(DownloadSubscriptions, self, throws, longest_slice)


@dataclass
class Gates:
    """Holds each start of a slice above 0 until its gate, in the order of the starts, is opened."""

    gates: list[threading.Event] = field(default_factory=list)

    async def __call__(self, command: Command) -> None:
        if command.slice > 0:
            self.gates.append(gate := threading.Event())
            while not gate.is_set():  # noqa: ASYNC110 - the test opens it from its own thread
                await asyncio.sleep(0.01)

    def open(self, *numbers: int) -> None:
        """Open the gates with these numbers, or all."""
        for number in numbers or range(len(self.gates)):
            self.gates[number].set()


def stock_broker(url: str, *, confirm_delivery: bool = False) -> RabbitmqBroker:
    """Return what Dramatiq gives with nothing changed, but for the event loop and a shorter first back-off."""
    dramatiq.set_encoder(JSONEncoder())
    middleware = [kind() for kind in default_middleware if kind is not Retries]
    return RabbitmqBroker(
        url=url, confirm_delivery=confirm_delivery, middleware=[*middleware, Retries(min_backoff=1000), AsyncIO()]
    )


@contextlib.contextmanager
def working(
    broker: Broker,
    actor: DeclaredActor[DownloadSubscriptions],
    *,
    also: Script | None = None,
    threads: int = 2,
) -> Iterator[RunningWorker]:
    """Run a worker for the actor's queue; `also` is the actor of another queue, which is declared but not worked on."""
    register(broker, [actor])
    if also is not None:
        register(broker, [DeclaredActor(PullActivity, also, (), 60)])
    worker = RunningWorker(broker, [QUEUE], threads, grace=5)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()
