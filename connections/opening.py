"""Asana, opened for a connection: its client with a valid token, its permits, and whose account it is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from asana_api.client import AsanaClient
from connections.permits import Connect, SharedPermits
from connections.sealing import Sealing
from connections.tokens import NotConnected, Tokens
from store import connections
from store.connections import AsanaConnection, Credential

API = "/api/1.0"


@dataclass(frozen=True, slots=True)
class OpenedAsana:
    """What an actor needs to ask Asana."""

    client: AsanaClient
    permits: SharedPermits
    own_gid: str
    """The account whose credential this is: never to be removed."""
    credential_id: int


@asynccontextmanager
async def open_asana(
    connect: Connect, connection_id: int, sealing: Sealing, *, reads_in_flight: int = 20
) -> AsyncIterator[OpenedAsana]:
    """Open Asana with the connection's credential until the block ends.

    Raises NotConnected where there is no credential. One that Asana refuses shows at the first call: ConnectionIsLost.
    """
    known, credential = await _read(connect, connection_id)
    tokens = Tokens(connect, connection_id, sealing)
    permits = SharedPermits(connect, credential.id)
    client = AsanaClient(
        known.base_url + API, tokens.token, permits, renew=tokens.renew, reads=reads_in_flight, writes=2
    )
    async with client:
        yield OpenedAsana(client, permits, credential.user_gid, credential.id)


class SharedAsana:
    """One opened Asana for each connection, shared by all that runs in one event loop. Close it with `aclose`."""

    def __init__(self, connect: Connect, sealing: Sealing, *, reads_in_flight: int = 20) -> None:
        """`reads_in_flight` is for each connection."""
        self._connect, self._sealing, self._reads_in_flight = connect, sealing, reads_in_flight
        self._opened: dict[int, OpenedAsana] = {}
        self._until_the_end = AsyncExitStack()
        self._opening = asyncio.Lock()

    async def of(self, connection_id: int) -> OpenedAsana:
        """Return the connection's Asana; one that was connected anew since is opened anew. Raises NotConnected."""
        async with self._opening:
            _, credential = await _read(self._connect, connection_id)
            opened = self._opened.get(connection_id)
            if opened is None or (opened.credential_id, opened.own_gid) != (credential.id, credential.user_gid):
                opening = open_asana(self._connect, connection_id, self._sealing, reads_in_flight=self._reads_in_flight)
                opened = self._opened[connection_id] = await self._until_the_end.enter_async_context(opening)
            return opened

    async def aclose(self) -> None:
        """Close every client."""
        self._opened.clear()
        await self._until_the_end.aclose()


async def _read(connect: Connect, connection_id: int) -> tuple[AsanaConnection, Credential]:
    async with connect() as connection:
        known = await connections.by_id(connection, connection_id)
        credential = await connections.credential_of(connection, connection_id)
    if known is None or credential is None:
        raise NotConnected("there is no credential; run `./seats connect ALIAS` first")
    return known, credential
