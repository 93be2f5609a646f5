"""The relay: the one process that publishes. `python -m workers.relay`

**Why nothing is lost.** Whoever changes state puts the message into the outbox in the same transaction. The relay reads
what has no `sent_at`, publishes it as persistent, and writes `sent_at` only after RabbitMQ has confirmed that it stored
the message in a queue (commands are mandatory: one that fits no queue is returned, and counts as not sent). Wherever it
is interrupted, the row still has no `sent_at`, and the next session sends it. It never asks for rows above the last id
that it saw: ids are given when a row is written and seen when its transaction commits, so a long transaction would
appear below and be skipped for ever.

**What may repeat.** A message that was confirmed, or stored without its confirm having reached us, when the relay, the
broker or Postgres went away before `sent_at` was committed. It comes again with the same message id, so consumers can
tell; actors check their run's row, consumers of events the id or the sequence.

**Order.** One relay sends at a time: it holds an advisory lock of its database session, and loses it with that session;
a second copy asks every second and takes over. It sends one batch after another in the order of ids, and events of one
subject get their ids under the subject's row lock, so they go out in their sequence. A message that RabbitMQ refused
rests for a while and is overtaken: order gives way to going on, and the sequence in each event shows it.

**What it holds while it waits**: no transaction. NOTIFY wakes it; a look every second finds what was due later.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pika
import structlog
from cloudevents.core.exceptions import BaseCloudEventException
from prometheus_client import Metric

from messages.commands import COMMANDS
from messages.encoder import EVENT_CONTENT_TYPE, encode_command, encode_event
from messages.routing import EVENTS_EXCHANGE, command_routing_key, event_routing_key
from settings import Settings
from store import figures, outbox
from store.connect import Connection, open_connection
from store.outbox import Outgoing
from workers import amqp
from workers.confirms import Confirms
from workers.entry import Parts, Trouble, run
from workers.metrics import as_metrics
from workers.waiting import Signal, first_of, wait_any

BATCH = 500
"""Messages published before their confirms are awaited."""
POLL = 1.0
REST = 5.0
"""Seconds that a refused message waits before it is published again."""
MOST_RESTING = 5000
"""More of them, and nothing is taken until some have rested: a flood of refusals is no flood of repeats."""
TOO_OLD = timedelta(minutes=1)
"""A message that has been due for longer makes the relay unwell."""

log = structlog.get_logger(__name__)


def _utc() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Letter:
    """One message as it is published."""

    exchange: str
    routing_key: str
    body: bytes
    content_type: str
    mandatory: bool


class Relay:
    """Sends what waits in the outbox. Each call of `session` is one life, from connecting to losing something."""

    def __init__(
        self,
        database_url: str,
        internal_url: str,
        edge_url: str,
        *,
        clock: Callable[[], datetime] = _utc,
        rest: float = REST,
    ) -> None:
        """Connect to nothing yet. `clock` decides what is due; `rest` is in seconds."""
        self._database_url, self._internal_url, self._edge_url = database_url, internal_url, edge_url
        self._clock, self._rest = clock, rest
        self._wake = asyncio.Event()
        self._resting: dict[int, float] = {}
        self._complained = -60.0
        self.trouble = Trouble()
        self.leading: Signal[None] = Signal()
        self.sent: Signal[int] = Signal()
        self.refused: Signal[dict[int, str]] = Signal()

    async def session(self, stop: asyncio.Event) -> None:
        """Send until `stop`, or raise what was lost."""
        async with open_connection(self._database_url) as connection:
            if not await self._lead(connection, stop):
                return
            async with (
                open_connection(self._database_url) as listening,
                amqp.connect(self._internal_url, name="relay") as internal,
                amqp.connect(self._edge_url, name="relay") as edge,
            ):
                lines = {"command": await Confirms.on(internal), "event": await Confirms.on(edge)}
                self.trouble.now = None
                log.info("leading")
                self.leading.give(None)
                await first_of(
                    self._pump(connection, lines, stop),
                    self._listen(listening),
                    internal.until_lost(),
                    edge.until_lost(),
                )

    async def _lead(self, connection: Connection, stop: asyncio.Event) -> bool:
        while not await outbox.lead(connection):
            self.trouble.now = None  # a copy that stands by is well
            await wait_any(stop, seconds=POLL)
            if stop.is_set():
                return False
        return True

    async def _listen(self, connection: Connection) -> None:
        async for _ in outbox.added(connection):
            self._wake.set()

    async def _pump(self, connection: Connection, lines: dict[str, Confirms], stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._wake.clear()
            resting = self._still_resting()
            room = min(BATCH, max(0, MOST_RESTING - len(resting)))
            due = await outbox.unsent(connection, limit=room, now=self._clock(), but_not=resting)
            if due:
                await self._send(connection, lines, due)
            else:
                await wait_any(self._wake, stop, seconds=POLL)

    async def _send(self, connection: Connection, lines: dict[str, Confirms], batch: list[Outgoing]) -> None:
        """Publish a batch, wait for every confirm, and only then remember it as sent."""
        refused: dict[int, str] = {}
        for message in batch:
            try:
                letter = write(message)
            except (KeyError, ValueError, BaseCloudEventException) as error:
                refused[message.id] = f"it cannot be written: {' '.join(str(error).split())}"
            else:
                _publish(lines[message.channel], letter, str(message.message_id))
        by_id = {key: why for line in lines.values() for key, why in (await line.settled()).items()}
        refused |= {one.id: by_id[str(one.message_id)] for one in batch if str(one.message_id) in by_id}
        taken = [message.id for message in batch if message.id not in refused]
        if taken:
            await outbox.mark_sent(connection, taken, self._clock())
            self.sent.give(len(taken))
        if refused:
            self._put_off(refused)

    def _still_resting(self) -> list[int]:
        now = asyncio.get_running_loop().time()
        self._resting = {key: until for key, until in self._resting.items() if until > now}
        return list(self._resting)

    def _put_off(self, refused: dict[int, str]) -> None:
        now = asyncio.get_running_loop().time()
        self._resting |= dict.fromkeys(refused, now + self._rest)
        if now - self._complained >= 60:
            self._complained = now
            first = min(refused)
            log.warning("messages_refused", count=len(self._resting), outbox_id=first, reason=refused[first])
        self.refused.give(refused)


def write(message: Outgoing) -> Letter:
    """Return the message as it goes over the wire; KeyError or ValueError for one that nobody of ours wrote."""
    if message.channel == "command":
        command = COMMANDS[message.name].model_validate(message.payload)
        body = encode_command(command, message.message_id, message.occurred_at)
        return Letter("", command_routing_key(command), body, "application/json", mandatory=True)
    assert message.subject is not None
    assert message.sequence is not None
    body = encode_event(
        message.name,
        message.message_id,
        message.subject,
        message.sequence,
        message.profile,
        message.payload,
        message.occurred_at,
        message.correlation_id,
    )
    routing_key = event_routing_key(message.profile, message.name)
    return Letter(EVENTS_EXCHANGE, routing_key, body, EVENT_CONTENT_TYPE, mandatory=False)


def _publish(line: Confirms, letter: Letter, message_id: str) -> None:
    properties = pika.BasicProperties(
        content_type=letter.content_type, delivery_mode=pika.DeliveryMode.Persistent, message_id=message_id
    )
    line.expect(message_id)
    with amqp.losing():
        line.channel.basic_publish(
            letter.exchange, letter.routing_key, letter.body, properties, mandatory=letter.mandatory
        )


def compose(settings: Settings) -> Parts:
    """Return the parts of the relay. All its copies show the same figures: take their maximum, not their sum."""
    database = settings.url("database_url")
    relay = Relay(database, settings.url("internal_url"), settings.url("edge_url"))

    async def outbox_age() -> str | None:
        async with open_connection(database) as connection:
            waiting, age = await outbox.lag(connection, _utc())
        return f"{waiting} messages wait, the oldest for {age:.0f} seconds" if age > TOO_OLD.total_seconds() else None

    async def collect() -> Iterable[Metric]:
        async with open_connection(database) as connection:
            return as_metrics(await figures.read(connection, _utc()))

    return Parts(
        sessions={"broker": (relay.session, relay.trouble)}, checks={"outbox_age": outbox_age}, collect=collect
    )


def main() -> int:
    """Run the relay until it is asked to stop; return the exit code."""
    return run("relay", ("database_url", "internal_url", "edge_url"), compose)


if __name__ == "__main__":
    raise SystemExit(main())
