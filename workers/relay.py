"""The relay: the one process that publishes. `python -m workers.relay`

**Why nothing is lost.** Whoever changes state puts the message into the outbox in the same transaction. The relay reads
what has no `sent_at`, publishes it as persistent, and writes `sent_at` only after RabbitMQ has confirmed that it stored
the message in a queue (commands are mandatory: one that fits no queue is returned, and counts as not sent). Wherever it
is interrupted, the row still has no `sent_at`, and the next session sends it. It never asks for rows above the last id
that it saw: ids are given when a row is written and seen when its transaction commits, so a long transaction would
appear below and be skipped for ever.

**Reading on.** While the confirms of one batch are awaited, the next is read, written and published, up to IN_FLIGHT
messages. Each reading leaves out the ids that are in flight, by name and not by a bound, and so still finds what
commits late below them. An id leaves the flight only once its mark has committed: a reading that begins after that
sees the mark, one that began before left the id out. Nobody reads a row that is on its way.

**What may repeat.** A message that was confirmed, or stored without its confirm having reached us, when the relay,
the broker or Postgres went away before `sent_at` was committed: at most what was in flight. It comes again with the
same message id, so consumers can tell; actors check their run's row, consumers of events the id or the sequence.

**Order.** One relay sends at a time: it holds an advisory lock of the database session that it reads with, and loses
it with that session; a second copy asks every second and takes over. (Marks have a session of their own, so that no
reading waits for a commit; they only say what the broker has confirmed, which stays true whoever leads.) It publishes
one batch after another on one channel, each in the order of ids. Events of one subject get their ids under the
subject's row lock, so whoever sees one sees all before it, and they go out in their sequence. A message that RabbitMQ
refused rests for a while and is overtaken: order gives way to going on, and the sequence in each event shows it.

**What it holds while it waits**: no transaction. NOTIFY wakes it, and one query stands between that and the
publishing; a look every second finds what was due later. Asked to stop, it reads no more and marks what is in flight.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

import pika
import structlog
from prometheus_client import Metric

from connections.permits import LONGEST_WAIT
from settings import Settings
from store import figures, outbox
from store.connect import Connection, open_connection
from store.outbox import Outgoing
from workers import amqp
from workers.confirms import Confirms
from workers.entry import Parts, Trouble, run
from workers.flight import Batch, Flight
from workers.letters import Letter, write
from workers.metrics import as_metrics
from workers.waiting import Signal, first_of, wait_any, woken

BATCH = 500
"""Messages read and published at once."""
IN_FLIGHT = 2000
"""Messages published and not yet marked as sent: as many may come twice after a crash."""
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


Lines = dict[str, Confirms]


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
        self.published: Signal[int] = Signal()
        self.sent: Signal[int] = Signal()
        self.refused: Signal[dict[int, str]] = Signal()

    async def session(self, stop: asyncio.Event) -> None:
        """Send until `stop`, or raise what was lost."""
        async with open_connection(self._database_url) as reading:
            if not await self._lead(reading, stop):
                return
            async with (
                open_connection(self._database_url) as marking,
                open_connection(self._database_url) as listening,
                amqp.connect(self._internal_url, name="relay") as internal,
                amqp.connect(self._edge_url, name="relay") as edge,
            ):
                lines = {"command": await Confirms.on(internal), "event": await Confirms.on(edge)}
                flight = Flight()
                self.trouble.now = None
                log.info("leading")
                self.leading.give(None)
                await first_of(
                    self._pump(reading, lines, flight, stop),
                    self._land(marking, lines, flight),
                    self._listen(listening),
                    self._wake_to(stop),
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

    async def _wake_to(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._wake.set()
        await asyncio.Event().wait()  # the pump ends the session

    async def _pump(self, connection: Connection, lines: Lines, flight: Flight, stop: asyncio.Event) -> None:
        """Read and publish batch after batch; in the end wait until what is in flight has landed."""
        while not stop.is_set():
            resting = self._still_resting()
            room = min(BATCH, IN_FLIGHT - len(flight.ids), MOST_RESTING - len(flight.ids) - len(resting))
            self._wake.clear()  # before any wait: a set event gives nobody else a turn
            if room <= 0:
                await (flight.one_landed() if flight.ids else woken(self._wake, POLL))
                continue
            left_out = [*flight.ids, *resting]
            due = await outbox.unsent(connection, limit=room, now=self._clock(), but_not=left_out)
            if due:
                flight.add(_send(lines, due))
                self.published.give(len(due))
            if len(due) < room and not stop.is_set():
                await woken(self._wake, POLL)
        await flight.all_landed()

    async def _land(self, connection: Connection, lines: Lines, flight: Flight) -> None:
        """Wait for every confirm of a batch, remember it as sent, and only then let it be read again."""
        while True:
            batch = await flight.oldest()
            by_id: dict[str, str] = {}
            for name, upto in batch.upto.items():
                by_id |= await lines[name].settled(upto)
            not_taken = {one.id: by_id[one.message_id] for one in batch.messages if one.message_id in by_id}
            refused = batch.refused | not_taken
            taken = [message.id for message in batch.messages if message.id not in refused]
            if taken:
                await outbox.mark_sent(connection, taken, self._clock())
            if refused:
                self._put_off(refused)
            flight.land(batch)
            if taken:
                self.sent.give(len(taken))
            if refused:
                self.refused.give(refused)

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


def _send(lines: Lines, messages: list[Outgoing]) -> Batch:
    """Publish what can be written, each virtual host's messages in one write."""
    refused: dict[int, str] = {}
    with contextlib.ExitStack() as at_its_end, amqp.losing():
        for line in lines.values():
            at_its_end.enter_context(line.broker.together())
        for message in messages:
            try:
                letter = write(message)
            except (KeyError, ValueError) as error:
                refused[message.id] = f"it cannot be written: {' '.join(str(error).split())}"
            else:
                _publish(lines[message.channel], letter, message.message_id)
    return Batch(messages, refused, {name: line.published for name, line in lines.items()})


def _publish(line: Confirms, letter: Letter, message_id: str) -> None:
    properties = pika.BasicProperties(
        content_type=letter.content_type, delivery_mode=pika.DeliveryMode.Persistent, message_id=message_id
    )
    line.expect(message_id)
    line.channel.basic_publish(letter.exchange, letter.routing_key, letter.body, properties, mandatory=letter.mandatory)


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
            return as_metrics(await figures.read(connection, _utc(), longest_wait=LONGEST_WAIT))

    return Parts(
        sessions={"broker": (relay.session, relay.trouble)}, checks={"outbox_age": outbox_age}, collect=collect
    )


def main() -> int:
    """Run the relay until it is asked to stop; return the exit code."""
    return run("relay", ("database_url", "internal_url", "edge_url"), compose)


if __name__ == "__main__":
    raise SystemExit(main())
