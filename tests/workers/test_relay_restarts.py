"""The relay over a broker and a database that are killed in the middle, with everything that was promised kept."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest

from sandbox.proxy import Proxy
from sandbox.services import Services
from store.connect import Connection, open_connection
from tests.conftest import OWNER, PROCESSES, SCHEMA, Database, Vhosts
from tests.rows import add_profile, count
from tests.workers.relay_stage import Ears, add_commands, relay_of, running
from workers.relay import Relay

pytestmark = [pytest.mark.anyio, pytest.mark.services]
NUMBER = 4000


@pytest.fixture(scope="module")
def database(breakable_services: Services) -> Iterator[Database]:
    """A database on the server that may be killed."""
    postgres, name = breakable_services.postgres, f"test_{secrets.token_hex(6)}"
    postgres.make_owner(OWNER)
    postgres.create_database(name, owner=OWNER)
    with postgres.changing_roles(), psycopg.connect(postgres.url(OWNER, name), autocommit=True) as connection:
        connection.execute(SCHEMA.read_bytes())
    postgres.set_passwords(*(f"seatkeeper_{process}" for process in PROCESSES))
    yield Database(name, postgres)
    postgres.drop_database(name)


@pytest.fixture
def vhosts(breakable_services: Services) -> Iterator[Vhosts]:
    rabbitmq, prefix = breakable_services.rabbitmq, f"test-{secrets.token_hex(6)}-"
    yield Vhosts(*rabbitmq.make_vhosts(prefix), rabbitmq)
    rabbitmq.delete_vhosts(prefix)


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[Connection]:
    async with open_connection(database.owner_url) as connection:
        yield connection


async def some_sent(relay: Relay, number: int) -> None:
    total = 0
    while total < number:
        total += await relay.sent.next(60)


def ids_in(vhosts: Vhosts) -> list[str]:
    ears = Ears(vhosts, vhosts.internal)
    try:
        return [properties.message_id for _, properties, _ in ears.take_all("download")]
    finally:
        ears.close()


async def test_a_broker_killed_in_the_middle_costs_no_message(
    database: Database, vhosts: Vhosts, owner: Connection
) -> None:
    acme = await add_profile(owner, "broker")
    async with owner.transaction():
        await add_commands(owner, acme, NUMBER)
    with Proxy(vhosts.internal_url("relay")) as proxy:
        relay = relay_of(database, vhosts, through=proxy.through)
        async with running(relay):
            await some_sent(relay, 500)
            proxy.go_deaf()  # what is published now is on its way when the broker dies
            await asyncio.sleep(0.5)  # time enough for a relay that does not wait for confirms
            await asyncio.to_thread(vhosts.rabbitmq.kill)
            left = await count(owner, "outbox WHERE sent_at IS NULL")
            proxy.hear()
            await asyncio.to_thread(vhosts.rabbitmq.start)
            await some_sent(relay, left)
    assert 0 < left < NUMBER, "it was killed in the middle"
    assert len(set(await asyncio.to_thread(ids_in, vhosts))) == NUMBER
    assert await count(owner, "outbox WHERE sent_at IS NULL") == 0


async def test_a_database_killed_in_the_middle_costs_no_message(database: Database, vhosts: Vhosts) -> None:
    async with open_connection(database.owner_url) as owner:
        acme = await add_profile(owner, "database")
        async with owner.transaction():
            await add_commands(owner, acme, NUMBER)
    relay = relay_of(database, vhosts)
    async with running(relay):
        await some_sent(relay, 500)
        await asyncio.to_thread(database.postgres.kill)
        await asyncio.to_thread(database.postgres.start)
        async with open_connection(database.owner_url) as owner:
            left = await count(owner, "outbox WHERE sent_at IS NULL")
            while await count(owner, "outbox WHERE sent_at IS NULL"):
                await relay.sent.next(60)
    assert 0 < left < NUMBER, "it was killed in the middle"
    assert len(set(await asyncio.to_thread(ids_in, vhosts))) == NUMBER
