"""Asana, opened for a connection: for each credential a client with a valid token and permits, and whose account it is.

A connection calls as the person who connected it. Where it has a service account as well, activity is read as that one,
which sees private work, too. The two are opened apart: one that is lost or replaced leaves the other as it is.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from asana_api.client import AsanaClient
from asana_api.errors import PlanTooLow
from asana_api.permits import Kind
from connections.flight import Connect
from connections.permits import SharedPermits
from connections.sealing import Sealing
from connections.tokens import NotConnected, Tokens
from store import connections
from store.connections import AsanaConnection, Credential, Holder

API = "/api/1.0"


@dataclass(frozen=True, slots=True)
class OpenedService:
    """Asana as its service account sees it; what it may be asked for depends on the plan."""

    client: AsanaClient
    permits: SharedPermits
    own_gid: str
    credential_id: int


@dataclass(frozen=True, slots=True)
class OpenedAsana:
    """What an actor needs to ask Asana."""

    client: AsanaClient
    permits: SharedPermits
    own_gid: str
    """The account whose credential this is: never to be removed."""
    credential_id: int
    service: OpenedService | None = None
    """The connection's service account, where it has one that works."""

    @property
    def reader(self) -> AsanaClient:
        """The client for reading activity: the service account's where there is one, else the person's."""
        return self.client if self.service is None else self.service.client


@dataclass(frozen=True, slots=True)
class _Known:
    at: AsanaConnection
    person: Credential
    service: Credential | None


class TryingPermits(SharedPermits):
    """Permits by which a search is asked as any other read where the plan, as we know it, has none."""

    async def take(self, kind: Kind) -> None:
        """Wait for a permit, as `SharedPermits` does."""
        try:
            await super().take(kind)
        except PlanTooLow:
            await super().take("read")


@asynccontextmanager
async def open_asana(
    connect: Connect, connection_id: int, sealing: Sealing, *, reads_in_flight: int = 20, tries_search: bool = False
) -> AsyncIterator[OpenedAsana]:
    """Open Asana with the connection's credentials until the block ends.

    `tries_search` sends a search also where the plan, as we know it, has none.

    Raises NotConnected where there is none of a person. One that Asana refuses shows at the first call:
    ConnectionIsLost.
    """
    shared = SharedAsana(connect, sealing, reads_in_flight=reads_in_flight, tries_search=tries_search)
    try:
        yield await shared.of(connection_id)
    finally:
        await shared.aclose()


class SharedAsana:
    """One opened Asana for each connection, shared by all that runs in one event loop. Close it with `aclose`."""

    def __init__(
        self, connect: Connect, sealing: Sealing, *, reads_in_flight: int = 20, tries_search: bool = False
    ) -> None:
        """`reads_in_flight` is for each credential; `tries_search` is for finding out which plan it is."""
        self._permits = TryingPermits if tries_search else SharedPermits
        self._connect, self._sealing, self._reads_in_flight = connect, sealing, reads_in_flight
        self._opened: dict[tuple[int, str, str], OpenedService] = {}
        self._whole: dict[int, OpenedAsana] = {}
        self._until_the_end = AsyncExitStack()
        self._opening = asyncio.Lock()

    async def of(self, connection_id: int) -> OpenedAsana:
        """Return the connection's Asana; one that was connected anew since is opened anew. Raises NotConnected."""
        async with self._opening:
            known = await _read(self._connect, connection_id)
            person = await self._client_of(known.at, known.person, "person")
            service = await self._client_of(known.at, known.service, "service") if known.service else None
            opened = OpenedAsana(person.client, person.permits, person.own_gid, person.credential_id, service)
            if opened != self._whole.get(connection_id):
                self._whole[connection_id] = opened
            return self._whole[connection_id]

    async def _client_of(self, known: AsanaConnection, credential: Credential, holder: Holder) -> OpenedService:
        key = (credential.id, credential.user_gid, known.base_url)
        if key not in self._opened:
            tokens = Tokens(self._connect, known.id, self._sealing, holder=holder)
            permits = self._permits(self._connect, credential.id)
            client = AsanaClient(
                known.base_url + API, tokens.token, permits, renew=tokens.renew, reads=self._reads_in_flight, writes=2
            )
            self._until_the_end.push_async_callback(permits.give_back)
            await self._until_the_end.enter_async_context(client)
            self._opened[key] = OpenedService(client, permits, credential.user_gid, credential.id)
        return self._opened[key]

    async def aclose(self) -> None:
        """Close every client."""
        self._opened.clear()
        self._whole.clear()
        await self._until_the_end.aclose()


async def _read(connect: Connect, connection_id: int) -> _Known:
    async with connect() as connection:
        known = await connections.by_id(connection, connection_id)
        person = await connections.credential_of(connection, connection_id)
        service = await connections.credential_of(connection, connection_id, "service")
    if known is None or person is None:
        raise NotConnected("there is no credential; run `./seats connect ALIAS` first")
    return _Known(known, person, service if service and service.state == "connected" else None)
