"""A look-alike of Asana over HTTP for the client's tests, and a stranger's server that must never hear from us."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field

import pytest

from asana_api.client import AsanaClient
from asana_api.sending import Bounds
from sandbox.asana import Running, running

OpenClient = Callable[..., AsanaClient]


@pytest.fixture(scope="module")
def _served() -> Iterator[Running]:
    with running(people=40, seed=1) as asana:
        yield asana


@pytest.fixture
def asana(_served: Running) -> Iterator[Running]:
    """A look-alike with 40 people, as good as new."""
    _served.clock.reset()
    _served.look.begin_again()
    yield _served
    _served.limits.switch(None)


@pytest.fixture
async def open_client(asana: Running) -> AsyncIterator[OpenClient]:
    """Open clients for the look-alike; each is closed after the test. Keywords are those of AsanaClient."""
    clients: list[AsanaClient] = []

    async def token() -> str:
        return asana.admin_token

    def open_one(base_url: str = "", **options: object) -> AsanaClient:
        chosen: dict[str, object] = {"token": token, "bounds": Bounds(seconds=5.0)} | options
        client = AsanaClient(base_url or asana.api_url, **chosen)  # type: ignore[arg-type] # the options of any client
        clients.append(client)
        return client

    yield open_one
    for client in clients:
        await client.aclose()


@pytest.fixture
def client(open_client: OpenClient) -> AsanaClient:
    return open_client()


@dataclass
class Stranger:
    """Another host. `heard` is everything that anybody ever sent to it."""

    url: str
    heard: list[bytes] = field(default_factory=list)


@pytest.fixture
async def stranger() -> AsyncIterator[Stranger]:
    other = Stranger("")

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        other.heard.append(b"a connection")
        other.heard.append(await reader.read(65536))
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    other.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield other
    server.close()
    await server.wait_closed()
