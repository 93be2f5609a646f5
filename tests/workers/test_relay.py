"""The relay sends everything once the broker confirms it, and is stopped by nothing that comes back."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from sandbox.proxy import Proxy
from store.connect import Connection, open_connection
from tests.conftest import Database, Vhosts
from tests.eventually import eventually
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
from workers.relay import BATCH, Relay

pytestmark = [pytest.mark.anyio, pytest.mark.services]
UNSENT = "outbox WHERE sent_at IS NULL"


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


async def test_a_command_goes_to_its_queue_and_an_event_to_whoever_listens(
    owner: Connection, acme: int, relay: Relay, internal: Ears, edge: Ears
) -> None:
    await add_commands(owner, acme)
    await add_events(owner, acme)
    async with running(relay):
        await sent_in_all(relay, 2)
    ((_, properties, command),) = internal.take_all("download")
    ((method, event_properties, event),) = edge.take_all("consumer.test")
    assert command["actor_name"] == "download_subscriptions"
    assert properties.delivery_mode == event_properties.delivery_mode == 2
    assert command["message_id"] == properties.message_id
    assert (event["type"], event["subject"]) == ("io.seatkeeper.ReclaimStopped", "profile/acme")
    assert event["sequence"] == "00000000000000000001"
    assert method.routing_key == "acme.ReclaimStopped"
    assert event_properties.content_type == "application/cloudevents+json"
    assert await count(owner, UNSENT) == 0


async def test_it_wakes_when_something_is_added_and_looks_again_for_what_was_due_later(
    database: Database, vhosts: Vhosts, owner: Connection, acme: int, internal: Ears
) -> None:
    time = [NOW]
    relay = relay_of(database, vhosts)
    relay._clock = lambda: time[0]
    async with running(relay):
        await relay.leading.next()
        await add_commands(owner, acme)
        await sent_in_all(relay, 1)
        await owner.execute("UPDATE outbox SET sent_at = NULL, not_before = %s", [NOW + timedelta(hours=1)])
        await add_commands(owner, acme)
        await sent_in_all(relay, 1)
        time[0] = NOW + timedelta(hours=1)
        await sent_in_all(relay, 1)
    assert len(internal.take_all("download")) == 3


async def test_nothing_counts_as_sent_before_it_is_confirmed(
    owner: Connection, acme: int, relay: Relay, confirming: Confirming
) -> None:
    await add_commands(owner, acme, 3)
    async with running(relay), asyncio.timeout(20):
        await confirming.asked.wait()
        assert await count(owner, UNSENT) == 3
        assert relay.sent._heard is not None
        assert relay.sent._heard.empty()
        confirming.go.set()
        await sent_in_all(relay, 3)


async def test_events_of_a_subject_keep_their_order_over_many_batches(
    owner: Connection, acme: int, relay: Relay, edge: Ears
) -> None:
    number = 3 * BATCH + 7
    async with owner.transaction():
        await add_events(owner, acme, number)
    async with running(relay):
        await sent_in_all(relay, number)
    sequences = [int(str(event["sequence"])) for _, _, event in edge.take_all("consumer.test")]
    assert sequences == list(range(1, number + 1))


async def test_a_command_without_a_queue_stays_unsent_and_goes_out_once_there_is_one(
    owner: Connection, acme: int, relay: Relay, internal: Ears
) -> None:
    internal.channel.queue_delete("download")
    await add_commands(owner, acme)
    await add_events(owner, acme)
    async with running(relay):
        await sent_in_all(relay, 1)  # the event is not held up
        for _ in range(2):
            ((_, why),) = (await relay.refused.next()).items()
            assert "NO_ROUTE" in why
        assert await count(owner, UNSENT) == 1
        internal.channel.queue_declare("download", durable=True)
        await sent_in_all(relay, 1)
    assert len(internal.take_all("download")) == 1


async def test_a_row_that_cannot_be_written_does_not_stop_the_others(
    owner: Connection, acme: int, relay: Relay, internal: Ears
) -> None:
    await add_commands(owner, acme, 3)
    await owner.execute("""UPDATE outbox SET name = 'no_such_actor' WHERE payload->>'slice' = '0'""")
    await owner.execute("""UPDATE outbox SET payload = '{"slice": "x"}' WHERE payload->>'slice' = '1'""")
    for number, wrong in enumerate(("name = 'NoSuchEvent'", "payload = '[1]'", "sequence = -1")):
        await add_events(owner, acme, subject=f"profile/{number}")
        await owner.execute(f"UPDATE outbox SET {wrong} WHERE subject = 'profile/{number}'".encode())
    async with running(relay):
        await sent_in_all(relay, 1)
        refused = await relay.refused.next()
    assert [why.startswith("it cannot be written") for why in refused.values()] == [True] * 5
    assert [command["kwargs"]["slice"] for _, _, command in internal.take_all("download")] == [2]


async def test_a_late_commit_with_a_low_id_is_sent(
    database: Database, owner: Connection, acme: int, relay: Relay, internal: Ears
) -> None:
    async with running(relay), open_connection(database.owner_url) as slow:
        async with slow.transaction():
            await add_commands(slow, acme)
            await add_commands(owner, acme)
            await sent_in_all(relay, 1)
        await sent_in_all(relay, 1)
    assert len(internal.take_all("download")) == 2


async def test_one_sends_and_the_other_takes_over(
    database: Database, vhosts: Vhosts, owner: Connection, acme: int, internal: Ears
) -> None:
    first, second = relay_of(database, vhosts), relay_of(database, vhosts)
    async with running(second) as stop_second:
        stop_second.set()  # only to prepare its signals; it is started again below
    async with running(first) as stop_first:
        await first.leading.next()
        async with running(second):
            await add_commands(owner, acme, 5)
            await sent_in_all(first, 5)
            assert second.trouble.now in (None, "not connected yet")
            stop_first.set()
            await second.leading.next()
            await add_commands(owner, acme, 5)
            await sent_in_all(second, 5)
    assert len(internal.take_all("download")) == 10


async def test_it_comes_back_when_the_broker_cuts_it_off(
    vhosts: Vhosts, owner: Connection, acme: int, relay: Relay, internal: Ears
) -> None:
    async with running(relay):
        await relay.leading.next()
        # The broker lists a connection a moment after it was made.
        assert await eventually(lambda: asyncio.to_thread(vhosts.rabbitmq.close_connections, vhosts.edge))
        await relay.leading.next()
        await add_commands(owner, acme)
        await sent_in_all(relay, 1)
    assert len(internal.take_all("download")) == 1


async def test_it_comes_back_when_the_database_cuts_it_off(
    database: Database, owner: Connection, acme: int, relay: Relay, internal: Ears
) -> None:
    async with running(relay):
        await relay.leading.next()
        async with open_connection(database.admin_url) as admin:
            await admin.execute(
                """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE usename = 'seatkeeper_relay' AND datname = current_database()"""
            )
        await relay.leading.next()
        await add_commands(owner, acme)
        await sent_in_all(relay, 1)
    assert len(internal.take_all("download")) == 1


async def test_a_cut_before_the_confirms_loses_nothing_and_repeats_under_the_same_id(
    database: Database, vhosts: Vhosts, owner: Connection, acme: int, internal: Ears
) -> None:
    with Proxy(vhosts.internal_url("relay")) as proxy:
        relay = relay_of(database, vhosts, through=proxy.through)
        async with running(relay):
            await relay.leading.next()
            proxy.cut_after(30)  # bytes of confirms: a few are heard of, the rest is cut off
            await add_commands_at_once(owner, acme, 300)
            await sent_in_all(relay, 300)
    received = [properties.message_id for _, properties, _ in internal.take_all("download")]
    assert len(set(received)) == 300
    assert await count(owner, UNSENT) == 0


async def add_commands_at_once(owner: Connection, acme: int, number: int) -> None:
    async with owner.transaction():
        await add_commands(owner, acme, number)


async def test_it_holds_no_transaction_while_it_waits(database: Database, owner: Connection, relay: Relay) -> None:
    async with running(relay):
        await relay.leading.next()
        async with open_connection(database.admin_url) as admin:

            async def at_rest() -> bool:
                cursor = await admin.execute(
                    """SELECT state, backend_xmin IS NULL FROM pg_stat_activity
                        WHERE usename = 'seatkeeper_relay' AND datname = current_database()"""
                )
                return await cursor.fetchall() == [("idle", True)] * 3

            assert await eventually(at_rest)
