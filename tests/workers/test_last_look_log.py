"""The last look where the rule stands on the audit log: the log is read on from where the pull ended."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from sandbox.asana import Running
from tests.conftest import Database
from tests.workers.actor_stage import KEY, actor_stage, organization
from tests.workers.reclaim_stage import Plan
from tests.workers.test_stream_of_asana import LOG, connect_service_account

pytestmark = [pytest.mark.anyio, pytest.mark.services]


@pytest.fixture
def asana() -> Iterator[Running]:
    with organization(people=80) as lookalike:
        lookalike.look.plan = "enterprise"
        yield lookalike


@asynccontextmanager
async def planned(asana: Running, database: Database, people: int) -> AsyncIterator[Plan]:
    async with actor_stage(asana, database, "enterprise", "acme", KEY) as stage:
        await connect_service_account(stage)
        await stage.owner.execute("UPDATE reclamation_rule SET evidence = 'any_use'")
        await stage.run("cycle")
        plan_hash = await stage.approved_plan(limit=people)
        rows = await stage.rows(f"SELECT user_gid FROM plan_item WHERE plan_hash = '{plan_hash}' ORDER BY position")
        stage.later(minutes=30)
        yield Plan(stage, plan_hash, [str(row["user_gid"]) for row in rows])


async def test_who_logged_in_since_is_kept_and_who_did_not_is_removed(asana: Running, database: Database) -> None:
    async with planned(asana, database, people=2) as plan:
        back, idle = plan.people
        asana.changes.log(back, at=plan.stage.now)
        before = await plan.stage.rows("SELECT * FROM activity_stream")
        await plan.carry_out()
        assert await plan.outcomes() == {back: "kept", idle: "reclaimed"}
        assert "was active" in await plan.why(back)
        assert await plan.stage.rows("SELECT * FROM activity_stream") == before


async def test_a_log_that_does_not_tell_keeps_the_person(asana: Running, database: Database) -> None:
    async with planned(asana, database, people=1) as plan:
        asana.faults.add("answer", route=LOG, status=403)
        await plan.carry_out()
        assert await plan.outcomes() == {plan.people[0]: "kept"}
        assert "would not say" in await plan.why(plan.people[0])
