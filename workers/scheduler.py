"""The scheduler: begins what is due, and ends what has outlived its time. `python -m workers.scheduler`

It does nothing itself: it writes rows and commands, in the same transactions as everybody else, and keeps nothing in
memory. Any number of copies may run. Each looks every second; `store.schedules` says why no due time is acted on twice,
and why a pause of a week is caught up by one run.
"""

import asyncio
import functools
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from settings import Settings, SettingsUnfit
from store import housekeeping, schedules
from store.connect import Connection, open_connection
from store.cycles import start_due_cycles
from workers.alerts import Alerts
from workers.entry import Parts, Trouble, run, unfenced
from workers.waiting import Signal, wait_any

if TYPE_CHECKING:
    from connections.channels import Channels

EVERY = 1.0
"""Seconds between two looks."""
PRUNE_EVERY = timedelta(minutes=1)
COMPLAIN_EVERY = timedelta(minutes=1)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Tick:
    """What one look came upon; all zero when there was nothing to do."""

    fired: int
    cycles_started: int
    runs_abandoned: int
    plans_expired: int
    recoveries_asked: int
    copies_pruned: int


class Scheduler:
    """Looks at what time has brought. Each call of `session` is one life, from connecting to losing the database."""

    def __init__(
        self,
        database_url: str,
        *,
        recovery_after: timedelta,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        every: float = EVERY,
    ) -> None:
        """Connect to nothing yet. `recovery_after`: how long after its call's end a removal is read back."""
        self._database_url, self._recovery_after = database_url, recovery_after
        self._clock, self._every = clock, every
        self._pruned_at: datetime | None = None
        self._complained_at: datetime | None = None
        self.trouble = Trouble()
        self.ticked: Signal[Tick] = Signal()

    async def session(self, stop: asyncio.Event) -> None:
        """Look every so often until `stop`, or raise what was lost."""
        async with open_connection(self._database_url) as connection:
            while not stop.is_set():
                tick = await self.tick(connection, self._clock())
                self.trouble.now = None
                if any(asdict(tick).values()):
                    log.info("ticked", **asdict(tick))
                self.ticked.give(tick)
                await wait_any(stop, seconds=self._every)

    async def tick(self, connection: Connection, now: datetime) -> Tick:
        """Do what is due at `now`; each thing in a transaction of its own."""
        return Tick(
            fired=await self._fire(connection, now),
            cycles_started=await start_due_cycles(connection, now),
            runs_abandoned=await housekeeping.fail_abandoned(connection, now)
            + await housekeeping.fail_forgotten(connection, now),
            plans_expired=await housekeeping.expire_plans(connection, now),
            recoveries_asked=await housekeeping.ask_for_recovery(connection, now, self._recovery_after),
            copies_pruned=await self._prune(connection, now),
        )

    async def _fire(self, connection: Connection, now: datetime) -> int:
        fired = 0
        for schedule_id in await schedules.due(connection, now):
            try:
                fired += await unfenced(functools.partial(self._fire_one, connection, schedule_id, now))
            except ValueError as error:  # a row that somebody wrote by hand; the others go on
                self._complain(schedule_id, str(error), now)
        return fired

    async def _fire_one(self, connection: Connection, schedule_id: int, now: datetime) -> bool:
        async with connection.transaction():
            run_id = await schedules.fire(connection, schedule_id, now)
        if run_id is not None:
            log.info("schedule_fired", schedule=schedule_id, run_id=str(run_id))
        return run_id is not None

    def _complain(self, schedule_id: int, reason: str, now: datetime) -> None:
        if self._complained_at is None or now - self._complained_at >= COMPLAIN_EVERY:
            self._complained_at = now
            log.error("schedule_unreadable", schedule=schedule_id, reason=reason)

    async def _prune(self, connection: Connection, now: datetime) -> int:
        if self._pruned_at is not None and now - self._pruned_at < PRUNE_EVERY:
            return 0
        self._pruned_at = now
        return await housekeeping.prune_outbox(connection, now)


def compose(settings: Settings) -> Parts:
    """Return the parts of the scheduler process: the schedules, and alerts where somebody can be told."""
    recovery_after = timedelta(seconds=settings.recovery_after_seconds)
    database_url = settings.url("database_url")
    scheduler = Scheduler(database_url, recovery_after=recovery_after)
    sessions = {"schedules": (scheduler.session, scheduler.trouble)}
    addresses = settings.alert_addresses()
    if not addresses:
        return Parts(sessions=sessions)
    alerts = Alerts(database_url, _channels(addresses).tell)
    return Parts(sessions={**sessions, "alerts": (alerts.session, alerts.trouble)}, collect=alerts.figures)


def _channels(addresses: str) -> "Channels":
    from connections.channels import AddressUnfit, Channels  # noqa: PLC0415 - 50 MB, for those alone who have channels

    try:
        return Channels(addresses)
    except AddressUnfit as error:
        raise SettingsUnfit(f"SEATKEEPER_ALERT_URLS: {error}") from None


def main() -> int:
    """Look until asked to stop; return the exit code."""
    return run("scheduler", ("database_url",), compose)


if __name__ == "__main__":
    raise SystemExit(main())
