"""A removal has a last moment: nothing leaves after it, and what left before it ends by then."""

import asyncio
import time
from functools import partial

import httpx
import pytest

from asana_api.client import AsanaClient
from asana_api.errors import OutcomeUnknown, RefusedHere, Unreachable
from asana_api.permits import Kind, NoLimits
from asana_api.sending import Bounds, open_transport
from asana_api.window import CallWindow
from sandbox.asana import Running
from tests.asana_api.conftest import OpenClient
from tests.asana_api.reads import somebody
from tests.asana_api.removing import REMOVE, remove

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("kind", ["slow", "drip"])
async def test_the_call_ends_when_its_time_is_over(kind: str, asana: Running, client: AsanaClient) -> None:
    asana.faults.add(kind, route=REMOVE, delay=10, after_effect=True)  # type: ignore[arg-type] # both are kinds
    began = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        await remove(client, asana, somebody(asana), seconds=0.3)
    assert 0.25 < time.monotonic() - began < 1.5
    assert len(asana.removals.accepted) == 1


async def test_the_call_s_own_deadline_holds_as_well(asana: Running, open_client: OpenClient) -> None:
    asana.faults.add("slow", route=REMOVE, delay=10, after_effect=True)
    with pytest.raises(OutcomeUnknown):
        await remove(open_client(bounds=Bounds(seconds=0.2)), asana, somebody(asana), seconds=60)


async def test_where_nobody_listens_nothing_was_told(asana: Running, open_client: OpenClient) -> None:
    with pytest.raises(Unreachable):
        await remove(open_client("http://127.0.0.1:1/api/1.0"), asana, somebody(asana))


async def test_a_call_that_is_late_is_never_sent(asana: Running, client: AsanaClient) -> None:
    for late in (0.0, -0.001, -3600.0):
        with pytest.raises(RefusedHere, match="time allowed"):
            await remove(client, asana, somebody(asana), seconds=late)
    assert asana.removals.calls == []


class SleepsInPermit(NoLimits):
    """The process sleeps (or is stopped) after the caller looked at the clock, while it waits for a permit."""

    async def take(self, kind: Kind) -> None:  # noqa: ARG002 - the protocol's word
        time.sleep(0.2)  # noqa: ASYNC251 - the whole process, not this task


async def test_a_process_that_slept_before_the_call_is_late(asana: Running, open_client: OpenClient) -> None:
    with pytest.raises(RefusedHere, match="time allowed"):
        await remove(open_client(permits=SleepsInPermit()), asana, somebody(asana), seconds=0.1)
    assert asana.removals.calls == []


async def _sleep_before(window: CallWindow, event: str, details: dict[str, object]) -> None:
    if event == "http11.send_request_headers.started":
        time.sleep(0.2)  # noqa: ASYNC251 - the whole process, not this task
    await window(event, details)


class AsleepAtTheLastMoment(httpx.AsyncBaseTransport):
    """The whole process sleeps after the clock was read, the connection open, and not a byte of a removal written."""

    def __init__(self) -> None:
        self.real = open_transport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        window = request.extensions.get("trace")
        if isinstance(window, CallWindow):
            request.extensions["trace"] = partial(_sleep_before, window)
        return await self.real.handle_async_request(request)

    async def aclose(self) -> None:
        await self.real.aclose()


@pytest.mark.parametrize("connection", ["new", "open"])
async def test_a_process_that_slept_just_before_the_first_byte_is_late(
    connection: str, asana: Running, open_client: OpenClient
) -> None:
    client, person = open_client(open_transport=AsleepAtTheLastMoment, writes=1), somebody(asana)
    if connection == "open":
        await client.add_user(asana.organization_gid, person)
    with pytest.raises(RefusedHere, match="time allowed"):
        await remove(client, asana, person, seconds=0.1)
    assert asana.removals.calls == []


async def test_no_connection_in_time_means_not_sent(asana: Running, open_client: OpenClient) -> None:
    """Httpcore tells its trace that it connects; it never tells that it writes."""

    class NeverConnects(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await request.extensions["trace"]("connection.connect_tcp.started", {})
            return await _for_ever()

    with pytest.raises(RefusedHere, match="no connection within the time"):
        await remove(open_client(open_transport=NeverConnects), asana, somebody(asana), seconds=0.1)


async def test_without_knowing_what_the_transport_did_it_is_unknown(asana: Running, open_client: OpenClient) -> None:
    class SaysNothing(httpx.AsyncBaseTransport):
        async def handle_async_request(self, _request: httpx.Request) -> httpx.Response:
            return await _for_ever()

    with pytest.raises(OutcomeUnknown):
        await remove(open_client(open_transport=SaysNothing), asana, somebody(asana), seconds=0.1)


async def _for_ever() -> httpx.Response:
    await asyncio.sleep(3600)
    raise AssertionError
