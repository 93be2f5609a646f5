"""One HTTP exchange: a total deadline, a bound on the body, no redirects, no proxies, no cookies, no retries.

Why transports and not one `httpx.AsyncClient`: a client adds redirects, cookies and environment variables, none of
which we want near a token; and its pool looks at every open connection for every request. With 20 in flight that cost
1.4 ms of processor time for each small request, against 0.5 ms with one connection for each of 20 transports.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import anyio.lowlevel
import httpx

from asana_api.address import Base
from asana_api.errors import BadAnswer, OutcomeUnknown, RefusedHere, Unreachable
from asana_api.permits import Kind
from asana_api.window import CallWindow

HEADERS = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "Seatkeeper"}

OpenTransport = Callable[[], httpx.AsyncBaseTransport]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one exchange may take: seconds from the first byte of connecting to the last of the answer, and bytes."""

    seconds: float = 30.0
    longest_body: int = 16 * 1024 * 1024


class BodyTooLong(Exception):
    """The answer is longer than we are ready to hold."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request to Asana, before it has a host and a token. `query` is already encoded."""

    method: Literal["GET", "POST"]
    path: str
    query: str = ""
    body: bytes | None = None
    paging: bool = False
    search: bool = False
    window: CallWindow | None = None

    @property
    def name(self) -> str:
        """Method and path, fit for an error: no offset, no token."""
        return f"{self.method} {self.path}"

    @property
    def changes(self) -> bool:
        """Whether Asana is another place after it."""
        return self.method != "GET"

    @property
    def kind(self) -> Kind:
        """Which permit it needs."""
        if self.search:
            return "search"
        return "write" if self.changes else "read"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, its body decoded from gzip and the like."""

    status: int
    headers: httpx.Headers
    body: bytes


@cache
def _tls() -> ssl.SSLContext:
    """Certifi's authorities, read once: it takes 20 ms."""
    return httpx.create_ssl_context(trust_env=False)


async def make_ready() -> None:
    """Load what the HTTP library else loads at its first request, 150 ms: a run is not to wait for that."""
    await anyio.lowlevel.checkpoint()
    await open_transport().aclose()


def open_transport() -> httpx.AsyncBaseTransport:
    """Open a transport that keeps one connection and tries nothing twice."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=1, keepalive_expiry=30)
    return httpx.AsyncHTTPTransport(verify=_tls(), trust_env=False, retries=0, limits=limits)


class Lanes:
    """So many requests in flight and no more, each on a transport of its own; the one used last is used next.

    That is for one process; how many all processes together may have is a matter of `Permits.in_flight`.
    """

    def __init__(self, count: int, open_one: OpenTransport) -> None:
        self._turn = asyncio.Semaphore(count)
        self._all = [open_one() for _ in range(count)]
        self._free = list(self._all)

    @asynccontextmanager
    async def lane(self) -> AsyncIterator[httpx.AsyncBaseTransport]:
        """Wait for a free transport and borrow it."""
        async with self._turn:
            transport = self._free.pop()
            try:
                yield transport
            finally:
                self._free.append(transport)

    async def aclose(self) -> None:
        """Close every connection."""
        for transport in self._all:
            await transport.aclose()


async def exchange(transport: httpx.AsyncBaseTransport, request: httpx.Request, bounds: Bounds) -> Answer:
    """Send, and read the whole answer within the bounds, however slowly it drips.

    Raises TimeoutError, httpx.TransportError (not sent, or cut), httpx.DecodingError or BodyTooLong.
    """
    async with asyncio.timeout(bounds.seconds):
        response = await transport.handle_async_request(request)
        try:
            return Answer(response.status_code, response.headers, await _body(response, bounds.longest_body))
        finally:
            await response.aclose()


async def _body(response: httpx.Response, longest: int) -> bytes:
    chunks, length = [], 0
    async for chunk in response.aiter_bytes():
        length += len(chunk)
        if length > longest:
            raise BodyTooLong
        chunks.append(chunk)
    return b"".join(chunks)


async def ask(transport: httpx.AsyncBaseTransport, request: httpx.Request, call: str, bounds: Bounds) -> Answer:
    """A read's answer. Unreachable if none came whole and in time, BadAnswer if it cannot be decoded or held."""
    try:
        return await exchange(transport, request, bounds)
    except (TimeoutError, httpx.TransportError) as error:
        raise Unreachable(type(error).__name__, call=call) from error
    except (httpx.DecodingError, BodyTooLong) as error:
        raise BadAnswer(type(error).__name__, call=call) from error


async def change(transport: httpx.AsyncBaseTransport, request: httpx.Request, call: Call, bounds: Bounds) -> Answer:
    """A change's answer, sent once. Unreachable or RefusedHere if it certainly was not sent, else OutcomeUnknown.

    The connection may be one that was used a moment ago: if Asana has closed it meanwhile the outcome is unknown and
    nothing is sent again, which is the price of not opening a new one between the last look and the call.
    """
    window = call.window
    try:
        if window is not None:
            request.extensions["trace"] = window
            bounds = replace(bounds, seconds=min(bounds.seconds, window.seconds_left()))
        return await exchange(transport, request, bounds)
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise Unreachable(type(error).__name__, call=call.name) from error
    except (TimeoutError, httpx.RequestError, BodyTooLong) as error:
        if window is not None and window.certainly_unsent:
            raise RefusedHere("no connection within the time allowed for this call", call=call.name) from error
        raise OutcomeUnknown(type(error).__name__, call=call.name) from error


def request_for(base: Base, call: Call, token: str) -> httpx.Request:
    """The call, addressed and signed."""
    url = f"{base.url}{call.path}?{call.query}" if call.query else f"{base.url}{call.path}"
    headers = HEADERS | {"Authorization": f"Bearer {token}"}
    if call.body is not None:
        headers["Content-Type"] = "application/json"
    return httpx.Request(call.method, url, headers=headers, content=call.body)
