"""The intake: reads what anyone may drop on `seatkeeper.requests`, and trusts none of it. `python -m workers.intake`

A message is acknowledged after the transaction that made a run of it, or put it into the quarantine, has committed.
If the database is away, nothing is acknowledged: the session ends, RabbitMQ keeps the message, and the next session
gets it again. Refusing never fails: whatever is in a body, it becomes a row of the quarantine, and the next message is
read. The same process copies dead letters to Postgres (`workers/dead_letters.py`), in a session of its own, so that
either goes on without the other.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import psycopg
import structlog

from messages.errors import RequestError
from messages.requests import read_request
from messages.routing import REQUESTS_QUEUE
from settings import Settings
from store import requests
from store.connect import Connection, open_connection
from workers import amqp
from workers.amqp import Delivery
from workers.dead_letters import DeadLetters
from workers.entry import Parts, Trouble, run, unfenced
from workers.waiting import Signal

PREFETCH = 50
ODD_VALUES = (psycopg.DataError, ValueError, ArithmeticError, RecursionError)
"""What a value can provoke that the reader did not foresee: it must not come back for ever."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one message: a run, or a place in the quarantine with the reason."""

    run_id: UUID | None = None
    again: bool = False
    quarantine_id: int | None = None
    reason: str | None = None


class Intake:
    """Takes requests in. Each call of `session` is one life, from connecting to losing something."""

    def __init__(
        self, database_url: str, edge_url: str, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """Connect to nothing yet."""
        self._database_url, self._edge_url, self._clock = database_url, edge_url, clock
        self.trouble = Trouble()
        self.listening: Signal[None] = Signal()
        self.taken: Signal[Outcome] = Signal()

    async def session(self, stop: asyncio.Event) -> None:
        """Take requests in until `stop`, or raise what was lost."""
        async with (
            open_connection(self._database_url) as connection,
            amqp.connect(self._edge_url, name="intake") as edge,
        ):
            channel = await edge.channel(prefetch=PREFETCH)
            self.trouble.now = None
            self.listening.give(None)
            async for delivery in edge.deliveries(channel, REQUESTS_QUEUE, stop):
                outcome = await self._take(connection, delivery)
                with amqp.losing():
                    channel.basic_ack(delivery.tag)
                self.taken.give(outcome)

    async def _take(self, connection: Connection, delivery: Delivery) -> Outcome:
        """Accept or refuse one message, and commit that."""
        try:
            request = read_request(delivery.body)
            accepted = await unfenced(lambda: requests.take(connection, request, self._clock()))
        except RequestError as error:
            return await self._refuse(connection, delivery, error)
        except ODD_VALUES:
            log.exception("request_odd")
            return await self._refuse(connection, delivery, RequestError("it holds a value that cannot be stored"))
        log.info(
            "request_accepted",
            request=str(request.id),
            correlation_id=str(request.id),
            run_id=str(accepted.run_id),
            kind=request.kind,
            profile=request.profile,
            again=accepted.again,
        )
        return Outcome(run_id=accepted.run_id, again=accepted.again)

    async def _refuse(self, connection: Connection, delivery: Delivery, error: RequestError) -> Outcome:
        async with connection.transaction():
            quarantine_id = await requests.refuse(
                connection, delivery.body, error, self._clock(), redelivered=delivery.redelivered
            )
        reason = requests.printable(error.reason)
        log.warning("request_refused", request=error.request_id, quarantine=quarantine_id, reason=reason)
        return Outcome(quarantine_id=quarantine_id, reason=reason)


def compose(settings: Settings) -> Parts:
    """Return the parts of the intake process."""
    intake = Intake(settings.url("database_url"), settings.url("edge_url"))
    dead_letters = DeadLetters(settings.url("database_url"), settings.url("internal_url"))
    return Parts(
        sessions={
            "requests": (intake.session, intake.trouble),
            "dead_letters": (dead_letters.session, dead_letters.trouble),
        }
    )


def main() -> int:
    """Take requests in until asked to stop; return the exit code."""
    return run("intake", ("database_url", "internal_url", "edge_url"), compose)


if __name__ == "__main__":
    raise SystemExit(main())
