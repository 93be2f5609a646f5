"""Switches: what is off is refused in the intake, not run in a cycle or on its own, and stopped before a removal."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import uuid4

import pytest

from messages.errors import RequestError
from messages.kinds import STEP_KINDS, StepKind
from messages.requests import Request
from rules.switches import ACTIVITY_OFF, RECLAIM_OFF
from store import plans, removals, requests, runs
from store.connect import Connection, open_connection
from store.plans import PlanRefused
from tests.conftest import Database
from tests.rows import NOW, add_plan, add_profile, count
from tests.store.run_stage import command_of, finish, order, seen, take, taken

pytestmark = [pytest.mark.anyio, pytest.mark.services]
PLANS = {"acme": "a" * 64, "sister": "b" * 64}
STANDS_ON_ACTIVITY = ("activity", "candidates", "reclaim")


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[Connection]:
    async with open_connection(database.owner_url) as connection:
        yield connection


@asynccontextmanager
async def switched_off(owner: Connection, *switches: str) -> AsyncIterator[int]:
    """Yield a published profile with these of its switches off; the sister beside it has all of them on."""
    acme = await add_profile(owner)
    await add_plan(owner, acme, PLANS["acme"])
    await add_plan(owner, await add_profile(owner, "sister"), PLANS["sister"])
    for switch in switches:
        await owner.execute(f"UPDATE profile SET {switch}_enabled = false WHERE id = %s".encode(), [acme])
    yield acme


def request(kind: str, *, later: bool, profile: str = "acme") -> Request:
    at = NOW + timedelta(hours=1) if later else None
    known = {"id": uuid4(), "kind": kind, "profile": profile, "requested_by": "ann", "at": at}
    return Request.model_validate(known | ({"plan": PLANS[profile]} if kind == "reclaim" else {}))


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize(
    ("switch", "refused", "why"),
    [("activity", STANDS_ON_ACTIVITY, ACTIVITY_OFF), ("reclaim", ("reclaim",), RECLAIM_OFF)],
)
async def test_the_intake_refuses_what_is_off_and_takes_the_rest(
    database: Database, owner: Connection, switch: str, refused: tuple[str, ...], why: str, *, later: bool
) -> None:
    async with switched_off(owner, switch), open_connection(database.url("intake")) as intake:
        for kind in ("cycle", *STEP_KINDS):
            if kind in refused:
                with pytest.raises(RequestError, match=why):
                    await requests.take(intake, request(kind, later=later), NOW)
            else:
                await requests.take(intake, request(kind, later=later), NOW)
            await requests.take(intake, request(kind, later=later, profile="sister"), NOW)
    assert await count(owner, "request") == 12 - len(refused)


async def day_of(owner: Connection, worker: Connection, acme: int) -> dict[str, tuple[str, str | None]]:
    """Run a whole cycle, each step that is ordered finished at once; return each step's end."""
    cycle = await order(owner, acme, "cycle")
    while waiting := [one for one in await runs.steps_of(owner, cycle) if one.state == "queued"]:
        for step in waiting:
            assert step.kind != "cycle"
            await finish(worker, await taken(worker, command_of(step.id, step.kind)))
    assert (await seen(owner, cycle)).state == "finished"
    return {one.kind: (one.state, one.reason) for one in await runs.steps_of(owner, cycle)}


@pytest.mark.parametrize(
    ("switches", "ends"),
    [
        (("activity",), dict.fromkeys(STANDS_ON_ACTIVITY, ACTIVITY_OFF)),
        (("reclaim",), {"reclaim": RECLAIM_OFF}),
        (("activity", "reclaim"), dict.fromkeys(STANDS_ON_ACTIVITY, ACTIVITY_OFF)),
        ((), {}),
    ],
)
async def test_a_cycle_does_not_run_what_is_off_and_finishes(
    database: Database, owner: Connection, switches: tuple[str, ...], ends: dict[str, str]
) -> None:
    async with switched_off(owner, *switches) as acme, open_connection(database.url("worker")) as worker:
        day = await day_of(owner, worker, acme)
    assert day == {
        kind: ("not_run", f"not run: {ends[kind]}") if kind in ends else ("finished", None) for kind in STEP_KINDS
    }


@pytest.mark.parametrize("kind", STANDS_ON_ACTIVITY)
async def test_what_was_queued_before_the_switch_is_not_run(
    database: Database, owner: Connection, kind: StepKind
) -> None:
    acme = await add_profile(owner)
    waiting = await order(owner, acme, kind)
    await owner.execute("UPDATE profile SET activity_enabled = false")
    async with open_connection(database.url("worker")) as worker:
        assert await take(worker, command_of(waiting, kind)) is None
    ended = await seen(owner, waiting)
    assert (ended.state, ended.reason, ended.started_at) == ("not_run", f"not run: {ACTIVITY_OFF}", None)


@pytest.mark.parametrize(("switch", "why"), [("activity", ACTIVITY_OFF), ("reclaim", RECLAIM_OFF)])
async def test_no_plan_is_approved_and_no_removal_begins(
    database: Database, owner: Connection, switch: str, why: str
) -> None:
    async with switched_off(owner, switch) as acme:
        await owner.execute("UPDATE profile SET leashed = false, work_goes_to = 'the admin'")
        await add_plan(owner, acme, "c" * 64, approved=False)
        with pytest.raises(PlanRefused, match=why):
            await plans.approve(owner, "c" * 64, by="bob", now=NOW)
        async with open_connection(database.url("reclaim")) as reclaim, reclaim.transaction():
            assert await removals.why_held(reclaim, acme, "a" * 64, NOW) == why
        await owner.execute(f"UPDATE profile SET {switch}_enabled = true".encode())
        async with open_connection(database.url("reclaim")) as reclaim, reclaim.transaction():
            assert await removals.why_held(reclaim, acme, "a" * 64, NOW) is None
