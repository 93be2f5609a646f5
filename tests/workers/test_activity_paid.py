"""The sources of a paid plan over the look-alike's search: what is true for both, and what refusals leave open."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from sandbox.asana import Running
from tests.conftest import Database
from tests.workers.actor_stage import LOOK_BACK, THRESHOLD, Stage, actor_stage, organization
from tests.workers.test_day import model, seats

pytestmark = [pytest.mark.anyio, pytest.mark.services]

TASKS, SEARCH = "GET /tasks", "GET /workspaces/{workspace_gid}/tasks/search"


@pytest.fixture
def asana() -> Iterator[Running]:
    with organization(people=150) as lookalike:
        yield lookalike


def expected(stage: Stage, first_day: datetime) -> dict[str, str]:
    """The rule over what both task sources could see since the first day."""
    truth, idle_since, found = stage.asana.truth(first_day - LOOK_BACK), stage.now - THRESHOLD, {}
    for gid, seat in seats(stage.asana).items():
        one = truth[gid]
        acts = [act.at for act in (one.seen_by_tasks, one.seen_by_search) if act is not None]
        if model(seat) != "member" or seat.is_admin or gid == stage.us.gid or seat.created_at > idle_since:
            continue
        if not acts or max(acts) < idle_since:
            found[gid] = "ready" if acts else "attention_required"
    return found


async def open_candidates(stage: Stage) -> dict[str, str]:
    return {gid: state for gid, (state, _) in (await stage.candidates()).items() if not state.startswith("closed")}


async def test_every_day_finds_what_both_sources_could_see_with_few_requests(
    asana: Running, database: Database
) -> None:
    async with actor_stage(asana, database, plan="advanced") as stage:
        first_day = stage.now
        await stage.run("cycle")
        assert await open_candidates(stage) == expected(stage, first_day)
        everybody = asana.requests.by_route[TASKS]
        for day in range(4):
            asana.requests.reset()
            stage.later(days=2)
            somebody = sorted(await open_candidates(stage))[day]
            asana.changes.act(somebody, at=stage.now - timedelta(hours=2))
            steps = await stage.steps(await stage.run("cycle"))
            assert steps["activity"].state == "finished"
            assert await open_candidates(stage) == expected(stage, first_day)
            assert (await stage.candidates())[somebody] == ("closed_canceled", "active")
            assert steps["activity"].counts["watched"] > 0
            assert asana.requests.by_route[TASKS] < everybody / 5


async def test_a_comment_on_the_task_of_somebody_else_is_seen_on_the_next_day(
    asana: Running, database: Database
) -> None:
    async with actor_stage(asana, database, plan="advanced") as stage:
        await stage.run("cycle")
        chosen = next(gid for gid, state in (await open_candidates(stage)).items() if state == "ready")
        company = asana.organization.people.values()
        task = next(one for person in company for one in person.assigned.values() if not one.is_private)
        stage.later(days=1)
        asana.changes.act(chosen, task=task.gid, at=stage.now - timedelta(hours=2))
        await stage.run("cycle")
        assert (await stage.candidates())[chosen] == ("closed_canceled", "active")


async def test_a_free_organization_that_was_published_as_a_paid_one_has_no_candidates(
    asana: Running, database: Database
) -> None:
    """402 to every search: unknown, and unknown means keep."""
    asana.look.plan = "free"
    async with actor_stage(asana, database, plan="advanced") as stage:
        steps = await stage.steps(await stage.run("cycle"))
        assert (steps["activity"].state, steps["candidates"].state) == ("failed", "not_run")
        assert "answer 402" in (steps["activity"].reason or "")
        assert await stage.candidates() == {}


async def test_a_search_that_is_refused_later_changes_no_candidate(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database, plan="advanced") as stage:
        await stage.run("cycle")
        found = await stage.candidates()
        asana.look.plan = "free"
        stage.later(days=1)
        steps = await stage.steps(await stage.run("cycle"))
        assert (steps["activity"].state, steps["candidates"].state) == ("failed", "not_run")
        assert await stage.candidates() == found


async def test_one_person_whom_the_search_refuses_is_kept_and_the_others_are_judged(
    asana: Running, database: Database
) -> None:
    async with actor_stage(asana, database, plan="advanced") as stage:
        odd, *others = [gid for gid, state in expected(stage, stage.now).items() if state == "ready"]
        asana.faults.add("answer", route=SEARCH.split()[1], query={"followers.any": odd}, status=403)
        steps = await stage.steps(await stage.run("cycle"))
        assert (steps["activity"].state, steps["activity"].counts["unknown"]) == ("finished", 1)
        found = await open_candidates(stage)
        assert odd not in found
        assert {found[gid] for gid in others} == {"ready"}
        (lost,) = await stage.events("CoverageLost")
        assert (lost["user_gid"], lost["source"]) == (odd, "search")
