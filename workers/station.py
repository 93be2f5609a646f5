"""Where actors stand: the settings, the database pool, the clock and the way to Asana, opened once in a process."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from asana_api.client import AsanaClient
from asana_api.sending import make_ready
from connections.opening import OpenedAsana, SharedAsana
from connections.sealing import Sealing
from rules.evidence import AsanaPlan
from settings import Settings
from store import profiles
from store.connect import Connection, Pool, open_pool
from store.profiles import Sweep


def utc_now() -> datetime:
    """Return the time of this machine, aware."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Asana:
    """A profile's organization, what decides on its sources, and Asana opened with its connection's credentials."""

    organization_gid: str
    opened: OpenedAsana
    plan: AsanaPlan
    sweep: Sweep

    @property
    def client(self) -> AsanaClient:
        """The authorised client."""
        return self.opened.client

    @property
    def reader(self) -> AsanaClient:
        """The client that activity is read with: the service account's where there is one."""
        return self.opened.reader


@dataclass
class Station:
    """Open it in the event loop that the actors run in."""

    settings: Settings
    now: Callable[[], datetime] = utc_now
    _until_the_end: AsyncExitStack = field(default_factory=AsyncExitStack, repr=False)
    _pool: Pool | None = None
    _asana: SharedAsana | None = None

    async def __aenter__(self) -> Self:
        """Open the pool; DatabaseUnfit if the database cannot be used, SealingError for unusable keys."""
        await make_ready()
        size = self.settings.worker_threads + 4
        opening = open_pool(self.settings.url("database_url"), size=size)
        self._pool = await self._until_the_end.enter_async_context(opening)
        sealing = Sealing(self.settings.sealing_keys())
        self._asana = SharedAsana(self._pool.connection, sealing, reads_in_flight=self.settings.reads_in_flight)
        self._until_the_end.push_async_callback(self._asana.aclose)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the clients and the pool."""
        await self._until_the_end.aclose()

    def trouble(self) -> str | None:
        """Say what keeps the database away, for the health check; from any thread."""
        waiting = self.pool.get_stats().get("requests_waiting", 0)
        lost = self.pool.get_stats().get("pool_available", 0) == 0 and waiting > 0
        return f"{waiting} wait for a database connection" if lost else None

    @property
    def pool(self) -> Pool:
        """The pool of autocommit connections."""
        assert self._pool is not None, "the station is not open"
        return self._pool

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Yield a connection inside one transaction."""
        async with self.pool.connection() as connection, connection.transaction():
            yield connection

    async def asana(self, profile_name: str) -> Asana:
        """Return the profile's organization and its Asana. Raises NotConnected."""
        assert self._asana is not None, "the station is not open"
        async with self.pool.connection() as connection:
            profile = await profiles.get(connection, profile_name)
        assert profile is not None
        assert profile.organization_gid is not None
        opened = await self._asana.of(profile.connection_id)
        return Asana(profile.organization_gid, opened, profile.plan, profile.sweep)
