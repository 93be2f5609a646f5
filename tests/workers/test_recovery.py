"""Removals without an answer: read back twice after their time, settled or parked, and never called again."""

from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.asana import Running
from tests.conftest import Database
from tests.workers.actor_stage import organization
from tests.workers.reclaim_stage import MEMBERSHIPS, REMOVE, reclaim_stage

pytestmark = [pytest.mark.anyio, pytest.mark.services]

READS = f"GET {MEMBERSHIPS}"


@pytest.fixture
def asana() -> Iterator[Running]:
    with organization(people=80) as lookalike:
        yield lookalike


AFTER_EFFECT: dict[str, dict[str, Any]] = {
    "the connection closed": {"kind": "lost"},
    "half an answer": {"kind": "cut"},
    "500": {"kind": "answer", "status": 500, "after_effect": True},
    "502 with a web page": {"kind": "html", "status": 502, "after_effect": True},
    "a web page": {"kind": "html", "after_effect": True},
    "another answer": {"kind": "answer", "status": 200, "body": '{"data":{"gid":"1"}}', "after_effect": True},
    "404 in another form": {"kind": "answer", "status": 404, "body": "not found", "after_effect": True},
}


@pytest.mark.parametrize("how", AFTER_EFFECT.values(), ids=AFTER_EFFECT)
async def test_a_removal_whose_answer_was_lost_is_read_back_as_done_and_the_run_goes_on(
    how: dict[str, Any], asana: Running, database: Database
) -> None:
    async with reclaim_stage(asana, database) as plan:
        await plan.lose_the_first_answer(**how)
        lost, *others = plan.people
        assert len(asana.removals.calls) == 1, "nobody else is called while one is unknown"
        asana.requests.reset()
        assert await plan.recover() == 1
        removal = (await plan.removals())[lost]
        assert (removal["state"], removal["recovered"]) == ("done", True)
        assert await plan.outcomes() == dict.fromkeys(plan.people, "reclaimed")
        assert await plan.why(lost) == "no answer came; read twice afterwards: gone"
        assert asana.requests.by_route[READS] == 2 + 2 * len(others), "two readings, then a look and a reading each"
        assert (await plan.stage.candidates())[lost][0] == "closed_complete"
        (run,) = await plan.stage.rows("SELECT state, counts FROM run WHERE kind = 'reclaim' AND plan_hash IS NOT NULL")
        assert run == {"state": "finished", "counts": {"reclaimed": 3}}
        assert len(await plan.stage.events("SubscriptionReclaimed")) == 3
        await plan.assert_both_ledgers_agree()


BEFORE_EFFECT: dict[str, dict[str, Any]] = {
    "500": {"kind": "answer", "status": 500},
    "the connection closed": {"kind": "close"},
    "502 with a web page": {"kind": "html", "status": 502},
    "200 without effect": {"kind": "answer", "status": 200, "body": '{"data":{}}'},
}


@pytest.mark.parametrize("how", BEFORE_EFFECT.values(), ids=BEFORE_EFFECT)
async def test_a_removal_that_did_nothing_is_parked_and_never_called_again(
    how: dict[str, Any], asana: Running, database: Database
) -> None:
    async with reclaim_stage(asana, database) as plan:
        await plan.lose_the_first_answer(**how)
        parked, *others = plan.people
        await plan.recover()
        assert await plan.outcomes() == {parked: "unknown", **dict.fromkeys(others, "reclaimed")}
        assert (await plan.removals())[parked]["state"] == "parked"
        assert (await plan.stage.candidates())[parked] == ("attention_required", "outcome_unknown")
        (event,) = await plan.stage.events("ReclaimFailed")
        assert (event["user_gid"], event["outcome"]) == (parked, "unknown")
        assert event["reason"] == "no answer came; read twice afterwards: still there, outcome unknown"
        for _ in range(3):
            plan.stage.later(days=1)
            await plan.stage.run("cycle")
        assert await plan.recover() == 0
        assert (await plan.stage.candidates())[parked] == ("attention_required", "outcome_unknown")
        assert len(plan.calls_for(parked)) == 1
        await plan.assert_both_ledgers_agree()


async def test_a_person_who_was_put_back_meanwhile_is_parked(asana: Running, database: Database) -> None:
    async with reclaim_stage(asana, database, people=1) as plan:
        await plan.lose_the_first_answer()
        asana.changes.rejoin(plan.people[0])
        await plan.recover()
        assert await plan.outcomes() == dict.fromkeys(plan.people, "unknown")
        assert asana.look.membership_of(plan.people[0]) is not None
        assert len(asana.removals.calls) == 1


async def test_a_removal_that_is_shown_inactive_is_done(asana: Running, database: Database) -> None:
    asana.look.removed_stay_listed = True
    async with reclaim_stage(asana, database, people=2) as plan:
        await plan.lose_the_first_answer()
        await plan.recover()
        assert await plan.outcomes() == dict.fromkeys(plan.people, "reclaimed")


async def test_nothing_is_read_before_its_time(asana: Running, database: Database) -> None:
    async with reclaim_stage(asana, database, people=1) as plan:
        asana.faults.add("lost", route=REMOVE, times=1)
        command = await plan.first_command()
        await plan.stage.deliver(command)
        asana.requests.reset()
        for seconds in (0, 60, 9.999):
            plan.stage.later(seconds=seconds)
            await plan.stage.deliver(command)
        assert asana.requests.total == 0
        plan.stage.later(seconds=0.001)
        await plan.stage.deliver(command)
        assert asana.requests.by_route[READS] == 2
        assert await plan.outcomes() == dict.fromkeys(plan.people, "reclaimed")


async def test_two_readings_that_differ_settle_nothing_yet(asana: Running, database: Database) -> None:
    async with reclaim_stage(asana, database, people=1) as plan:
        await plan.lose_the_first_answer()

        def put_back(page: object) -> object:
            asana.changes.rejoin(plan.people[0])
            return page

        asana.faults.add("patch", route=MEMBERSHIPS, times=1, patch=put_back)
        await plan.recover()
        assert (await plan.removals())[plan.people[0]]["state"] == "calling"
        await plan.recover()
        assert await plan.outcomes() == dict.fromkeys(plan.people, "unknown")


@pytest.mark.parametrize(
    "how",
    [
        {"kind": "answer", "status": 403},
        {"kind": "answer", "status": 404},
        {"kind": "answer", "status": 500},
        {"kind": "html"},
        {"kind": "close"},
    ],
    ids=["403", "404", "500", "a web page", "closed"],
)
async def test_as_long_as_asana_does_not_say_the_removal_stays_unknown_and_is_asked_for_again(
    how: dict[str, Any], asana: Running, database: Database
) -> None:
    async with reclaim_stage(asana, database, people=2) as plan:
        await plan.lose_the_first_answer()
        fault = asana.faults.add(route=MEMBERSHIPS, query={"user": ".+"}, **how)
        assert await plan.recover() == 1
        assert plan.stage.errors == []
        assert (await plan.removals())[plan.people[0]]["state"] == "calling"
        asana.faults.remove(fault)
        assert await plan.recover() == 1
        assert await plan.outcomes() == dict.fromkeys(plan.people, "reclaimed")
        await plan.assert_both_ledgers_agree()


async def test_without_a_credential_the_removal_stays_unknown(asana: Running, database: Database) -> None:
    async with reclaim_stage(asana, database, people=1) as plan:
        await plan.lose_the_first_answer()
        await plan.stage.owner.execute("DELETE FROM credential")
        assert await plan.recover() == 1
        assert plan.stage.errors == []
        assert (await plan.removals())[plan.people[0]]["state"] == "calling"


async def test_the_reading_after_a_good_answer_that_fails_leaves_it_to_recovery(
    asana: Running, database: Database
) -> None:
    async with reclaim_stage(asana, database, people=1) as plan:
        gid = plan.people[0]
        asana.faults.add("answer", route=MEMBERSHIPS, query={"user": gid}, status=500, skip=1, times=1)
        await plan.stage.deliver(await plan.first_command())
        assert (await plan.removals())[gid]["state"] == "calling"
        await plan.recover()
        assert (await plan.removals())[gid]["recovered"] is True
        assert await plan.outcomes() == {gid: "reclaimed"}
