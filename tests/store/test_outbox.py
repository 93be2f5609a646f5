"""The outbox: nothing is skipped, nothing is seen before its time, and sequences have no gaps."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from messages.commands import Reconcile
from messages.events import ReclaimStopped
from store import outbox
from store.connect import Connection, open_connection
from tests.conftest import Database
from tests.eventually import eventually
from tests.rows import NOW, add_profile

pytestmark = [pytest.mark.anyio, pytest.mark.services]
STOPPED = ReclaimStopped(profile="acme", by="ann", why="audit")


def command() -> Reconcile:
    return Reconcile(run_id=uuid4(), slice=0, correlation_id=UUID(int=5))


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[Connection]:
    async with open_connection(database.owner_url) as connection:
        yield connection


@pytest.fixture
async def acme(owner: Connection) -> int:
    return await add_profile(owner)


async def say(connection: Connection, acme: int) -> int:
    return await outbox.say(
        connection, STOPPED, subject="profile/acme", profile_id=acme, correlation_id=UUID(int=5), now=NOW
    )


async def names(
    connection: Connection, *, limit: int = 100, now: datetime = NOW, but_not: Sequence[int] = ()
) -> list[int]:
    found = await outbox.unsent(connection, limit=limit, now=now, but_not=but_not)
    return [message.id for message in found]


async def test_a_transaction_that_commits_late_is_not_skipped(database: Database, owner: Connection, acme: int) -> None:
    async with open_connection(database.owner_url) as slow:
        async with slow.transaction():
            await outbox.add_command(slow, command(), profile_id=acme, now=NOW)
            await outbox.add_command(owner, command(), profile_id=acme, now=NOW)
            quick = await names(owner)
            await outbox.mark_sent(owner, quick, NOW)
        late = await names(owner)
    assert len(quick) == len(late) == 1
    assert late < quick, "the late one has the lower id"


async def test_what_is_rolled_back_is_never_said(owner: Connection, acme: int) -> None:
    async with owner.transaction(force_rollback=True):
        await say(owner, acme)
    assert await names(owner) == []
    assert await say(owner, acme) == 1, "no gap in the sequence either"


async def test_not_before_its_time(owner: Connection, acme: int) -> None:
    await outbox.add_command(owner, command(), profile_id=acme, now=NOW, not_before=NOW + timedelta(hours=1))
    assert await names(owner) == []
    assert len(await names(owner, now=NOW + timedelta(hours=1))) == 1
    assert await outbox.lag(owner, NOW) == (0, 0.0)
    assert await outbox.lag(owner, NOW + timedelta(hours=1, seconds=30)) == (1, 30.0), "its age counts from being due"


async def test_oldest_first_without_those_left_out_and_no_more_than_asked(owner: Connection, acme: int) -> None:
    for _ in range(5):
        await say(owner, acme)
    ids = await names(owner)
    assert ids == sorted(ids)
    assert await names(owner, limit=2, but_not=ids[:2]) == ids[2:4]


@pytest.mark.parametrize("already_sent", [0, 900])
async def test_it_is_read_from_its_own_index_whatever_the_planner_believes(
    database: Database, owner: Connection, acme: int, already_sent: int
) -> None:
    """Walking the rows that were sent would cost more with each that is."""
    await owner.execute(
        """INSERT INTO outbox (channel, name, profile_id, subject, sequence, payload, correlation_id, occurred_at,
                               sent_at)
           SELECT 'event', 'ReclaimStopped', %(acme)s, 'profile/acme', number, '{}', gen_random_uuid(), %(now)s,
                  CASE WHEN number <= %(sent)s THEN %(now)s::timestamptz END
             FROM generate_series(1, 1000) number""",
        {"acme": acme, "now": NOW, "sent": already_sent},
    )
    await owner.execute("ANALYZE outbox")
    async with open_connection(database.url("relay")) as relay:
        assert await outbox.lead(relay)
        plan = await relay.execute(f"EXPLAIN {outbox.UNSENT}", [NOW, [1, 2, 3], 100])
        lines = [str(line) for (line,) in await plan.fetchall()]
    assert any("Index Scan using outbox_unsent" in line for line in lines), "\n".join(lines)
    assert not any("Sort" in line for line in lines), "\n".join(lines)


async def test_sequences_of_a_subject_have_no_gaps_when_several_write(database: Database, acme: int) -> None:
    async def some() -> list[int]:
        async with open_connection(database.url("worker")) as connection:
            return [await say(connection, acme) for _ in range(20)]

    taken = [one for part in await asyncio.gather(*(some() for _ in range(4))) for one in part]
    assert sorted(taken) == list(range(1, 81))


async def test_one_relay_leads_until_its_connection_ends(database: Database) -> None:
    async with open_connection(database.url("relay")) as second:
        async with open_connection(database.url("relay")) as first:
            assert await outbox.lead(first)
            assert not await outbox.lead(second)
        assert await eventually(lambda: outbox.lead(second))


async def test_a_commit_wakes_whoever_listens(database: Database, owner: Connection, acme: int) -> None:
    async with (
        open_connection(database.url("relay")) as listening,
        contextlib.aclosing(outbox.added(listening)) as added,
        asyncio.timeout(5),
    ):
        await anext(added)
        await say(owner, acme)
        await anext(added)


async def test_the_relay_can_change_nothing_but_when_it_was_sent(
    database: Database, owner: Connection, acme: int
) -> None:
    await say(owner, acme)
    async with open_connection(database.url("relay")) as relay:
        await outbox.mark_sent(relay, await names(relay), NOW)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await relay.execute("UPDATE outbox SET payload = '{}'")
        for secret in (
            "access_token_sealed FROM credential",
            "client_secret_sealed FROM connection",
            "name FROM person",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await relay.execute(f"SELECT {secret}".encode())
    assert await names(owner) == []
