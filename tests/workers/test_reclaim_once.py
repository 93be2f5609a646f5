"""Nobody is called twice or too late: deliveries that come again, at once or after the end, and plans that overlap."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from messages.commands import ReclaimSubscription
from sandbox.asana import Running
from tests.conftest import Database
from tests.workers.actor_stage import organization
from tests.workers.reclaim_stage import REMOVE, Plan, fired, reclaim_stage
from workers import removing

pytestmark = [pytest.mark.anyio, pytest.mark.services]


@pytest.fixture
def asana() -> Iterator[Running]:
    with organization(people=80) as lookalike:
        yield lookalike


async def test_a_last_look_that_has_grown_old_is_not_acted_on(
    asana: Running, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with reclaim_stage(asana, database, people=1, call_window_seconds=0.000_001) as plan:
        run = await plan.carry_out()
        assert run.state == "failed"
        assert plan.stage.errors == ["RetryLater: the database was slow, so the last look is too old to act on"]
        assert (await plan.removals(), asana.removals.calls) == ({}, [])


async def test_a_process_that_slept_after_the_intent_wakes_too_late_to_call(
    asana: Running, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = removing._call

    async def asleep(piece: Any, asana: Any, person: Any, called: Any) -> Any:  # noqa: ANN401 - passed on
        await asyncio.sleep(0.7)
        return await call(piece, asana, person, called)

    monkeypatch.setattr(removing, "_call", asleep)
    async with reclaim_stage(asana, database, people=1, call_window_seconds=0.6) as plan:
        run = await plan.carry_out()
        assert (run.state, run.counts) == ("finished", {"refused": 1})
        assert "had passed" in await plan.why(plan.people[0])
        assert (await plan.stage.candidates())[plan.people[0]] == ("ready", "idle")
        assert (await plan.removals())[plan.people[0]]["state"] == "never_sent"
        assert asana.removals.calls == []


async def test_two_deliveries_of_one_removal_at_once_call_once(asana: Running, database: Database) -> None:
    async with reclaim_stage(asana, database, people=2) as plan:
        command = await plan.first_command()
        await asyncio.gather(*(plan.stage.deliver(command) for _ in range(4)))
        await plan.stage.play()
        assert plan.stage.errors == []
        assert await plan.outcomes() == dict.fromkeys(plan.people, "reclaimed")
        assert (await plan.read(command.run_id))[0] == "finished"
        await plan.assert_both_ledgers_agree()


async def test_a_delivery_that_comes_while_the_removal_is_called_does_nothing(
    asana: Running, database: Database
) -> None:
    async with reclaim_stage(asana, database, people=2) as plan:
        command = await plan.first_command()
        slow = asana.faults.add("slow", route=REMOVE, delay=0.5, times=1)
        first = asyncio.create_task(plan.stage.deliver(command))
        await fired(slow)
        before = asana.requests.total
        await plan.stage.deliver(command)
        assert (asana.requests.total, await plan.stage.take()) == (before, None)
        await first
        await plan.stage.play()
        assert await plan.outcomes() == dict.fromkeys(plan.people, "reclaimed")
        await plan.assert_both_ledgers_agree()


async def test_a_delivery_after_the_settlement_goes_on_with_the_next_person(asana: Running, database: Database) -> None:
    """What a worker that was killed between the settlement and the next command leaves behind."""
    async with reclaim_stage(asana, database, people=2) as plan:
        command = await plan.first_command()
        await plan.stage.attempt(command)
        await plan.stage.owner.execute("UPDATE outbox SET sent_at = now() WHERE channel = 'command'")
        await plan.stage.owner.execute("UPDATE run SET slice = slice - 1 WHERE state = 'running'")
        await plan.stage.deliver(command)
        await plan.stage.play()
        assert await plan.outcomes() == dict.fromkeys(plan.people, "reclaimed")
        await plan.assert_both_ledgers_agree()


async def test_the_command_of_a_run_that_ended_removes_nobody(asana: Running, database: Database) -> None:
    async with reclaim_stage(asana, database, people=1) as plan:
        command = await plan.first_command()
        await plan.stage.owner.execute(
            "UPDATE run SET state = 'failed', ended_at = now(), reason = 'x' WHERE state = 'running'"
        )
        await plan.stage.deliver(command)
        assert asana.removals.calls == []


async def test_a_command_for_somebody_who_is_not_in_the_plan_fails_the_run(asana: Running, database: Database) -> None:
    async with reclaim_stage(asana, database, people=1) as plan:
        command = await plan.first_command()
        stranger = await plan.stage.count(
            f"SELECT id FROM subscription WHERE user_gid <> '{plan.people[0]}' ORDER BY id LIMIT 1"
        )
        assert isinstance(command, ReclaimSubscription)
        await plan.stage.deliver(command.model_copy(update={"subscription_id": stranger}))
        assert "is not in the plan" in (await plan.read(command.run_id))[1]
        assert asana.removals.calls == []


async def test_two_plans_that_name_the_same_person_remove_them_once(asana: Running, database: Database) -> None:
    async with reclaim_stage(asana, database, people=1) as plan:
        await plan.stage.owner.execute(
            """INSERT INTO plan SELECT repeat('e', 64), profile_id, content, made_by, made_at, expires_at, due_at,
                      approved_by, approved_role, approved_at FROM plan"""
        )
        await plan.stage.owner.execute(
            """INSERT INTO plan_item (profile_id, plan_hash, position, subscription_id, candidate_id, user_gid,
                                      membership_gid, joined_at)
               SELECT profile_id, repeat('e', 64), position, subscription_id, candidate_id, user_gid, membership_gid,
                      joined_at FROM plan_item"""
        )
        await plan.carry_out()
        other = Plan(plan.stage, "e" * 64, plan.people)
        await other.carry_out()
        assert await other.outcomes() == {plan.people[0]: "kept"}
        assert len(asana.removals.calls) == 1
