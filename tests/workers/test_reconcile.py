"""The actor that reconciles: its events, its counts, and what it says when it cannot."""

from collections.abc import Iterator

import pytest

from sandbox.asana import Running
from store import reconciliation
from tests.conftest import Database
from tests.workers.actor_stage import Stage, actor_stage, organization

pytestmark = [pytest.mark.anyio, pytest.mark.services]


@pytest.fixture
def asana() -> Iterator[Running]:
    with organization(people=60) as lookalike:
        yield lookalike


async def buy(stage: Stage, quantity: int, unit_cost: str, starts_on: str = "2026-01-01") -> None:
    await stage.owner.execute(
        """INSERT INTO entitlement (profile_id, software_model, quantity, unit_cost, currency, starts_on, added_by,
                                    added_at) VALUES (%s, 'member', %s, %s, 'EUR', %s, 'ann', %s)""",
        [stage.profile_id, quantity, unit_cost, starts_on, stage.now],
    )


async def test_the_position_is_said_with_the_run_before_it(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        await stage.run("cycle")
        used = await stage.count("SELECT count(*) FROM subscription WHERE software_model = 'member'")
        ready = await stage.count("SELECT count(*) FROM candidate WHERE state = 'ready'")
        await buy(stage, used + 7, "10.50")
        stage.later(hours=1)
        run = await stage.run("reconcile")
        first, second = await stage.events("ReconciliationCompleted")
        assert run.counts == {"owned": used + 7, "used": used}
        assert first["previous_run_id"] is None
        assert second == {
            "profile": "acme",
            "run_id": str(run.id),
            "software_model": "member",
            "scope": "profile/acme",
            "as_of": "2026-03-02T07:00:00Z",
            "owned": used + 7,
            "used": used,
            "available": 7,
            "needed": 0,
            "true_up_cost": "0.00",
            "over_licensed_amount": "73.50",
            "potential_savings": f"{ready * 10.5:.2f}",
            "currency": "EUR",
            "compliant": True,
            "previous_run_id": first["run_id"],
        }
        (position,) = await reconciliation.latest(stage.owner, "acme")
        assert (position.run_id, position.owned) == (run.id, used + 7)


async def test_a_removed_person_frees_a_right(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        await stage.run("cycle")
        before = await stage.run("reconcile")
        await stage.approved_plan(limit=2)
        stage.later(hours=1)
        await stage.run("reclaim")
        after = await stage.run("reconcile")
        assert before.counts["used"] - after.counts["used"] == 2


async def test_a_position_that_cannot_be_computed_is_said_and_the_last_one_stands(
    asana: Running, database: Database
) -> None:
    async with actor_stage(asana, database) as stage:
        good = await stage.run("reconcile")
        await stage.owner.execute("ALTER TABLE reconciliation_result ADD CONSTRAINT broken CHECK (false) NOT VALID")
        run = await stage.run("reconcile")
        assert (run.state, "unexpected trouble: CheckViolation" in (run.reason or "")) == ("failed", True)
        (failed,) = await stage.events("ReconciliationFailed")
        assert (failed["run_id"], failed["reason"]) == (str(run.id), run.reason)
        (position,) = await reconciliation.latest(stage.owner, "acme")
        assert position.run_id == good.id
