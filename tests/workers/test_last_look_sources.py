"""The last look on a paid plan: the search is asked as well, whatever the tasks say; its silence keeps the person."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from rules.evidence import SEARCH
from sandbox.asana import Running
from tests.conftest import Database
from tests.workers.actor_stage import organization
from tests.workers.known_search import KnownSearch
from tests.workers.reclaim_stage import reclaim_stage
from workers import looking
from workers.last_look import PERMITS_FOR_A_SOURCE, SEARCHES, permits_for, searches_for

pytestmark = [pytest.mark.anyio, pytest.mark.services]


@pytest.fixture
def asana() -> Iterator[Running]:
    with organization(people=80) as lookalike:
        yield lookalike


@pytest.fixture
def search(asana: Running, monkeypatch: pytest.MonkeyPatch) -> KnownSearch:
    known = KnownSearch(asana)
    monkeypatch.setattr(looking, "search", known)
    return known


async def test_on_the_free_plan_nobody_searches(asana: Running, database: Database, search: KnownSearch) -> None:
    async with reclaim_stage(asana, database, people=1) as plan:
        await plan.carry_out()
        assert await plan.outcomes() == dict.fromkeys(plan.people, "reclaimed")
        assert search.looked == []


async def test_each_person_is_searched_for_right_before_the_call(
    asana: Running, database: Database, search: KnownSearch
) -> None:
    async with reclaim_stage(asana, database, people=2, asana_plan="advanced") as plan:
        search.forget()
        await plan.carry_out()
        assert await plan.outcomes() == dict.fromkeys(plan.people, "reclaimed")
        assert sorted(one.user_gid for one in search.looked) == sorted(plan.people)
        rows = await plan.stage.rows(
            f"""SELECT source, upper(covered) AS until FROM coverage c JOIN subscription s ON s.id = c.subscription_id
                 WHERE s.user_gid = '{plan.people[0]}'"""
        )
        looked = plan.stage.now
        assert {row["source"]: row["until"] for row in rows} == {"tasks": looked, "search": looked - SEARCH.lag}


async def test_a_comment_on_the_task_of_somebody_else_keeps_the_person(
    asana: Running, database: Database, search: KnownSearch
) -> None:
    """The tasks cannot see it; the search does."""
    async with reclaim_stage(asana, database, people=2, asana_plan="advanced") as plan:
        chosen, other = plan.people
        company = asana.organization.people.values()
        task = next(task for one in company if one.gid not in plan.people for task in one.assigned.values())
        asana.changes.act(chosen, task=task.gid, at=plan.stage.now - timedelta(minutes=5))
        assert search.looked
        await plan.carry_out()
        assert await plan.outcomes() == {chosen: "kept", other: "reclaimed"}
        assert (await plan.stage.candidates())[chosen] == ("closed_canceled", "active")
        assert plan.calls_for(chosen) == []


async def test_a_search_that_would_not_tell_keeps_the_person_ready(
    asana: Running, database: Database, search: KnownSearch
) -> None:
    async with reclaim_stage(asana, database, people=1, asana_plan="advanced") as plan:
        search.is_refused = True
        await plan.carry_out()
        (chosen,) = plan.people
        assert await plan.outcomes() == {chosen: "kept"}
        assert await plan.why(chosen) == "kept at the last look: Asana would not say: answer 402"
        assert (await plan.stage.candidates())[chosen][0] == "ready"
        assert asana.removals.calls == []


def test_permits_are_put_aside_for_each_source_of_the_plan() -> None:
    assert permits_for("free") == PERMITS_FOR_A_SOURCE
    assert permits_for("enterprise") == 2 * PERMITS_FOR_A_SOURCE
    assert (searches_for("free"), searches_for("enterprise")) == (0, SEARCHES)
