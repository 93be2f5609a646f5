"""Two organizations at two Asanas, worked on by the same processes: each knows its own people and removes only them.

The look-alikes count gids from the same number, so nearly everybody of the one shares a gid with somebody of the other.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from sandbox.asana import Running
from store import plans
from tests.conftest import Database
from tests.workers.actor_stage import Stage, actor_stage, organization

pytestmark = [pytest.mark.anyio, pytest.mark.services]
Person = tuple[str, str, str, str | None]


@pytest.fixture
def asanas() -> Iterator[tuple[Running, Running]]:
    with organization(people=60, seed=5) as one, organization(people=90, seed=6) as other:
        yield one, other


@asynccontextmanager
async def both(asanas: tuple[Running, Running], database: Database) -> AsyncIterator[tuple[Stage, Stage]]:
    """Open a stage for each, with a whole cycle behind it; the commands of both were carried out in turn."""
    async with actor_stage(asanas[0], database) as one, actor_stage(asanas[1], database, name="other") as other:
        cycles = [await one.order("cycle"), await other.order("cycle")]
        await one.play()
        assert [(await one.read(cycle)).state for cycle in cycles] == ["finished", "finished"]
        assert one.errors == []
        yield one, other


def there(asana: Running) -> set[Person]:
    """Everybody with a seat, as their own Asana has them."""
    seats = asana.organization.company.by_person.values()
    return {(one.person.gid, one.gid, one.person.name, one.person.email) for one in seats if one.is_active}


async def known(stage: Stage) -> set[Person]:
    """Everybody with a seat, as the profile has them."""
    rows = await stage.rows(
        f"""SELECT s.user_gid, s.membership_gid, n.name, n.email FROM subscription s JOIN person n
             USING (profile_id, user_gid) WHERE s.profile_id = {stage.profile_id} AND s.state = 'active'"""
    )
    return {(str(row["user_gid"]), str(row["membership_gid"]), str(row["name"]), _mail(row["email"])) for row in rows}


def _mail(value: object) -> str | None:
    return None if value is None else str(value)


async def test_each_profile_has_its_own_people_under_the_same_gids(
    asanas: tuple[Running, Running], database: Database
) -> None:
    async with both(asanas, database) as stages:
        people = [there(asana) for asana in asanas]
        assert [await known(stage) for stage in stages] == people
        shared = {gid for gid, *_ in people[0]} & {gid for gid, *_ in people[1]}
        assert len(shared) > 30
        assert not people[0] & people[1]
        for stage, asana in zip(stages, asanas, strict=True):
            proofs = await stage.rows(f"SELECT proof FROM observation WHERE profile_id = {stage.profile_id}")
            tasks = {f"task/{gid}" for gid in asana.organization.tasks}
            assert proofs
            assert {"/".join(str(row["proof"]).split("/")[:2]) for row in proofs} <= tasks


async def test_a_plan_of_one_removes_nobody_of_the_other(asanas: tuple[Running, Running], database: Database) -> None:
    async with both(asanas, database) as (one, other):
        before = there(asanas[1])
        picture = await known(other)
        plan = await one.approved_plan(limit=3)
        reclaim = await one.run("reclaim", plan)
        assert (reclaim.state, one.errors) == ("finished", [])
        assert len(asanas[0].removals.calls) == 3
        assert asanas[1].removals.calls == []
        assert there(asanas[1]) == before
        assert await known(other) == picture
        assert await plans.recent(one.owner, "other") == []
