"""Plans: who is in one, what its hash binds, who may approve it, and which one is due."""

from datetime import timedelta

import pytest

from store import plans
from store.connect import Connection
from store.plans import NothingToPlan, Plan, PlanRefused
from tests.conftest import Database
from tests.rows import NOW, count
from tests.store.people import acme, add_candidate, add_subscription, start_run

pytestmark = [pytest.mark.anyio, pytest.mark.services]

DAY = timedelta(days=1)


async def add_ready(owner: Connection, profile: int, *idle_since: str) -> list[str]:
    """Add a ready candidate for each day of a last act; return the people's gids."""
    run, gids = await start_run(owner, profile, "candidates"), []
    for number, day in enumerate(idle_since):
        gids.append(str(1001 + number))
        candidate = await add_candidate(owner, profile, await add_subscription(owner, profile, gids[-1]), run, "ready")
        await owner.execute(
            "UPDATE candidate SET verdict = jsonb_build_object('last_act_at', %s::text) WHERE id = %s", [day, candidate]
        )
    return gids


async def make(owner: Connection, profile: int, limit: int | None = None) -> Plan:
    async with owner.transaction():
        return await plans.make(owner, profile_id=profile, made_by="ann", now=NOW, limit=limit)


async def approve(owner: Connection, plan: str, by: str = "bob", late: timedelta = timedelta(0)) -> Plan:
    async with owner.transaction():
        return await plans.approve(owner, plan, by=by, now=NOW + late)


async def people_of(owner: Connection, plan: Plan) -> list[str]:
    return [item.user_gid for item in await plans.items(owner, plan.hash)]


async def test_a_plan_names_who_is_ready_the_longest_idle_first(database: Database) -> None:
    async with acme(database) as (owner, profile):
        first, second, third = await add_ready(owner, profile, "2025-12-01", "2025-10-01", "2025-11-01")
        assert await people_of(owner, await make(owner, profile)) == [second, third, first]
        assert await people_of(owner, await make(owner, profile, limit=2)) == [second, third]


async def test_only_the_ready_who_still_have_their_seat_are_planned(database: Database) -> None:
    async with acme(database) as (owner, profile):
        gids = await add_ready(owner, profile, "2025-10-01", "2025-11-01")
        run = await start_run(owner, profile, "activity")
        for number, state in enumerate(("attention_required", "awaiting_revocation")):
            await add_candidate(owner, profile, await add_subscription(owner, profile, str(2000 + number)), run, state)
        await owner.execute(
            "UPDATE subscription SET state = 'gone', gone_at = %s, gone_because = 'missing' WHERE user_gid = %s",
            [NOW, gids[0]],
        )
        assert await people_of(owner, await make(owner, profile)) == gids[1:]


async def test_nobody_to_plan_for_is_said(database: Database) -> None:
    async with acme(database) as (owner, profile):
        with pytest.raises(NothingToPlan, match="no candidate is ready"):
            await make(owner, profile)


async def test_the_same_content_is_the_same_plan_and_another_moment_another(database: Database) -> None:
    async with acme(database) as (owner, profile):
        await add_ready(owner, profile, "2025-10-01")
        first, same = await make(owner, profile), await make(owner, profile)
        async with owner.transaction():
            later = await plans.make(owner, profile_id=profile, made_by="ann", now=NOW + DAY)
        assert first.hash == same.hash != later.hash
        assert await count(owner, "plan_item") == 2


async def test_who_is_in_an_approved_plan_that_still_runs_is_in_no_other(database: Database) -> None:
    async with acme(database) as (owner, profile):
        gids = await add_ready(owner, profile, "2025-10-01", "2025-11-01")
        plan = await make(owner, profile, limit=1)
        assert await people_of(owner, await make(owner, profile)) == gids, "a plan that is not approved binds nobody"
        await approve(owner, plan.hash)
        assert await people_of(owner, await make(owner, profile)) == gids[1:]
        await owner.execute("UPDATE plan SET carried_out_at = %s WHERE hash = %s", [NOW, plan.hash])
        assert await people_of(owner, await make(owner, profile)) == gids


async def test_an_approval_names_who_gave_it_and_is_said_once(database: Database) -> None:
    async with acme(database) as (owner, profile):
        await add_ready(owner, profile, "2025-10-01")
        plan = await make(owner, profile)
        approved = await approve(owner, plan.hash)
        assert (approved.approved_by, approved.approved_at) == ("bob", NOW)
        assert await approve(owner, plan.hash) == approved
        assert await count(owner, "outbox WHERE name = 'PlanApproved'") == 1
        with pytest.raises(PlanRefused, match="approved by bob already"):
            await approve(owner, plan.hash, by="eve")


async def test_what_cannot_be_approved_is_refused(database: Database) -> None:
    async with acme(database) as (owner, profile):
        await add_ready(owner, profile, "2025-10-01")
        plan = await make(owner, profile)
        with pytest.raises(PlanRefused, match="there is no plan"):
            await approve(owner, "f" * 64)
        with pytest.raises(PlanRefused, match="expired on 2026-03-09 06:00 UTC"):
            await approve(owner, plan.hash, late=7 * DAY)
        await approve(owner, plan.hash, late=7 * DAY - timedelta(microseconds=1))


@pytest.mark.parametrize(
    ("change", "due"),
    [
        ("due_at = due_at", True),
        ("due_at = '2026-03-02 06:00:00.000001Z'", False),
        ("expires_at = '2026-03-02 06:00:00.000001Z'", True),
        ("made_at = '2026-03-01', expires_at = '2026-03-02 06:00Z'", False),
        ("carried_out_at = now()", False),
        ("expired_at = now()", False),
        ("approved_at = NULL, approved_by = NULL, approved_role = NULL", False),
    ],
)
async def test_an_approved_due_unexpired_plan_that_was_not_carried_out_is_next(
    change: str, due: bool, database: Database
) -> None:
    async with acme(database) as (owner, profile):
        await add_ready(owner, profile, "2025-10-01")
        plan = await make(owner, profile)
        await approve(owner, plan.hash)
        await owner.execute(f"UPDATE plan SET {change}".encode())
        assert await plans.next_due(owner, profile, NOW) == (plan.hash if due else None)
        assert await plans.next_due(owner, profile + 1, NOW) is None


async def test_a_plan_says_no_names_and_shows_them_fresh(database: Database) -> None:
    async with acme(database) as (owner, profile):
        (gid,) = await add_ready(owner, profile, "2025-10-01")
        await owner.execute("INSERT INTO person VALUES (%s, %s, 'Ann', 'ann@x.example')", [profile, gid])
        plan = await make(owner, profile)
        (item,) = await plans.items(owner, plan.hash)
        cursor = await owner.execute("SELECT content::text FROM plan")
        row = await cursor.fetchone()
        assert row is not None
        assert (item.name, item.email, "Ann" in row[0], "ann@" in row[0]) == ("Ann", "ann@x.example", False, False)
