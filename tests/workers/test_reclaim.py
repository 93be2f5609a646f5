"""Carrying a plan out: what holds it back, how far it goes, what a refusal stops, and that nobody is called twice."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.asana import Running
from tests.conftest import Database
from tests.workers.actor_stage import organization
from tests.workers.reclaim_stage import REMOVE, fired, reclaim_stage
from workers import removing
from workers.retrying import RetryLater

pytestmark = [pytest.mark.anyio, pytest.mark.services]


@pytest.fixture
def asana() -> Iterator[Running]:
    with organization(people=80) as lookalike:
        yield lookalike


async def test_an_approved_plan_is_carried_out_and_said(asana: Running, database: Database) -> None:
    async with reclaim_stage(asana, database) as plan:
        run = await plan.carry_out()
        assert (run.state, run.reason, run.counts) == ("finished", None, {"reclaimed": 3})
        assert await plan.outcomes() == dict.fromkeys(plan.people, "reclaimed")
        assert await plan.is_carried_out()
        assert [call.person for call in asana.removals.accepted] == plan.people, "in the order of the plan"
        assert {asana.look.membership_of(gid) for gid in plan.people} == {None}
        reclaimed = await plan.stage.events("SubscriptionReclaimed")
        assert [(event["user_gid"], event["plan"]) for event in reclaimed] == [(gid, plan.hash) for gid in plan.people]
        known, found = await plan.stage.subscriptions(), await plan.stage.candidates()
        assert {(known[gid]["state"], known[gid]["gone_because"]) for gid in plan.people} == {("gone", "reclaimed")}
        assert {found[gid][0] for gid in plan.people} == {"closed_complete"}
        await plan.assert_both_ledgers_agree()


async def test_the_days_cycle_carries_out_an_approved_plan(asana: Running, database: Database) -> None:
    async with reclaim_stage(asana, database) as plan:
        steps = await plan.stage.steps(await plan.stage.run("cycle"))
        assert (steps["reclaim"].state, steps["reclaim"].counts) == ("finished", {"reclaimed": 3})
        plan.stage.later(days=1)
        steps = await plan.stage.steps(await plan.stage.run("cycle"))
        assert steps["reclaim"].reason == "nothing approved"
        assert steps["download"].counts["returned"] == steps["download"].counts["gone"] == 0
        await plan.assert_both_ledgers_agree()


async def test_each_step_of_a_removal_is_in_the_ledger(asana: Running, database: Database) -> None:
    async with reclaim_stage(asana, database, people=1) as plan:
        await plan.carry_out()
        decisions = await plan.stage.rows(
            f"SELECT state_from, state_to, database_role FROM decision WHERE user_gid = '{plan.people[0]}' ORDER BY id"
        )
        removal = (await plan.removals())[plan.people[0]]
    assert [tuple(row.values()) for row in decisions] == [
        (None, "ready", "seatkeeper_worker"),
        ("ready", "awaiting_revocation", "seatkeeper_reclaim"),
        ("awaiting_revocation", "closed_complete", "seatkeeper_reclaim"),
    ]
    assert (removal["state"], removal["recovered"]) == ("done", False)


HELD: dict[str, tuple[str, str]] = {
    "leashed": ("UPDATE profile SET leashed = true", "leashed"),
    "stopped": (
        "UPDATE profile SET reclaim_stopped_at = now(), reclaim_stopped_by = 'ann', reclaim_stopped_why = 'an audit'",
        "stopped: an audit",
    ),
    "by SCIM": ("UPDATE profile SET leashed = true, provisioned_by_scim = true", "leashed"),
    "not approved": ("UPDATE plan SET approved_at = NULL, approved_by = NULL, approved_role = NULL", "not approved"),
    "expired": ("UPDATE plan SET expires_at = '2026-03-02 06:30Z'", "expired"),
    "marked as expired": ("UPDATE plan SET expired_at = '2026-03-02 06:20Z'", "carried out"),
    "not due": ("UPDATE plan SET due_at = '2026-03-02 06:30:00.001Z'", "not due before 2026-03-02 06:30 UTC"),
}


@pytest.mark.parametrize(("change", "reason"), HELD.values(), ids=HELD)
async def test_a_plan_that_is_held_back_calls_nothing(
    change: str, reason: str, asana: Running, database: Database
) -> None:
    async with reclaim_stage(asana, database) as plan:
        await plan.stage.owner.execute(change.encode())
        asana.requests.reset()
        run = await plan.carry_out()
        assert run.state == "failed", "a plan that was asked for by its hash is refused with the reason"
        assert reason in (run.reason or "")
        assert asana.requests.total == 0
        assert await plan.outcomes() == dict.fromkeys(plan.people)
        assert await plan.removals() == {}


async def test_a_leashed_profile_holds_the_cycle_back_without_failing_it(asana: Running, database: Database) -> None:
    async with reclaim_stage(asana, database) as plan:
        await plan.stage.owner.execute("UPDATE profile SET leashed = true")
        cycle = await plan.stage.run("cycle")
        reclaim = (await plan.stage.steps(cycle))["reclaim"]
        assert (cycle.state, reclaim.state, "held back: " in (reclaim.reason or "")) == ("finished", "finished", True)
        assert asana.removals.calls == []


@pytest.mark.parametrize("change", HELD.values(), ids=HELD)
async def test_what_changes_after_the_plan_was_taken_up_holds_back_as_well(
    change: tuple[str, str], asana: Running, database: Database
) -> None:
    async with reclaim_stage(asana, database) as plan:
        command = await plan.first_command()
        await plan.stage.owner.execute(change[0].encode())
        await plan.stage.deliver(command)
        await plan.stage.play()
        state, reason = await plan.read(command.run_id)
        assert (state, reason.startswith("held back: "), change[1] in reason) == ("finished", True, True)
        assert asana.removals.calls == []


async def test_a_stop_that_comes_during_the_last_look_is_seen(asana: Running, database: Database) -> None:
    async with reclaim_stage(asana, database) as plan:
        command = await plan.first_command()
        looks = asana.faults.add("slow", path="/tasks$", delay=0.5)
        removal = asyncio.create_task(plan.stage.deliver(command))
        await fired(looks)
        await plan.stage.owner.execute(HELD["stopped"][0].encode())
        await removal
        assert await plan.read(command.run_id) == ("finished", "held back: removals are stopped: an audit")
        assert asana.removals.calls == []


async def test_a_plan_that_nobody_made_is_refused(asana: Running, database: Database) -> None:
    async with reclaim_stage(asana, database) as plan:
        with pytest.raises(Exception, match="violates foreign key"):
            await plan.stage.order("reclaim", "f" * 64)


async def test_a_plan_is_carried_out_once(asana: Running, database: Database) -> None:
    async with reclaim_stage(asana, database) as plan:
        await plan.carry_out()
        run = await plan.carry_out()
        assert (run.state, run.reason) == ("failed", "the plan has been carried out")
        assert len(asana.removals.calls) == 3


async def test_the_cap_ends_the_day_exactly_and_the_next_day_goes_on(asana: Running, database: Database) -> None:
    async with reclaim_stage(asana, database, people=5) as plan:
        await plan.stage.owner.execute("UPDATE profile SET removal_cap = 2")
        run = await plan.carry_out()
        assert (run.state, run.reason) == ("finished", "held back: the cap of 2 removals in 24 hours is reached")
        assert run.counts == {"reclaimed": 2, "waiting": 3}
        assert [call.person for call in asana.removals.calls] == plan.people[:2]
        plan.stage.later(hours=23, minutes=59, seconds=59)
        steps = await plan.stage.steps(await plan.stage.run("cycle"))
        assert "the cap of 2" in (steps["reclaim"].reason or "")
        assert len(asana.removals.calls) == 2
        plan.stage.later(seconds=1)
        steps = await plan.stage.steps(await plan.stage.run("cycle"))
        assert [call.person for call in asana.removals.calls] == plan.people[:4]
        plan.stage.later(days=1)
        await plan.stage.run("cycle")
        assert await plan.outcomes() == dict.fromkeys(plan.people, "reclaimed")
        assert await plan.is_carried_out()
        await plan.assert_both_ledgers_agree()


async def test_the_cap_counts_unknown_outcomes_and_not_refusals(asana: Running, database: Database) -> None:
    async with reclaim_stage(asana, database, people=4) as plan:
        await plan.stage.owner.execute("UPDATE profile SET removal_cap = 2")
        refused = '{"errors":[{"message":"user: Unknown object"}]}'
        asana.faults.add("answer", route=REMOVE, status=404, body=refused, times=1)
        asana.faults.add("answer", route=REMOVE, status=500, times=1)
        await plan.carry_out()
        await plan.recover()
        assert list((await plan.outcomes()).values()) == ["refused", "unknown", "reclaimed", None]


REFUSED: dict[str, tuple[dict[str, Any], bool]] = {
    "401": ({"kind": "answer", "status": 401}, True),
    "402": ({"kind": "answer", "status": 402}, True),
    "403": ({"kind": "answer", "status": 403}, True),
    "400": ({"kind": "answer", "status": 400}, True),
    "404": ({"kind": "answer", "status": 404}, False),
}


async def test_a_removal_that_asana_puts_off_leaves_the_person_ready_for_a_later_plan(
    asana: Running, database: Database
) -> None:
    async with reclaim_stage(asana, database, people=2) as plan:
        asana.faults.add("answer", route=REMOVE, status=429, headers={"Retry-After": "1"}, times=1)
        run = await plan.carry_out()
        first, second = plan.people
        assert (run.state, run.counts) == ("finished", {"refused": 1, "reclaimed": 1})
        assert (await plan.removals())[first]["state"] == "refused"
        assert (await plan.stage.candidates())[first] == ("ready", "idle")
        assert await plan.outcomes() == {first: "refused", second: "reclaimed"}
        await plan.assert_both_ledgers_agree()


async def test_a_candidate_that_changes_between_look_and_intent_is_looked_at_again(
    asana: Running, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    reason_to_keep = removing._reason_to_keep

    async def meanwhile(*about: Any) -> Any:  # noqa: ANN401 - passed on
        reason = await reason_to_keep(*about)
        await plan.stage.owner.execute("UPDATE candidate SET state = 'attention_required' WHERE state = 'ready'")
        return reason

    async with reclaim_stage(asana, database, people=1) as plan:
        command = await plan.first_command()
        monkeypatch.setattr(removing, "_reason_to_keep", meanwhile)
        with pytest.raises(RetryLater, match="not ready any more"):
            await plan.stage.attempt(command)
        monkeypatch.undo()
        await plan.stage.deliver(command)
        await plan.stage.play()
        assert await plan.outcomes() == {plan.people[0]: "kept"}
        assert (await plan.read(command.run_id))[0] == "finished"
        assert asana.removals.calls == []


@pytest.mark.parametrize(("how", "concerns_everybody"), REFUSED.values(), ids=REFUSED)
async def test_a_refused_removal_waits_for_a_person_and_stops_the_others_if_it_concerns_them(
    how: dict[str, Any], *, concerns_everybody: bool, asana: Running, database: Database
) -> None:
    async with reclaim_stage(asana, database, people=2) as plan:
        asana.faults.add(route=REMOVE, times=1, **how)
        run = await plan.carry_out()
        first, second = plan.people
        assert (await plan.outcomes())[first] == "refused"
        assert (await plan.removals())[first]["state"] == "refused"
        assert (await plan.stage.candidates())[first] == ("attention_required", "refused")
        (event,) = await plan.stage.events("ReclaimFailed")
        assert (event["user_gid"], event["outcome"]) == (first, "refused")
        if concerns_everybody:
            assert run.state == "failed"
            assert run.reason == f"stopped after a removal was refused: {event['reason']}"
            assert run.counts == {"refused": 1, "waiting": 1}
            assert (await plan.outcomes())[second] is None
        else:
            assert (run.state, run.counts) == ("finished", {"refused": 1, "reclaimed": 1})
        await plan.assert_both_ledgers_agree()


async def test_whoever_was_refused_is_not_made_ready_again_by_the_next_day(asana: Running, database: Database) -> None:
    async with reclaim_stage(asana, database, people=1) as plan:
        asana.faults.add("answer", route=REMOVE, status=403, times=1)
        await plan.carry_out()
        plan.stage.later(days=1)
        await plan.stage.run("cycle")
        assert (await plan.stage.candidates())[plan.people[0]] == ("attention_required", "refused")
        assert len(asana.removals.calls) == 1


async def test_our_own_account_is_never_called_even_where_a_plan_names_it(asana: Running, database: Database) -> None:
    async with reclaim_stage(asana, database, people=1) as plan:
        ours = plan.stage.us.gid
        await plan.stage.owner.execute(
            """UPDATE plan_item SET user_gid = s.user_gid, subscription_id = s.id, membership_gid = s.membership_gid,
                      joined_at = s.joined_at FROM subscription s WHERE s.user_gid = %s""",
            [ours],
        )
        await plan.stage.owner.execute(
            "UPDATE candidate SET subscription_id = s.id FROM subscription s, plan_item i"
            " WHERE s.user_gid = i.user_gid AND candidate.id = i.candidate_id"
        )
        await plan.stage.owner.execute("UPDATE subscription SET is_admin = false")
        asana.changes.set_roles(ours, is_admin=False)
        await plan.carry_out()
        assert await plan.outcomes() == {ours: "kept"}
        assert "the account that this connection works with" in await plan.why(ours)
        assert asana.removals.calls == []


async def test_a_removal_never_goes_to_another_machine(asana: Running, database: Database) -> None:
    async with reclaim_stage(asana, database, people=2) as plan:
        client = (await plan.stage.reclaim.asana("acme")).client
        client._base.loopback = False
        run = await plan.carry_out()
        first, second = plan.people
        assert run.state == "failed"
        assert "removals go only to this machine" in (run.reason or "")
        assert (await plan.removals())[first]["state"] == "never_sent"
        assert await plan.outcomes() == {first: "refused", second: None}
        assert asana.removals.calls == []
