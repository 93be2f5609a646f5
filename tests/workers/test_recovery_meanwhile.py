"""What happens beside a removal whose outcome is unknown: other runs, downloads, crashes, and recovery itself twice."""

from collections.abc import Iterator

import pytest

from messages.commands import ReclaimSubscription
from sandbox.asana import Running
from tests.conftest import Database
from tests.workers.actor_stage import organization
from tests.workers.reclaim_stage import REMOVE, reclaim_stage
from workers import reclaim, removing

pytestmark = [pytest.mark.anyio, pytest.mark.services]


@pytest.fixture
def asana() -> Iterator[Running]:
    with organization(people=80) as lookalike:
        yield lookalike


async def test_a_run_that_was_given_up_while_a_removal_was_called_has_it_settled_all_the_same(
    asana: Running, database: Database
) -> None:
    async with reclaim_stage(asana, database) as plan:
        await plan.lose_the_first_answer()
        await plan.stage.owner.execute(
            "UPDATE run SET state = 'failed', ended_at = now(), reason = 'given up' WHERE state = 'running'"
        )
        await plan.recover()
        lost, *others = plan.people
        assert await plan.outcomes() == {lost: "reclaimed", **dict.fromkeys(others)}
        assert len(asana.removals.calls) == 1, "a run that has ended calls for nobody else"
        plan.stage.later(minutes=1)
        run = await plan.carry_out()
        assert (run.state, run.counts) == ("finished", {"reclaimed": 3})
        await plan.assert_both_ledgers_agree()


async def test_no_other_removal_starts_while_one_is_unknown(asana: Running, database: Database) -> None:
    """Not by a new run of the same plan, and not by the day's cycle."""
    async with reclaim_stage(asana, database) as plan:
        await plan.lose_the_first_answer()
        await plan.stage.owner.execute(
            "UPDATE run SET state = 'failed', ended_at = now(), reason = 'given up' WHERE state = 'running'"
        )
        run = await plan.carry_out()
        assert (run.state, "is not known yet" in (run.reason or "")) == ("failed", True)
        steps = await plan.stage.steps(await plan.stage.run("cycle"))
        assert (steps["reclaim"].state, "held back: " in (steps["reclaim"].reason or "")) == ("finished", True)
        assert len(asana.removals.calls) == 1
        assert await plan.outcomes() == dict.fromkeys(plan.people)


async def test_a_download_that_finds_the_person_missing_first_does_not_confuse_the_settlement(
    asana: Running, database: Database
) -> None:
    async with reclaim_stage(asana, database, people=2) as plan:
        await plan.lose_the_first_answer()
        lost = plan.people[0]
        plan.stage.later(seconds=5)
        await plan.stage.run("download")
        await plan.stage.run("activity")
        await plan.stage.run("candidates")
        assert (await plan.stage.candidates())[lost][0] == "awaiting_revocation"
        await plan.recover()
        known = (await plan.stage.subscriptions())[lost]
        assert (known["state"], known["gone_because"]) == ("gone", "reclaimed")
        assert (await plan.stage.candidates())[lost][0] == "closed_complete"
        assert await plan.outcomes() == dict.fromkeys(plan.people, "reclaimed")


async def test_a_crash_after_the_intent_and_before_the_call_is_parked(
    asana: Running, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    async def killed(*_: object) -> None:
        raise Killed

    async with reclaim_stage(asana, database, people=2) as plan:
        command = await plan.first_command()
        with monkeypatch.context() as patched:
            patched.setattr(removing, "_call", killed)
            with pytest.raises(Killed):
                await plan.stage.attempt(command)
        await plan.stage.deliver(command)
        assert asana.removals.calls == []
        await plan.recover()
        first, second = plan.people
        assert await plan.outcomes() == {first: "unknown", second: "reclaimed"}
        assert plan.calls_for(first) == []


async def test_a_delivery_that_looked_before_the_intent_was_written_leaves_the_removal_to_recovery(
    asana: Running, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def looked_too_early(*_: object) -> None:
        return None

    async with reclaim_stage(asana, database, people=2) as plan:
        asana.faults.add("lost", route=REMOVE, times=1)
        command = await plan.first_command()
        await plan.stage.deliver(command)
        with monkeypatch.context() as patched:
            patched.setattr(reclaim, "_unanswered", looked_too_early)
            await plan.stage.deliver(command)
        assert await plan.outcomes() == dict.fromkeys(plan.people)
        assert await plan.read(command.run_id) == ("running", "")
        await plan.recover()
        assert await plan.outcomes() == dict.fromkeys(plan.people, "reclaimed")
        await plan.assert_both_ledgers_agree()


async def test_a_parked_person_who_works_again_is_let_go(asana: Running, database: Database) -> None:
    async with reclaim_stage(asana, database, people=1) as plan:
        await plan.lose_the_first_answer("answer", status=500)
        await plan.recover()
        plan.stage.later(days=1)
        asana.changes.act(plan.people[0])
        await plan.stage.run("cycle")
        assert (await plan.stage.candidates())[plan.people[0]] == ("closed_canceled", "active")


async def test_recovery_that_is_asked_for_twice_settles_once(asana: Running, database: Database) -> None:
    async with reclaim_stage(asana, database, people=2) as plan:
        await plan.lose_the_first_answer()
        plan.stage.later(seconds=75)
        rows = await plan.stage.rows(
            "SELECT payload FROM outbox WHERE name = 'reclaim_subscription' ORDER BY id LIMIT 1"
        )
        command = ReclaimSubscription.model_validate(rows[0]["payload"])
        for _ in range(3):
            await plan.stage.deliver(command)
        await plan.stage.play()
        assert await plan.outcomes() == dict.fromkeys(plan.people, "reclaimed")
        assert len(await plan.stage.events("SubscriptionReclaimed")) == 2
        await plan.assert_both_ledgers_agree()
