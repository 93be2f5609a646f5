"""Dead letters are kept, fail the run that waited for them, and can be replayed once."""

import json
from collections.abc import AsyncIterator, Iterator
from uuid import UUID, uuid4

import pytest

from messages.commands import DownloadSubscriptions
from messages.encoder import encode_command
from store import cycles, dead_letters, runs
from store.connect import Connection, open_connection
from store.dead_letters import ReplayRefused, replay
from store.runs import Order
from tests.conftest import Database, Vhosts
from tests.eventually import eventually
from tests.rows import NOW, add_profile, count
from tests.workers.intake_stage import Sender, queue_is_empty, running
from workers.dead_letters import DeadLetters

pytestmark = [pytest.mark.anyio, pytest.mark.services]


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[Connection]:
    async with open_connection(database.owner_url) as connection:
        yield connection


@pytest.fixture
async def acme(owner: Connection) -> int:
    return await add_profile(owner)


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
