"""How much is asked at once, and that each request has its permit and a fresh token."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from asana_api.errors import RateLimited
from asana_api.permits import Held, Kind, NoLimits
from asana_api.searching import Sought
from sandbox.asana import Running
from tests.asana_api.conftest import OpenClient
from tests.asana_api.reads import somebody

pytestmark = pytest.mark.anyio


async def test_no_more_reads_at_once_than_allowed(asana: Running, open_client: OpenClient) -> None:
    asana.faults.add("slow", delay=0.05)
    client = open_client(reads=4)
    await asyncio.gather(*(client.me() for _ in range(20)))
    assert asana.requests.most_in_flight == 4
    assert asana.requests.total == 20


async def test_each_request_has_its_permit_and_asks_for_the_token(asana: Running, open_client: OpenClient) -> None:
    permits, tokens = Counter[str](), 0

    class Permits(NoLimits):
        async def take(self, kind: Kind) -> None:
            permits[kind] += 1

    async def token() -> str:
        nonlocal tokens
        tokens += 1
        return asana.admin_token

    client = open_client(permits=Permits(), token=token)
    for _ in range(3):
        await client.me()
    await client.add_user(asana.organization_gid, somebody(asana))
    await client.search_page(asana.organization_gid, Sought("assignee", [somebody(asana)]))
    assert permits == {"read": 3, "write": 1, "search": 1}
    assert tokens == 5


async def test_a_place_in_flight_is_made_sure_of_right_before_each_sending(
    asana: Running, open_client: OpenClient
) -> None:
    """Also before the second try after a 401; a place that was lost meanwhile sends nothing."""
    said: list[str] = []

    class Permits(NoLimits):
        @asynccontextmanager
        async def in_flight(self, kind: Kind) -> AsyncIterator[Held]:
            said.append(f"enters to {kind}")
            yield self
            said.append("leaves")

        async def take(self, kind: Kind) -> None:
            said.append(f"may {kind}")

        async def confirm(self) -> None:
            said.append(f"is sure, {asana.requests.total} sent")
            if said.count("is sure, 0 sent") == 2:
                raise RateLimited(retry_after=1)

    async def renew(_token: str) -> str:
        return asana.admin_token

    asana.faults.add("answer", status=401, times=1)
    client = open_client(permits=Permits(), renew=renew)
    await client.me()
    assert said == ["enters to read", "may read", "is sure, 0 sent", "may read", "is sure, 1 sent", "leaves"]
    asana.requests.reset()
    with pytest.raises(RateLimited):
        await client.me()
    assert asana.requests.total == 0


async def test_a_lane_is_good_again_after_every_way_in_which_it_can_fail(
    asana: Running, open_client: OpenClient
) -> None:
    """One lane only: if a failure or a cancellation kept it, the next question would wait for ever."""
    client = open_client(reads=1)
    for kind in ("close", "cut", "html", "lost"):
        asana.faults.add(kind, times=1)
        with pytest.raises(Exception, match=r".+"):
            await client.me()
        assert (await client.me()).gid
    asana.faults.add("slow", delay=5, times=1)
    waiting = asyncio.create_task(client.me())
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (await asyncio.wait_for(client.me(), 2)).gid
