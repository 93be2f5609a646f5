"""Real processes share one credential, and the look-alike, which refuses the 51st request in flight, is the witness."""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from uuid import UUID

import anyio
import pytest

from asana_api.client import AsanaClient
from asana_api.errors import RateLimited
from asana_api.sending import Bounds
from connections.flight import Connect, Flight, Terms
from connections.permits import SharedPermits
from sandbox.asana import Running, running
from sandbox.asana.limits import Plan
from store import flights
from store.connect import Connection, open_connection
from tests.conftest import Database
from tests.eventually import eventually
from tests.store.test_budget import credential

pytestmark = [pytest.mark.anyio, pytest.mark.services]

BRIEF = Terms(lease=3.0, longest_call=1.6, renew_every=0.2, look_again_after=0.02, longest_wait=10.0)
"""A lease that a test can wait for."""


@pytest.fixture
async def console(database: Database) -> AsyncIterator[Connection]:
    async with open_connection(database.url("console")) as connection:
        yield connection


@pytest.fixture
def asana() -> Iterator[Running]:
    with running(people=10, seed=5, latency_ms=50) as served:
        served.limits.switch(Plan(per_minute=10_000_000))
        yield served


@dataclass(frozen=True)
class Asking:
    """A process that asks until it is told to end."""

    pid: int
    holder: UUID
    pipe: Pipe

    def tell(self) -> tuple[int, int]:
        """Have it end and tell how often it was answered and refused."""
        self.pipe.send("end")
        assert self.pipe.poll(20)
        asked, refused = self.pipe.recv()
        return asked, refused

    async def leases(self, console: Connection) -> int:
        """Count its living leases."""
        cursor = await console.execute(
            "SELECT count(*) FROM flight WHERE leased_until > clock_timestamp() AND holder = %s", [self.holder]
        )
        row = await cursor.fetchone()
        assert row is not None
        return int(row[0])


@contextmanager
def processes(count: int, url: str, asana: Running, number: int, lanes: int) -> Iterator[list[Asking]]:
    """Start processes that ask with so many lanes at once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])  # each begins with everything loaded
    with ExitStack() as until_the_end:
        started = []
        for _ in range(count):
            ours, theirs = context.Pipe()
            one = context.Process(
                target=_ask, args=(theirs, url, asana.api_url, asana.admin_token, number, lanes), daemon=True
            )
            one.start()
            until_the_end.callback(one.kill)
            started.append((one.pid, ours))
        yield [Asking(pid or 0, pipe.recv(), pipe) for pid, pipe in started if pipe.poll(60)]


def _ask(pipe: Pipe, url: str, api_url: str, token: str, number: int, lanes: int) -> None:
    anyio.run(_asking, pipe, lambda: open_connection(url), api_url, token, number, lanes)


async def _asking(pipe: Pipe, connect: Connect, api_url: str, token: str, number: int, lanes: int) -> None:
    asked = refused = 0

    async def own() -> str:
        return token

    permits = SharedPermits(connect, number)
    permits._reads = Flight(connect, number, "read", BRIEF)
    async with AsanaClient(api_url, own, permits, reads=lanes, bounds=Bounds(1.5)) as client:

        async def ask() -> None:
            nonlocal asked, refused
            while True:
                try:
                    await client.me()
                    asked += 1
                except RateLimited:
                    refused += 1
                except Exception:  # noqa: BLE001 - late after a stop: not what is counted here
                    pass

        tasks = [asyncio.create_task(ask()) for _ in range(lanes)]
        pipe.send(permits._reads.holder)
        await asyncio.to_thread(pipe.recv)
        while not asked:  # noqa: ASYNC110 - the other tasks count
            await asyncio.sleep(0.02)
        for task in tasks:
            task.cancel()
        pipe.send((asked, refused))


async def test_four_processes_together_never_exceed_the_limit_also_after_a_kill_and_a_stop(
    database: Database, console: Connection, asana: Running
) -> None:
    """Each would have 20 in flight. The look-alike refuses the 51st with a 429: it never sees one."""
    number = await credential(console, None)
    with processes(4, database.url("worker"), asana, number, 20) as (killed, stopped, *others):
        assert await eventually(lambda: all_have_leases(console, [killed, stopped, *others]))
        os.kill(killed.pid, signal.SIGKILL)
        os.kill(stopped.pid, signal.SIGSTOP)
        assert await eventually(lambda: none_has_leases(console, [killed, stopped])), "they outlast the lease"
        assert await none_has_leases(console, [killed, stopped])
        os.kill(stopped.pid, signal.SIGCONT)
        assert await eventually(lambda: all_have_leases(console, [stopped, *others]))
        told = [one.tell() for one in (stopped, *others)]
    assert all(asked > 0 for asked, _ in told)
    assert [refused for _, refused in told] == [0, 0, 0]
    assert 20 < asana.requests.most_in_flight <= flights.LIMITS["read"]


async def all_have_leases(console: Connection, asking: list[Asking]) -> bool:
    return all([await one.leases(console) > 0 for one in asking])


async def none_has_leases(console: Connection, asking: list[Asking]) -> bool:
    return all([await one.leases(console) == 0 for one in asking])
