"""An outbox, a running relay, and the queues that its messages come out of."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pika
import pytest

from messages.commands import DownloadSubscriptions
from messages.events import ReclaimStopped
from messages.routing import EVENTS_EXCHANGE
from store import outbox
from store.connect import Connection
from tests.conftest import Database, Vhosts
from tests.rows import NOW
from workers.confirms import Confirms
from workers.entry import keep_going
from workers.relay import Relay

Taken = tuple[pika.spec.Basic.GetOk, pika.BasicProperties, dict[str, Any]]
CORRELATION = UUID(int=9)


@contextlib.asynccontextmanager
async def running(relay: Relay) -> AsyncIterator[asyncio.Event]:
    """Keep a relay going while the block runs, as its process does."""
    stop = asyncio.Event()
    relay.leading.listen()
    relay.published.listen()
    relay.sent.listen()
    relay.refused.listen()
    going = asyncio.create_task(keep_going(stop, "relay", relay.session, relay.trouble))
    try:
        yield stop
    finally:
        stop.set()
        async with asyncio.timeout(10):
            await going


def relay_of(database: Database, vhosts: Vhosts, *, through: Callable[[str], str] = str, rest: float = 0.05) -> Relay:
    """Return a relay; `through` may lead its broker's addresses over a proxy."""
    return Relay(
        database.url("relay"),
        through(vhosts.internal_url("relay")),
        through(vhosts.edge_url("relay")),
        rest=rest,
    )


async def add_commands(connection: Connection, profile_id: int, number: int = 1) -> None:
    """Have `number` commands sent, told apart by their slice."""
    for slice_number in range(number):
        command = DownloadSubscriptions(run_id=uuid4(), slice=slice_number, correlation_id=CORRELATION)
        await outbox.add_command(connection, command, profile_id=profile_id, now=NOW)


async def add_events(connection: Connection, profile_id: int, number: int = 1, subject: str = "profile/acme") -> None:
    """Have `number` events of one subject sent."""
    for count in range(number):
        event = ReclaimStopped(profile="acme", by="ann", why=f"reason {count}")
        await outbox.say(connection, event, subject=subject, profile_id=profile_id, correlation_id=CORRELATION, now=NOW)


@dataclass
class Ears:
    """Reads queues of one virtual host as RabbitMQ's administrator."""

    vhosts: Vhosts
    vhost: str

    def __post_init__(self) -> None:
        rabbitmq = self.vhosts.rabbitmq
        user = pika.URLParameters(rabbitmq.admin_url).credentials.username
        self.connection = pika.BlockingConnection(pika.URLParameters(rabbitmq.url(user, self.vhost)))
        self.channel = self.connection.channel()

    def close(self) -> None:
        self.connection.close()

    def bind_events(self) -> str:
        """Make a queue that gets every event, and give its name."""
        self.channel.queue_declare("consumer.test", durable=True)
        self.channel.queue_bind("consumer.test", EVENTS_EXCHANGE, "#")
        return "consumer.test"

    def take_all(self, queue: str) -> list[Taken]:
        """Take everything that is in a queue now."""
        taken: list[Taken] = []
        while True:
            method, properties, body = self.channel.basic_get(queue, auto_ack=True)
            if method is None:
                return taken
            taken.append((method, properties, json.loads(body)))


@dataclass
class Confirming:
    """Keeps a relay from hearing of its confirms until `go`: what it published stays in flight."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)


def hold_confirms(monkeypatch: pytest.MonkeyPatch) -> Confirming:
    """Hold back the confirms of every relay of a test."""
    held, settled = Confirming(), Confirms.settled

    async def hold(confirms: Confirms, upto: int) -> dict[str, str]:
        held.asked.set()
        await held.go.wait()
        return await settled(confirms, upto)

    monkeypatch.setattr(Confirms, "settled", hold)
    return held


async def sent_in_all(relay: Relay, number: int) -> None:
    """Wait until the relay has marked `number` messages as sent."""
    total = 0
    while total < number:
        total += await relay.sent.next()
    assert total == number
