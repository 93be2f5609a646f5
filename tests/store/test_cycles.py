"""Cycles: each end of a step moves the day on, once, whatever comes twice or late."""

import asyncio
import random
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from messages.commands import COMMAND_OF
from messages.kinds import STEP_KINDS, RunKind, StepKind
from store import cycles, endings, outbox, runs, slices
from store.connect import Connection, open_connection
from store.runs import Order, Run
from tests.conftest import Database
from tests.rows import NOW, add_profile, count
from tests.store.run_stage import LATER, command_of, order, said, seen, take, taken

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


async def steps(connection: Connection, cycle: UUID) -> dict[RunKind, Run]:
    return {run.kind: run for run in await runs.steps_of(connection, cycle)}


async def end_step(connection: Connection, cycle: UUID, kind: StepKind, *, well: bool = True) -> None:
    run = await taken(connection, command_of((await steps(connection, cycle))[kind].id, kind))
    async with connection.transaction():
        if well:
            await endings.finish(connection, run, counts={}, now=LATER)
        else:
            await endings.fail(connection, run, counts={}, reason="Asana is away", now=LATER)


async def test_a_cycle_carries_its_steps_to_the_end_under_one_correlation_id(
    owner: Connection, worker: Connection, acme: int
) -> None:
    cycle = await order(owner, acme, "cycle")
    assert set(await steps(owner, cycle)) == {"download"}
    for kind in STEP_KINDS:
        await end_step(worker, cycle, kind)
    ended = await seen(owner, cycle)
    assert (ended.state, ended.counts) == ("finished", {"finished": 5})
    assert {run.correlation_id for run in (await steps(owner, cycle)).values()} == {ended.correlation_id}
    assert await said(owner, cycle) == ["RunStarted", "RunFinished"]


async def test_nothing_follows_a_failed_download_and_the_cycle_says_why(
    owner: Connection, worker: Connection, acme: int
) -> None:
    cycle = await order(owner, acme, "cycle")
    await end_step(worker, cycle, "download", well=False)
    day = await steps(owner, cycle)
    assert {kind: run.state for kind, run in day.items()} == {
        "download": "failed",
        **dict.fromkeys(("activity", "candidates", "reclaim", "reconcile"), "not_run"),
    }
    assert day["candidates"].reason == "not run: activity was not run"
    ended = await seen(owner, cycle)
    assert (ended.state, ended.reason) == ("failed", "download: Asana is away")
    assert await count(owner, "outbox WHERE channel = 'command'") == 1, "nothing but the download was ordered"
    assert await count(owner, f"run WHERE cycle_id = '{cycle}'") == 5


async def test_steps_that_end_at_the_same_time_end_the_cycle_once(
    database: Database, owner: Connection, acme: int
) -> None:
    async with open_connection(database.url("worker")) as one, open_connection(database.url("worker")) as other:
        for _ in range(10):
            cycle = await order(owner, acme, "cycle")
            await end_step(one, cycle, "download")
            await end_step(one, cycle, "activity")
            await end_step(one, cycle, "candidates")
            await asyncio.gather(end_step(one, cycle, "reclaim"), end_step(other, cycle, "reconcile"))
            assert (await seen(owner, cycle)).state == "finished"
            assert await said(owner, cycle) == ["RunStarted", "RunFinished"]


async def test_a_second_cycle_is_coalesced_and_orders_nothing(owner: Connection, acme: int) -> None:
    first, second = await order(owner, acme, "cycle"), await order(owner, acme, "cycle")
    assert (await seen(owner, second)).coalesced_into == first
    assert await steps(owner, second) == {}


async def test_a_step_that_was_under_way_outside_makes_its_followers_not_run(
    owner: Connection, worker: Connection, acme: int
) -> None:
    alone = await order(owner, acme)
    await taken(worker, command_of(alone))
    cycle = await order(owner, acme, "cycle")
    assert await take(worker, command_of((await steps(owner, cycle))["download"].id)) is None
    day = await steps(owner, cycle)
    assert day["activity"].reason == "not run: download was already under way outside of this cycle"
    assert (await seen(owner, cycle)).state == "failed"


async def test_two_schedulers_start_a_waiting_cycle_once(database: Database, owner: Connection, acme: int) -> None:
    waiting = Order(profile_id=acme, kind="cycle", requested_by="ann", not_before=LATER)
    cycle = await cycles.add(owner, waiting, NOW)
    assert await cycles.start_due_cycles(owner, NOW) == 0

    async def start() -> None:
        async with open_connection(database.url("scheduler")) as connection:
            await cycles.start_due_cycles(connection, LATER)

    await asyncio.gather(*(start() for _ in range(4)))
    assert await said(owner, cycle) == ["RunStarted"]
    assert await count(owner, "outbox WHERE name = 'download_subscriptions'") == 1


async def test_whatever_comes_twice_or_late_each_run_has_one_beginning_and_one_end(
    owner: Connection, worker: Connection, acme: int, seed: int
) -> None:
    """Deliver every command of some cycles at random, repeated and out of order, until nothing is left to do."""
    dice = random.Random(seed)
    cycle_ids = [await order(owner, acme, "cycle") for _ in range(3)]
    for _ in range(400):
        sent = [one for one in await outbox.unsent(owner, limit=999, now=LATER) if one.channel == "command"]
        payload = dice.choice(sent).payload
        run = await runs.get(owner, UUID(str(payload["run_id"])))
        assert run is not None
        assert run.kind != "cycle"
        mine = await take(worker, COMMAND_OF[run.kind].model_validate(payload))
        if mine is None or dice.random() < 0.2:
            continue  # dropped, or its worker was killed
        async with worker.transaction():
            if dice.random() < 0.3:
                following = command_of(mine.id, run.kind, mine.slice + 1)
                await slices.hand_on(worker, mine, following, LATER)
            else:
                await endings.finish(worker, mine, counts={}, now=LATER)
        if await count(owner, "run WHERE ended_at IS NULL") == 0:
            break
    assert [(await seen(owner, one)).state for one in cycle_ids] == ["finished", "coalesced", "coalesced"]
    for run in await runs.recent(owner, profile="acme", limit=99):
        begun_and_ended = ["RunFinished"] if run.state == "coalesced" else ["RunStarted", "RunFinished"]
        assert await said(owner, run.id) == begun_and_ended
