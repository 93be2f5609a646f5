"""The intake: whatever is dropped on the edge ends as a run or in the quarantine, and the next one is served."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import psycopg
import pytest

from sandbox.proxy import Proxy
from store import requests
from store.connect import Connection, open_connection
from tests.conftest import Database, Vhosts
from tests.eventually import eventually
from tests.rows import NOW, add_profile, count
from tests.unit.test_requests import ODD, body
from tests.workers.intake_stage import Sender, queue_is_empty, running
from workers.intake import Intake

pytestmark = [pytest.mark.anyio, pytest.mark.services]


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[Connection]:
    async with open_connection(database.owner_url) as connection:
        yield connection


@pytest.fixture
async def acme(owner: Connection) -> int:
    return await add_profile(owner)


@pytest.fixture
def intake(database: Database, vhosts: Vhosts) -> Intake:
    return Intake(database.url("intake"), vhosts.edge_url("intake"), clock=lambda: NOW)


@pytest.fixture
def sender(vhosts: Vhosts) -> Iterator[Sender]:
    sender = Sender(vhosts.edge_url("requester"))
    yield sender
    sender.close()


async def test_odd_bodies_go_to_the_quarantine_and_the_good_one_behind_each_is_served(
    owner: Connection, acme: int, intake: Intake, sender: Sender, vhosts: Vhosts
) -> None:
    intake.taken.listen()
    for odd, _ in ODD.values():
        sender.drop(odd, body(id=str(uuid4()), kind="reconcile"))
    async with running(intake.session, intake.trouble):
        outcomes = [await intake.taken.next() for _ in range(2 * len(ODD))]
    assert [one.run_id is None for one in outcomes] == [True, False] * len(ODD)
    assert await count(owner, "quarantine") == len(ODD)
    assert await count(owner, "outbox WHERE name = 'RequestRefused'") == len(ODD)
    assert await count(owner, "outbox WHERE name = 'reconcile'") == len(ODD)
    assert await eventually(lambda: queue_is_empty(vhosts, vhosts.edge))


async def test_a_repeat_is_harmless_and_another_body_under_the_same_id_is_refused(
    owner: Connection, acme: int, intake: Intake, sender: Sender
) -> None:
    intake.taken.listen()
    sender.drop(body(), body(), body(requested_by="eve"))
    async with running(intake.session, intake.trouble):
        first, again, other = [await intake.taken.next() for _ in range(3)]
    assert (again.run_id, again.again) == (first.run_id, True)
    assert other.reason == "this id was used before for another request"
    assert await count(owner, "run WHERE kind = 'cycle'") == 1


async def test_a_refusal_is_said_to_those_who_listen_to_the_profile_that_was_meant(
    owner: Connection, acme: int, intake: Intake, sender: Sender
) -> None:
    intake.taken.listen()
    sender.drop(body(kind="nonsense"), body(profile="acne"), b"not JSON")
    async with running(intake.session, intake.trouble):
        for _ in range(3):
            await intake.taken.next()
    cursor = await owner.execute("SELECT profile_id FROM outbox WHERE name = 'RequestRefused' ORDER BY id")
    assert [row[0] for row in await cursor.fetchall()] == [acme, None, None]


async def test_a_value_that_the_database_refuses_ends_in_the_quarantine(
    acme: int, intake: Intake, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def odd(connection: Connection, *_arguments: object) -> None:
        await connection.execute("SELECT %s::text", ["a\x00b"])

    monkeypatch.setattr(requests, "accept", odd)
    intake.taken.listen()
    sender.drop(body())
    async with running(intake.session, intake.trouble):
        assert (await intake.taken.next()).reason == "it holds a value that cannot be stored"


async def test_nothing_is_acknowledged_before_it_is_committed(
    database: Database, owner: Connection, acme: int, intake: Intake, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database cuts the connection between the request's row and its COMMIT, once."""
    accept, went = requests.accept, asyncio.Event()

    async def cut(connection: Connection, *arguments: object) -> requests.Accepted:
        accepted = await accept(connection, *arguments)  # type: ignore[arg-type] # handed on as they came
        if not went.is_set():
            went.set()
            async with open_connection(database.admin_url) as admin:
                await admin.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
        return accepted

    monkeypatch.setattr(requests, "accept", cut)
    intake.taken.listen()
    sender.drop(body())
    async with running(intake.session, intake.trouble):
        outcome = await intake.taken.next()
    assert went.is_set()
    assert (outcome.again, outcome.quarantine_id) == (False, None)
    assert await count(owner, "request") == 1


async def test_committed_but_not_acknowledged_comes_again_and_changes_nothing(
    database: Database, vhosts: Vhosts, owner: Connection, acme: int, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Proxy(vhosts.edge_url("intake")) as proxy:
        intake = Intake(database.url("intake"), proxy.through(vhosts.edge_url("intake")), clock=lambda: NOW)
        take, cut = intake._take, asyncio.Event()

        async def take_and_cut(*arguments: object) -> object:
            outcome = await take(*arguments)  # type: ignore[arg-type] # handed on as they came
            if not cut.is_set():
                cut.set()
                proxy.cut()
            return outcome

        monkeypatch.setattr(intake, "_take", take_and_cut)
        intake.taken.listen()
        sender.drop(body(), b"not JSON")
        async with running(intake.session, intake.trouble):
            outcome = await intake.taken.next()
            while not outcome.again:
                outcome = await intake.taken.next()
            assert await eventually(lambda: queue_is_empty(vhosts, vhosts.edge))
    assert await count(owner, "request") == 1
    assert await count(owner, "quarantine") == 1


async def test_a_database_that_is_away_costs_no_request(
    database: Database, vhosts: Vhosts, owner: Connection, acme: int, sender: Sender
) -> None:
    with Proxy(database.url("intake")) as proxy:
        intake = Intake(proxy.through(database.url("intake")), vhosts.edge_url("intake"), clock=lambda: NOW)
        intake.taken.listen()
        intake.listening.listen()
        async with running(intake.session, intake.trouble):
            await intake.listening.next()
            proxy.stop()
            sender.drop(*(body(id=str(uuid4()), kind="reconcile") for _ in range(20)))

            async def unwell() -> bool:
                return intake.trouble.now is not None

            assert await eventually(unwell)
            proxy.restart()
            for _ in range(20):
                assert (await intake.taken.next()).run_id is not None
    assert await count(owner, "request") == 20


async def test_the_intake_may_not_look_into_what_is_none_of_its_business(database: Database) -> None:
    async with open_connection(database.url("intake")) as connection:
        for table in ("credential", "person", "subscription"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await connection.execute(f"SELECT FROM {table}".encode())
