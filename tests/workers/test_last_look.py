"""The last look: whatever changed between the plan and the call is seen, and nobody is called because of it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from sandbox.asana import Running
from store import exemptions
from tests.conftest import Database
from tests.workers.actor_stage import organization
from tests.workers.reclaim_stage import MEMBERSHIPS, REMOVE, Plan, fired, reclaim_stage

pytestmark = [pytest.mark.anyio, pytest.mark.services]


@pytest.fixture
def asana() -> Iterator[Running]:
    with organization(people=80) as lookalike:
        yield lookalike


async def works_again(plan: Plan, gid: str) -> None:
    plan.stage.asana.changes.act(gid)


async def completes_a_task_without_a_story(plan: Plan, gid: str) -> None:
    plan.stage.asana.changes.complete(gid)


async def becomes_admin(plan: Plan, gid: str) -> None:
    plan.stage.asana.changes.set_roles(gid, is_admin=True)


async def becomes_guest(plan: Plan, gid: str) -> None:
    plan.stage.asana.changes.set_roles(gid, is_guest=True)


async def becomes_view_only(plan: Plan, gid: str) -> None:
    plan.stage.asana.changes.set_roles(gid, is_view_only=True)


async def leaves(plan: Plan, gid: str) -> None:
    plan.stage.asana.changes.leave(gid)


async def is_deactivated(plan: Plan, gid: str) -> None:
    plan.stage.asana.changes.set_roles(gid, is_active=False)


async def is_put_back(plan: Plan, gid: str) -> None:
    await leaves(plan, gid)
    plan.stage.asana.changes.rejoin(gid)


async def is_exempted(plan: Plan, gid: str) -> None:
    stage = plan.stage
    await exemptions.add(stage.owner, stage.profile_id, gid, reason="on leave", until=None, by="ann", now=stage.now)


async def is_found_to_be_an_admin_by_a_download(plan: Plan, gid: str) -> None:
    await becomes_admin(plan, gid)
    await plan.stage.run("download")
    plan.stage.asana.changes.set_roles(gid, is_admin=False)


async def is_found_gone_by_a_download(plan: Plan, gid: str) -> None:
    await leaves(plan, gid)
    await plan.stage.run("download")
    plan.stage.asana.changes.rejoin(gid)


Happens = Callable[[Plan, str], Awaitable[None]]
CHANGES: list[tuple[Happens, tuple[str, str], str]] = [
    (works_again, ("closed_canceled", "active"), "was active on 2026-03-02"),
    (completes_a_task_without_a_story, ("closed_canceled", "active"), "was active on 2026-03-02: task_completed"),
    (becomes_admin, ("closed_skipped", "admin"), "is an admin now"),
    (becomes_guest, ("closed_skipped", "no_paid_seat"), "holds no paid seat any more"),
    (becomes_view_only, ("closed_skipped", "no_paid_seat"), "holds no paid seat any more"),
    (leaves, ("closed_skipped", "gone"), "has no seat any more"),
    (is_deactivated, ("closed_skipped", "gone"), "has no seat any more"),
    (is_put_back, ("closed_skipped", "another_membership"), "was removed and put back since the plan was made"),
    (is_exempted, ("closed_skipped", "exempt"), "is exempt: on leave"),
    (is_found_to_be_an_admin_by_a_download, ("closed_skipped", "admin"), "is an admin of the organization"),
    (is_found_gone_by_a_download, ("closed_skipped", "gone"), "has no paid seat any more"),
]


@pytest.mark.parametrize(("happens", "candidate", "why"), CHANGES, ids=[change[0].__name__ for change in CHANGES])
async def test_whoever_changed_since_the_plan_was_made_is_kept_and_the_others_go(
    happens: Happens, candidate: tuple[str, str], why: str, asana: Running, database: Database
) -> None:
    async with reclaim_stage(asana, database) as plan:
        first, chosen, last = plan.people
        await happens(plan, chosen)
        plan.stage.later(seconds=1)
        run = await plan.carry_out()
        assert (run.state, run.counts) == ("finished", {"reclaimed": 2, "kept": 1})
        assert await plan.outcomes() == {first: "reclaimed", chosen: "kept", last: "reclaimed"}
        assert (await plan.why(chosen)).startswith(f"kept at the last look: {why}")
        assert (await plan.stage.candidates())[chosen] == candidate
        assert plan.calls_for(chosen) == []
        await plan.assert_both_ledgers_agree()


@pytest.mark.parametrize("happens", [works_again, becomes_admin, is_exempted, is_put_back])
async def test_what_changes_after_the_command_was_sent_is_seen_too(
    happens: Happens, asana: Running, database: Database
) -> None:
    async with reclaim_stage(asana, database, people=1) as plan:
        command = await plan.first_command()
        await happens(plan, plan.people[0])
        await plan.stage.deliver(command)
        await plan.stage.play()
        assert await plan.outcomes() == {plan.people[0]: "kept"}
        assert asana.removals.calls == []


async def test_the_membership_is_read_last_and_nothing_between_it_and_the_call(
    asana: Running, database: Database
) -> None:
    """What happens while the activity is read is still seen, if it shows in the membership."""
    async with reclaim_stage(asana, database, people=1) as plan:
        chosen = plan.people[0]

        def promoted(page: object) -> object:
            asana.changes.set_roles(chosen, is_admin=True)
            return page

        asana.faults.add("patch", route="/tasks", patch=promoted)
        await plan.carry_out()
        assert (await plan.stage.candidates())[chosen] == ("closed_skipped", "admin")
        assert asana.removals.calls == []


async def test_an_exemption_made_during_the_last_look_is_seen(asana: Running, database: Database) -> None:
    async with reclaim_stage(asana, database, people=1) as plan:
        chosen, seen = plan.people[0], asana.requests.by_route[f"GET {MEMBERSHIPS}"]
        slow = asana.faults.add("slow", route=MEMBERSHIPS, query={"user": chosen}, delay=0.4, times=1)
        command = await plan.first_command()
        removal = asyncio.create_task(plan.stage.deliver(command))
        await fired(slow)
        await is_exempted(plan, chosen)
        await removal
        assert asana.requests.by_route[f"GET {MEMBERSHIPS}"] == seen + 1
        assert await plan.outcomes() == {chosen: "kept"}
        assert asana.removals.calls == []


@pytest.mark.parametrize("route", ["/tasks", MEMBERSHIPS])
@pytest.mark.parametrize(
    "how",
    [
        {"kind": "answer", "status": 402},
        {"kind": "answer", "status": 403},
        {"kind": "answer", "status": 404},
        {"kind": "html"},
        {"kind": "answer", "status": 200, "body": "{}"},
    ],
    ids=["402", "403", "404", "a web page", "an empty answer"],
)
async def test_whom_asana_would_not_tell_of_is_kept_and_stays_ready(
    how: dict[str, Any], route: str, asana: Running, database: Database
) -> None:
    async with reclaim_stage(asana, database, people=2) as plan:
        chosen, other = plan.people
        asana.faults.add(route=route, query={"assignee" if route == "/tasks" else "user": chosen}, **how)
        run = await plan.carry_out()
        assert run.state == "finished"
        assert await plan.outcomes() == {chosen: "kept", other: "reclaimed"}
        assert (await plan.why(chosen)).startswith("kept at the last look: Asana would not say: ")
        assert (await plan.stage.candidates())[chosen][0] == "ready"
        await plan.assert_both_ledgers_agree()


async def test_the_membership_of_somebody_else_is_no_answer(asana: Running, database: Database) -> None:
    async with reclaim_stage(asana, database, people=1) as plan:
        other = asana.organization.admins()[0]

        def of_another(page: Any) -> object:  # noqa: ANN401 - JSON
            page["data"][0]["user"]["gid"] = other.gid
            return page

        asana.faults.add("patch", route=MEMBERSHIPS, query={"user": ".+"}, patch=of_another)
        await plan.carry_out()
        assert await plan.outcomes() == dict.fromkeys(plan.people, "kept")
        assert asana.removals.calls == []


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"kind": "answer", "status": 401}, "connect acme"),
        ({"kind": "answer", "status": 500}, "Asana is in trouble"),
        ({"kind": "close"}, "could not be reached"),
        ({"kind": "answer", "status": 429, "headers": {"Retry-After": "60"}}, "slow down"),
    ],
    ids=["401", "500", "closed", "429"],
)
@pytest.mark.parametrize("route", ["/tasks", MEMBERSHIPS])
async def test_trouble_at_the_last_look_fails_the_run_before_anything_is_intended(
    route: str, how: dict[str, Any], reason: str, asana: Running, database: Database
) -> None:
    async with reclaim_stage(asana, database) as plan:
        asana.faults.add(route=route, **how)
        run = await plan.carry_out()
        assert (run.state, reason in (run.reason or "")) == ("failed", True)
        assert await plan.removals() == {}
        assert await plan.outcomes() == dict.fromkeys(plan.people)
        assert {(await plan.stage.candidates())[gid][0] for gid in plan.people} == {"ready"}


async def test_a_trouble_that_passes_lets_the_same_command_go_on(asana: Running, database: Database) -> None:
    async with reclaim_stage(asana, database, people=1) as plan:
        command = await plan.first_command()
        fault = asana.faults.add("answer", route="/tasks", status=500)
        with pytest.raises(Exception, match="Asana is in trouble"):
            await plan.stage.attempt(command)
        asana.faults.remove(fault)
        await plan.stage.deliver(command)
        await plan.stage.play()
        assert await plan.outcomes() == dict.fromkeys(plan.people, "reclaimed")


async def test_what_the_last_look_saw_is_kept_as_evidence(asana: Running, database: Database) -> None:
    async with reclaim_stage(asana, database, people=1) as plan:
        await plan.carry_out()
        removal = (await plan.removals())[plan.people[0]]
        look = removal["last_look"]
        assert isinstance(look, dict)
        assert (look["act"], look["acted_at"]) == (None, None)
        assert look["activity_since"] == "2026-03-01T06:00:00+00:00"
        assert removal["call_before"] == plan.stage.now + timedelta(seconds=10)
        (coverage,) = await plan.stage.rows(
            f"""SELECT upper(covered) AS until FROM coverage c JOIN subscription s ON s.id = c.subscription_id
                 WHERE s.user_gid = '{plan.people[0]}' AND c.source = 'tasks'"""
        )
        assert coverage["until"] == plan.stage.now


async def test_an_old_act_that_only_shows_now_does_not_keep(asana: Running, database: Database) -> None:
    async with reclaim_stage(asana, database, people=1) as plan:
        asana.changes.act(plan.people[0], at=plan.stage.now - timedelta(days=61))
        await plan.carry_out()
        assert await plan.outcomes() == dict.fromkeys(plan.people, "reclaimed")


async def test_the_permits_of_a_look_are_put_aside_before_it(asana: Running, database: Database) -> None:
    """Between the last byte of the look and the call there is no wait for a permit."""
    async with reclaim_stage(asana, database, people=1) as plan:
        asana.faults.add("answer", route=REMOVE, status=403)
        opened = (await plan.stage.reclaim.asana("acme")).opened
        taken: list[str] = []
        take_some = opened.permits._next

        async def counting() -> float:
            taken.append("/removeUser" if asana.requests.by_route["GET /tasks"] > before else "before")
            return await take_some()

        before = asana.requests.by_route["GET /tasks"]
        opened.permits._next = counting  # type: ignore[method-assign] # counted, and carried out
        await plan.carry_out()
        assert taken
        assert set(taken) == {"before"}
