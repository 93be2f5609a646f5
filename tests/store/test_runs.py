"""Runs: taken up slice by slice by one worker at a time, one of a kind at once, and each with one end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID, uuid4

import psycopg
import pytest

from messages.commands import Command
from store import endings, outbox, slices
from store.connect import Connection, open_connection
from store.endings import Fenced
from tests.conftest import Database
from tests.rows import add_profile, count
from tests.store.run_stage import LATER, command_of, finish, order, said, seen, take, taken

pytestmark = [pytest.mark.anyio, pytest.mark.services]


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[Connection]:
    async with open_connection(database.owner_url) as connection:
        yield connection


@pytest.fixture
async def worker(database: Database) -> AsyncIterator[Connection]:
    async with open_connection(database.url("worker")) as connection:
        yield connection


@pytest.fixture
async def acme(owner: Connection) -> int:
    return await add_profile(owner)


async def test_a_run_goes_from_queued_to_running_to_finished(owner: Connection, worker: Connection, acme: int) -> None:
    run_id = await order(owner, acme)
    assert (await seen(owner, run_id)).state == "queued"
    run = await taken(worker, command_of(run_id))
    assert (run.state, run.started_at, run.fence) == ("running", LATER, 1)
    await finish(worker, run)
    ended = await seen(owner, run_id)
    assert (ended.state, ended.ended_at, ended.counts, ended.reason) == ("finished", LATER, {"seats": 5}, None)
    assert await said(owner, run_id) == ["RunStarted", "RunFinished"]


async def test_slices_follow_one_another_and_a_repeat_is_dropped(
    owner: Connection, worker: Connection, acme: int
) -> None:
    run_id = await order(owner, acme)
    first, second = command_of(run_id), command_of(run_id, slice_number=1)
    assert await take(worker, second) is None, "ahead of the row"
    run = await taken(worker, first)
    async with worker.transaction():
        await slices.checkpoint(worker, run, cursor={"offset": "x"}, counts={"pages": 3}, now=LATER)
        await slices.hand_on(worker, run, second, LATER)
    assert await take(worker, first) is None, "behind the row"
    run = await taken(worker, second)
    assert (run.cursor, run.counts, run.slice) == ({"offset": "x"}, {"pages": 3}, 1)
    sent = [one for one in await outbox.unsent(owner, limit=9, now=LATER) if one.channel == "command"]
    assert [one.payload["slice"] for one in sent] == [0, 1]
    await finish(worker, run)
    assert await take(worker, second) is None, "it has ended"
    assert await said(owner, run_id) == ["RunStarted", "RunFinished"]


async def test_a_command_for_a_run_that_is_not_there_is_dropped(worker: Connection, acme: int) -> None:
    assert await take(worker, command_of(uuid4())) is None


async def test_an_older_worker_cannot_write(owner: Connection, worker: Connection, acme: int) -> None:
    run_id = await order(owner, acme)
    older = await taken(worker, command_of(run_id))
    newer = await taken(worker, command_of(run_id))
    assert newer.fence == older.fence + 1
    following = command_of(run_id, slice_number=1)
    writes: list[Callable[[], Awaitable[None]]] = [
        lambda: slices.checkpoint(worker, older, cursor={"offset": "old"}, counts={}, now=LATER),
        lambda: slices.hand_on(worker, older, following, LATER),
        lambda: endings.finish(worker, older, counts={}, now=LATER),
        lambda: endings.fail(worker, older, counts={}, reason="x", now=LATER),
    ]
    for write in writes:
        with pytest.raises(Fenced):
            await after_a_command(worker, acme, following, write)
    assert await count(owner, "outbox WHERE channel = 'command'") == 1, "what it wrote is rolled back"
    await finish(worker, newer)
    assert (await seen(owner, run_id)).state == "finished"


async def after_a_command(
    worker: Connection, acme: int, command: Command, write: Callable[[], Awaitable[None]]
) -> None:
    async with worker.transaction():
        await outbox.add_command(worker, command, profile_id=acme, now=LATER)
        await write()


async def test_workers_that_take_one_slice_at_once_leave_one_that_can_write(
    database: Database, owner: Connection, acme: int
) -> None:
    run_id = await order(owner, acme)

    async def work() -> bool:
        async with open_connection(database.url("worker")) as connection:
            run = await take(connection, command_of(run_id))
            if run is None:
                return False
            await asyncio.sleep(0.05)
            try:
                await finish(connection, run)
            except Fenced:
                return False
            return True

    assert sum(await asyncio.gather(*(work() for _ in range(6)))) == 1
    assert await said(owner, run_id) == ["RunStarted", "RunFinished"]


async def test_a_second_run_of_a_kind_ends_as_coalesced_and_points_to_the_first(
    owner: Connection, worker: Connection, acme: int
) -> None:
    first, second = await order(owner, acme), await order(owner, acme)
    other_kind, elsewhere = await order(owner, acme, "reconcile"), await order(owner, await add_profile(owner, "other"))
    run = await taken(worker, command_of(first))
    assert await take(worker, command_of(second)) is None
    ended = await seen(owner, second)
    assert (ended.state, ended.coalesced_into) == ("coalesced", first)
    assert ended.reason == "a download run of this profile is already under way"
    assert await said(owner, second) == ["RunFinished"]
    assert await take(worker, command_of(other_kind, "reconcile")) is not None
    assert await take(worker, command_of(elsewhere)) is not None
    await finish(worker, run)
    assert await take(worker, command_of(await order(owner, acme))) is not None


async def test_of_many_at_once_one_runs_and_the_others_point_to_it(
    database: Database, owner: Connection, acme: int
) -> None:
    ids = [await order(owner, acme) for _ in range(6)]

    async def work(run_id: UUID) -> UUID | None:
        async with open_connection(database.url("worker")) as connection:
            run = await take(connection, command_of(run_id))
            return None if run is None else run.id

    (active,) = [one for one in await asyncio.gather(*(work(run_id) for run_id in ids)) if one is not None]
    assert {(await seen(owner, one)).coalesced_into for one in ids if one != active} == {active}


async def test_a_run_of_an_unpublished_profile_fails(owner: Connection, worker: Connection, acme: int) -> None:
    run_id = await order(owner, acme)
    await owner.execute("UPDATE profile SET status = 'draft'")
    assert await take(worker, command_of(run_id)) is None
    ended = await seen(owner, run_id)
    assert (ended.state, ended.reason) == ("failed", "the profile is not published")
    assert await said(owner, run_id) == ["RunFailed"]


@pytest.mark.parametrize("begun", [False, True])
async def test_a_run_whose_message_died_fails(owner: Connection, worker: Connection, acme: int, *, begun: bool) -> None:
    run_id = await order(owner, acme)
    if begun:
        await taken(worker, command_of(run_id))
    async with worker.transaction():
        assert not await endings.give_up(worker, run_id, 1, "died", LATER), "another slice"
        assert await endings.give_up(worker, run_id, 0, "died", LATER)
        assert not await endings.give_up(worker, run_id, 0, "died", LATER), "it has ended"
    ended = await seen(owner, run_id)
    assert (ended.state, ended.reason) == ("failed", "died")
    assert (await said(owner, run_id))[-1:] == ["RunFailed"]


async def test_the_schema_refuses_impossible_runs(owner: Connection, worker: Connection, acme: int) -> None:
    run_id = await order(owner, acme)
    await taken(worker, command_of(run_id))
    for change in (
        "state = 'queued'",
        "state = 'finished'",
        "state = 'failed', ended_at = now()",
        "state = 'failed', ended_at = now(), reason = ''",
        "state = 'coalesced', ended_at = now(), reason = 'x'",
        "plan_hash = repeat('a', 64)",
        "lease_until = NULL",
    ):
        with pytest.raises(psycopg.errors.CheckViolation):
            await owner.execute(f"UPDATE run SET {change}".encode())
