"""The intake: whatever is dropped on the edge ends as a run or in the quarantine, and the next one is served."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from uuid import UUID, uuid4

import pika
import psycopg
import pytest

from messages.commands import DownloadSubscriptions
from messages.encoder import encode_command
from messages.routing import REQUESTS_QUEUE
from sandbox.proxy import Proxy
from store import cycles, dead_letters, requests, runs
from store.connect import Connection, open_connection
from store.dead_letters import ReplayRefused, replay
from store.runs import Order
from tests.conftest import Database, Vhosts
from tests.eventually import eventually
from tests.rows import NOW, add_profile, count
from tests.unit.test_requests import ODD, body
from workers.dead_letters import DeadLetters
from workers.entry import Session, Trouble, keep_going
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


@contextlib.asynccontextmanager
async def running(session: Session, trouble: Trouble) -> AsyncIterator[None]:
    """Keep a session going while the block runs, as its process does."""
    stop = asyncio.Event()
    going = asyncio.create_task(keep_going(stop, "test", session, trouble))
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(10):
            await going


class Sender:
    """An operations person with plain pika."""

    def __init__(self, url: str) -> None:
        self._connection = pika.BlockingConnection(pika.URLParameters(url))
        self._channel = self._connection.channel()

    def drop(self, *bodies: bytes, queue: str = REQUESTS_QUEUE) -> None:
        for one in bodies:
            self._channel.basic_publish("", queue, one)

    def close(self) -> None:
        self._connection.close()


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


async def queue_is_empty(vhosts: Vhosts, vhost: str) -> bool:
    depths = await asyncio.to_thread(vhosts.rabbitmq.queue_depths, vhost)
    return not any(depths.values())


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


# Dead letters ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def copying(database: Database, vhosts: Vhosts) -> DeadLetters:
    return DeadLetters(database.url("intake"), vhosts.internal_url("intake"), clock=lambda: NOW)


@pytest.fixture
def worker(vhosts: Vhosts) -> Iterator[Sender]:
    """Whoever may write to the dead-letter queues directly."""
    sender = Sender(vhosts.internal_url("worker"))
    yield sender
    sender.close()


async def ordered(owner: Connection, acme: int) -> tuple[UUID, bytes]:
    """Order a download; return its run and the command's envelope."""
    run_id = await cycles.add(owner, Order(profile_id=acme, kind="download", requested_by="ann"), NOW)
    command = DownloadSubscriptions(run_id=run_id, slice=0, correlation_id=run_id)
    return run_id, encode_command(command, uuid4(), NOW)


async def test_a_dead_command_is_kept_and_its_run_fails(
    owner: Connection, acme: int, copying: DeadLetters, worker: Sender, vhosts: Vhosts
) -> None:
    run_id, envelope = await ordered(owner, acme)
    copying.copied.listen()
    worker.drop(b"\xff\x00", envelope, envelope, queue="download.XQ")
    async with running(copying.session, copying.trouble):
        for _ in range(3):
            assert await copying.copied.next() == "download.XQ"
        assert await eventually(lambda: queue_is_empty(vhosts, vhosts.internal))
    good, odd = await dead_letters.recent(owner)
    assert odd.reason == "it is not a command of ours: the body is not JSON in UTF-8"
    assert good.reason == "its worker gave it up, after 0 retries"
    run = await runs.get(owner, run_id)
    assert run is not None
    assert (run.state, run.reason) == ("failed", "its command died: its worker gave it up, after 0 retries")


async def test_a_run_that_went_on_is_left_alone(
    owner: Connection, acme: int, copying: DeadLetters, worker: Sender
) -> None:
    run_id, envelope = await ordered(owner, acme)
    await owner.execute("UPDATE run SET slice = 1 WHERE id = %s", [run_id])
    copying.copied.listen()
    worker.drop(envelope, queue="download.XQ")
    async with running(copying.session, copying.trouble):
        await copying.copied.next()
    run = await runs.get(owner, run_id)
    assert run is not None
    assert run.state == "queued"


async def test_what_rabbitmq_and_dramatiq_say_of_a_death_is_kept(owner: Connection, acme: int) -> None:
    _, envelope = await ordered(owner, acme)
    with_options = {**json.loads(envelope), "options": {"retries": 12, "traceback": "Traceback:\n  x\nOSError: gone\n"}}
    await dead_letters.keep(owner, "download.XQ", json.dumps(with_options).encode(), {}, NOW)
    await dead_letters.keep(owner, "download.XQ", envelope, {"x-death": [{"reason": "expired"}]}, NOW)
    assert [letter.reason for letter in await dead_letters.recent(owner)] == [
        "it expired in the queue, after 0 retries",
        "OSError: gone",
    ]


async def test_a_replay_is_a_fresh_run_once(database: Database, owner: Connection, acme: int) -> None:
    run_id, envelope = await ordered(owner, acme)
    await dead_letters.keep(owner, "download.XQ", envelope, {}, NOW)
    (letter,) = await dead_letters.recent(owner)
    async with open_connection(database.url("console")) as console:
        async with console.transaction():
            fresh = await replay(console, letter.id, "ann", NOW)
        with pytest.raises(ReplayRefused, match="was replayed by ann"):
            await replay(console, letter.id, "ann", NOW)
    run = await runs.get(owner, fresh)
    assert run is not None
    assert fresh != run_id
    assert (run.kind, run.state, run.requested_by) == (
        "download",
        "queued",
        f"replay of dead letter {letter.id} by ann",
    )


async def test_what_cannot_be_replayed(owner: Connection, acme: int) -> None:
    run_id, envelope = await ordered(owner, acme)
    await owner.execute("UPDATE run SET slice = 1 WHERE id = %s", [run_id])
    await dead_letters.keep(owner, "download.XQ", envelope, {}, NOW)
    await dead_letters.keep(owner, "download.XQ", b"odd", {}, NOW)
    odd, good = await dead_letters.recent(owner)
    for number, why in (
        (odd.id, "can only be looked at"),
        (good.id, "under way without it"),
        (777, "there is no dead"),
    ):
        with pytest.raises(ReplayRefused, match=why):
            await replay(owner, number, "ann", NOW)
    assert await count(owner, "run") == 1


async def test_the_intake_may_not_look_into_what_is_none_of_its_business(database: Database) -> None:
    async with open_connection(database.url("intake")) as connection:
        for table in ("credential", "person", "subscription"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await connection.execute(f"SELECT FROM {table}".encode())
