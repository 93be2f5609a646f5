"""Alerts, as a session of the scheduler process: what somebody has to look at is written down, and told.

Any number of copies may run. It shares nothing with the schedules but the event loop, on which it never computes or
waits: channels are called in threads. Where several alerts wait, they are one message, and messages are a minute apart,
so that a storm of failures is two messages and no storm.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from store import alerts
from store.alerts import Alarming, Alert, New, Uncovered
from store.connect import Connection, open_connection
from workers.entry import Trouble
from workers.waiting import Signal, wait_any

EVERY = 5.0
"""Seconds between two looks."""
APART = timedelta(minutes=1)
"""Between two messages."""
COVERAGE_MAY_BE = timedelta(hours=36)
"""How old coverage may be; once it is older, that is said again each day."""
AGAIN_AFTER = timedelta(hours=24)
NAMED_AT_MOST = 10
"""Alerts whose text is in a message; of the others it says how many there are."""

log = structlog.get_logger(__name__)


class Told(Protocol):
    """What became of a message at one channel."""

    @property
    def channel(self) -> str: ...
    @property
    def trouble(self) -> str | None: ...


Tell = Callable[[str, str], Awaitable[Sequence[Told]]]
"""Sends a title and a text by all channels, in a bounded time; says what became of it at each."""


class Alerts:
    """Writes alerts down and sends them. Each call of `session` is one life, until the database is lost."""

    def __init__(
        self,
        database_url: str,
        tell: Tell,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        every: float = EVERY,
    ) -> None:
        """Connect to nothing yet."""
        self._database_url, self._tell, self._clock, self._every = database_url, tell, clock, every
        self._tried_at: datetime | None = None
        self.trouble = Trouble()
        self.looked: Signal[int] = Signal()

    async def session(self, stop: asyncio.Event) -> None:
        """Look every so often until `stop`, or raise what was lost."""
        async with open_connection(self._database_url) as connection:
            while not stop.is_set():
                sent = await self.look(connection, self._clock())
                self.trouble.now = None
                self.looked.give(sent)
                await wait_any(stop, seconds=self._every)

    async def look(self, connection: Connection, now: datetime) -> int:
        """Write down what is alarming at `now`, and send what is due; return how many alerts a channel took."""
        await raise_alerts(connection, now)
        for number in await alerts.give_up(connection, now):
            log.error("alert_given_up", alert=number)
        if self._tried_at is not None and now - self._tried_at < APART:
            return 0
        due = await alerts.take(connection, now, apart=APART)
        if not due:
            return 0
        self._tried_at = now
        return await self._send(connection, due, now)

    async def _send(self, connection: Connection, due: Sequence[Alert], now: datetime) -> int:
        told = await self._tell(*message(due))
        refused = [f"channel {one.channel}: {one.trouble}" for one in told if one.trouble is not None]
        sent = len(refused) < len(told)
        await alerts.settle(connection, [one.id for one in due], trouble="; ".join(refused) or None, sent=sent, now=now)
        if refused:
            log.warning("alerts_refused", alerts=len(due), channels=refused)
        if sent:
            log.info("alerts_sent", alerts=len(due))
        return len(due) if sent else 0

    async def figures(self) -> Iterable[Metric]:
        """Return the metrics of alerts, counted in Postgres."""
        async with open_connection(self._database_url) as connection:
            return [as_metric(await alerts.count(connection))]


def as_metric(counts: dict[str, int]) -> Metric:
    """Return the metric of alerts by state."""
    family = GaugeMetricFamily("seatkeeper_alerts", "Alerts by state", labels=("state",))
    for state, number in sorted(counts.items()):
        family.add_metric((state,), number)
    return family


async def raise_alerts(connection: Connection, now: datetime) -> int:
    """Write down what is alarming and has no alert yet; return how many alerts were added."""
    events = [_of_event(event) for event in await alerts.alarming(connection, now)]
    old = [_of_coverage(one, now) for one in await alerts.uncovered(connection, now, longer_than=COVERAGE_MAY_BE)]
    async with connection.transaction():
        return await alerts.add(connection, [*events, *old], now)


def message(due: Sequence[Alert]) -> tuple[str, str]:
    """Return title and text of one message for all of them; what keeps everything from going on comes first."""
    if len(due) == 1:
        return due[0].title, due[0].body
    urgent = sorted(due, key=lambda one: (one.kind == "RunFailed", one.id))
    texts = [f"{one.title}\n{one.body}" for one in urgent[:NAMED_AT_MOST]]
    more = len(due) - len(texts)
    texts += [f"And {more} more: ./seats alerts list --limit {len(due)}"] if more else []
    return f"Seatkeeper: {len(due)} alerts", "\n\n".join(texts)


def _of_event(event: Alarming) -> New:
    since = f"Since: {_at(event.occurred_at)}"
    if event.name == "ConnectionLost":
        title = f"Seatkeeper: Asana does not accept the connection {event.alias} any more"
        what = "Nothing is read from Asana and nobody is removed through it, for every profile that uses it."
        todo = f"What to do: ./seats connect {event.alias}"
    else:
        title = f"Seatkeeper: {event.kind} of profile {event.profile} failed"
        what = "The run ended without its result; nobody became a candidate or lost a seat because of it."
        todo = f"What to do: ./seats runs show {event.run_id}"
    return New(event.profile_id, event.name, event.message_id, title, f"{what}\n{since}\n{todo}")


def _of_coverage(one: Uncovered, now: datetime) -> New:
    """Say it once for each breach, and again for each day that it lasts."""
    days = (now - one.since - COVERAGE_MAY_BE) // AGAIN_AFTER
    hours = (now - one.since) // timedelta(hours=1)
    title = f"Seatkeeper: activity of profile {one.profile} was not read for {hours} hours"
    what = "Until it is read again, everybody is kept and nobody becomes a candidate."
    todo = f"What to do: ./seats runs list, then ./seats run activity {one.profile} --wait"
    about = f"coverage/{one.profile_id}/{one.since.astimezone(UTC).isoformat()}/{days}"
    return New(one.profile_id, "CoverageOld", about, title, f"{what}\nSince: {_at(one.since)}\n{todo}")


def _at(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
