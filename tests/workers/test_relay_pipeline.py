"""The relay reads on while confirms are outstanding: nothing of what it promises is lost by that."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime
from uuid import UUID, uuid4

import pytest

from messages.commands import PullActivity
from messages.events import ReclaimStopped
from sandbox.proxy import Proxy
from store import outbox
from store.connect import Connection, open_connection
from tests.conftest import Database, Vhosts
from tests.rows import NOW, add_profile, count
from tests.workers.relay_stage import (
    Confirming,
    Ears,
    add_commands,
    add_events,
    hold_confirms,
    relay_of,
    running,
    sent_in_all,
)
from workers import relay as relay_module
from workers.amqp import LARGEST_WRITE
from workers.relay import Relay

pytestmark = [pytest.mark.anyio, pytest.mark.services]
UNSENT = "outbox WHERE sent_at IS NULL"
SMALL = 20


@pytest.fixture(autouse=True)
def two_small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "BATCH", SMALL)
    monkeypatch.setattr(relay_module, "IN_FLIGHT", 2 * SMALL)


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[Connection]:
    async with open_connection(database.owner_url) as connection:
        yield connection


@pytest.fixture
async def acme(owner: Connection) -> int:
    return await add_profile(owner)


@pytest.fixture
def internal(vhosts: Vhosts) -> Iterator[Ears]:
    ears = Ears(vhosts, vhosts.internal)
    yield ears
    ears.close()


@pytest.fixture
def edge(vhosts: Vhosts) -> Iterator[Ears]:
    ears = Ears(vhosts, vhosts.edge)
    ears.bind_events()
    yield ears
    ears.close()


@pytest.fixture
def confirming(monkeypatch: pytest.MonkeyPatch) -> Confirming:
    return hold_confirms(monkeypatch)


@pytest.fixture
def relay(database: Database, vhosts: Vhosts) -> Relay:
    return relay_of(database, vhosts)


async def published_in_all(relay: Relay, number: int) -> None:
    total = 0
    while total < number:
        total += await relay.published.next()
    assert total == number


async def add_at_once(owner: Connection, acme: int, number: int) -> None:
    async with owner.transaction():
        await add_commands(owner, acme, number)


async def test_it_reads_on_up_to_its_limit_while_confirms_are_outstanding(
    owner: Connection, acme: int, relay: Relay, internal: Ears, confirming: Confirming
) -> None:
    await add_at_once(owner, acme, 5 * SMALL)
    async with running(relay):
        await published_in_all(relay, 2 * SMALL)
        assert await count(owner, UNSENT) == 5 * SMALL
        assert relay.published._heard is not None
        assert relay.published._heard.empty()
        confirming.go.set()
        await sent_in_all(relay, 5 * SMALL)
    slices = [command["kwargs"]["slice"] for _, _, command in internal.take_all("download")]
    assert slices == list(range(5 * SMALL)), "each once, in the order of ids"


async def test_a_broker_that_goes_with_two_batches_in_flight_costs_no_message(
    database: Database, vhosts: Vhosts, owner: Connection, acme: int, internal: Ears
) -> None:
    with Proxy(vhosts.internal_url("relay")) as proxy:
        relay = relay_of(database, vhosts, through=proxy.through)
        async with running(relay):
            await relay.leading.next()
            proxy.go_deaf()
            await add_at_once(owner, acme, 3 * SMALL)
            await published_in_all(relay, 2 * SMALL)
            assert await count(owner, UNSENT) == 3 * SMALL
            proxy.cut()
            proxy.hear()
            await sent_in_all(relay, 3 * SMALL)
    received = {properties.message_id for _, properties, _ in internal.take_all("download")}
    assert len(received) == 3 * SMALL
    assert await count(owner, UNSENT) == 0


async def test_a_database_that_goes_between_confirm_and_mark_costs_no_message(
    database: Database, acme: int, relay: Relay, internal: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark_sent, lives = outbox.mark_sent, 0

    async def cut_off_first(connection: Connection, ids: Sequence[int], now: datetime) -> None:
        nonlocal lives
        lives += 1
        if lives == 1:
            await admin.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
        await mark_sent(connection, ids, now)

    async with open_connection(database.admin_url) as admin:
        monkeypatch.setattr(outbox, "mark_sent", cut_off_first)
        await add_at_once(admin, acme, 3 * SMALL)
        async with running(relay):
            await sent_in_all(relay, 3 * SMALL)
        assert await count(admin, UNSENT) == 0
    received = [properties.message_id for _, properties, _ in internal.take_all("download")]
    assert len(set(received)) == 3 * SMALL
    assert received[:SMALL] == received[-3 * SMALL : -2 * SMALL], (
        "confirmed and not marked: they come again, by the same ids"
    )


async def test_a_refused_message_holds_up_none_of_the_batches_around_it(
    owner: Connection, acme: int, relay: Relay, internal: Ears
) -> None:
    internal.channel.queue_delete("activity")
    async with owner.transaction():
        await add_commands(owner, acme, SMALL + 3)
        lonely = PullActivity(run_id=uuid4(), slice=0, correlation_id=UUID(int=9))
        await outbox.add_command(owner, lonely, profile_id=acme, now=NOW)
        await add_commands(owner, acme, SMALL)
    async with running(relay):
        await sent_in_all(relay, 2 * SMALL + 3)
        assert await count(owner, f"{UNSENT} AND name = 'pull_activity'") == await count(owner, UNSENT) == 1
        ((_, why),) = (await relay.refused.next()).items()
    assert "NO_ROUTE" in why
    slices = [command["kwargs"]["slice"] for _, _, command in internal.take_all("download")]
    assert slices == [*range(SMALL + 3), *range(SMALL)]


async def test_a_commit_below_what_is_in_flight_is_sent_at_once(
    database: Database, owner: Connection, acme: int, relay: Relay, confirming: Confirming
) -> None:
    async with running(relay), open_connection(database.owner_url) as slow:
        async with slow.transaction():
            await add_commands(slow, acme)
            await add_at_once(owner, acme, SMALL)
            await published_in_all(relay, SMALL)
        await published_in_all(relay, 1)
        assert await count(owner, UNSENT) == SMALL + 1
        confirming.go.set()
        await sent_in_all(relay, SMALL + 1)


async def test_each_subject_keeps_its_order_while_several_write(
    database: Database, acme: int, relay: Relay, edge: Ears
) -> None:
    async def some(number: int) -> None:
        async with open_connection(database.url("worker")) as connection:
            for turn in range(30):
                await add_events(connection, acme, 1, f"profile/{(number + turn) % 3}")

    async with running(relay):
        await asyncio.gather(*(some(number) for number in range(4)), sent_in_all(relay, 120))
    events = [event for _, _, event in edge.take_all("consumer.test")]
    for subject in ("profile/0", "profile/1", "profile/2"):
        sequences = [int(event["sequence"]) for event in events if event["subject"] == subject]
        assert sequences == list(range(1, 41))


async def test_bodies_larger_than_one_write_arrive_whole_and_in_order(
    owner: Connection, acme: int, relay: Relay, edge: Ears
) -> None:
    long = "x" * (LARGEST_WRITE * 2 // 3)
    async with owner.transaction():
        for number in range(5):
            event = ReclaimStopped(profile="acme", by=str(number), why=long)
            await outbox.say(owner, event, subject="profile/acme", profile_id=acme, correlation_id=UUID(int=9), now=NOW)
    async with running(relay):
        await sent_in_all(relay, 5)
    said = [event["data"] for _, _, event in edge.take_all("consumer.test")]
    assert [(one["by"], one["why"] == long) for one in said] == [(str(number), True) for number in range(5)]


async def test_asked_to_stop_it_marks_what_is_in_flight_and_publishes_nothing_more(
    owner: Connection, acme: int, relay: Relay, internal: Ears, confirming: Confirming
) -> None:
    await add_at_once(owner, acme, 5 * SMALL)
    async with running(relay) as stop:
        await published_in_all(relay, 2 * SMALL)
        stop.set()
        confirming.go.set()
    assert await count(owner, UNSENT) == 3 * SMALL
    assert len(internal.take_all("download")) == 2 * SMALL
