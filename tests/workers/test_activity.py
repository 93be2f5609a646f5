"""The pull of activity against an Asana that fails: what is not known is never taken for "no activity"."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from psycopg.types.multirange import Multirange

from messages.commands import PullActivity
from sandbox.asana import Running
from tests.conftest import Database
from tests.workers.actor_stage import LOOK_BACK, Stage, actor_stage, organization
from workers import activity
from workers.retrying import RetryLater

pytestmark = [pytest.mark.anyio, pytest.mark.services]

TASKS, STORIES = "/tasks", "/tasks/{task_gid}/stories"


@pytest.fixture
def asana() -> Iterator[Running]:
    with organization(people=150) as lookalike:
        yield lookalike


def idle(stage: Stage) -> list[str]:
    """The people whom the rule makes ready, going by what the source could see."""
    truth, since = stage.asana.truth(stage.now - LOOK_BACK), stage.now - timedelta(days=60)
    seen = {gid: one.last_work_seen_by_tasks_at for gid, one in truth.items() if one.person.archetype == "sleeper"}
    return [gid for gid, at in seen.items() if at is not None and at < since]


def modified_by_others(asana: Running, gid: str) -> bool:
    """Whether a task of theirs was modified after their last act, so that its stories have to be read."""
    person = asana.organization.people[gid]
    last = max(one.created_at for task in person.assigned.values() for one in task.stories if one.created_by is person)
    return any(task.modified_at > last for task in person.assigned.values() if not task.is_private)


def tasks_of(asana: Running, gid: str) -> str:
    """A regular expression for the stories of everything that is assigned to a person."""
    return f"/tasks/({'|'.join(asana.organization.people[gid].assigned)})/stories"


async def asked_of(stage: Stage) -> list[str]:
    """The people whom a first pull asks about, in its order: paid seats, but no admins and not ourselves."""
    rows = await stage.rows(
        f"""SELECT user_gid FROM subscription
             WHERE software_model = 'member' AND NOT is_admin AND user_gid <> '{stage.us.gid}' ORDER BY joined_at, id"""
    )
    return [str(row["user_gid"]) for row in rows]


async def coverage(stage: Stage, gid: str) -> tuple[list[tuple[object, object]], object]:
    """The windows in which the source `tasks` saw a person completely, and the trouble of the last try."""
    (row,) = await stage.rows(
        f"""SELECT covered, trouble FROM coverage c JOIN subscription s ON s.id = c.subscription_id
             WHERE user_gid = '{gid}' AND source = 'tasks'"""
    )
    windows = row["covered"]
    assert isinstance(windows, Multirange)
    return [(window.lower, window.upper) for window in windows], row["trouble"]


ONE_PERSON: dict[str, dict[str, Any]] = {
    "402": {"kind": "answer", "status": 402},
    "403": {"kind": "answer", "status": 403},
    "404": {"kind": "answer", "status": 404},
    "a web page": {"kind": "html"},
    "an empty answer": {"kind": "answer", "status": 200, "body": "{}"},
    "half a JSON": {"kind": "answer", "status": 200, "body": '{"data":['},
    "no next_page": {"kind": "answer", "status": 200, "body": '{"data":[]}'},
}


@pytest.mark.parametrize("how", ONE_PERSON.values(), ids=ONE_PERSON)
async def test_one_person_whose_answer_is_refused_or_odd_is_kept_and_the_others_are_judged(
    how: dict[str, Any], asana: Running, database: Database
) -> None:
    async with actor_stage(asana, database) as stage:
        odd, *others = idle(stage)
        asana.faults.add(route=TASKS, query={"assignee": odd}, **how)
        steps = await stage.steps(await stage.run("cycle"))
        assert (steps["activity"].state, steps["activity"].counts["unknown"]) == ("finished", 1)
        found = await stage.candidates()
        assert odd not in found
        assert {found[gid][0] for gid in others} == {"ready"}
        (lost,) = await stage.events("CoverageLost")
        assert (lost["user_gid"], lost["source"]) == (odd, "tasks")
        assert await coverage(stage, odd) == ([], lost["reason"])


@pytest.mark.parametrize("how", ONE_PERSON.values(), ids=ONE_PERSON)
async def test_a_task_whose_stories_are_refused_or_odd_makes_its_person_unknown(
    how: dict[str, Any], asana: Running, database: Database
) -> None:
    async with actor_stage(asana, database) as stage:
        odd = next(gid for gid in idle(stage) if modified_by_others(asana, gid))
        asana.faults.add(route=STORIES, path=tasks_of(asana, odd), **how)
        steps = await stage.steps(await stage.run("cycle"))
        assert steps["activity"].state == "finished"
        assert odd not in await stage.candidates()
        assert [lost["user_gid"] for lost in await stage.events("CoverageLost")] == [odd]


async def test_one_person_of_whom_asana_fails_each_time_does_not_keep_the_others_waiting(
    asana: Running, database: Database
) -> None:
    async with actor_stage(asana, database) as stage:
        odd, *others = idle(stage)
        asana.faults.add("close", route=TASKS, query={"assignee": odd})
        steps = await stage.steps(await stage.run("cycle"))
        assert (steps["activity"].state, steps["activity"].counts["unknown"]) == ("finished", 1)
        found = await stage.candidates()
        assert odd not in found
        assert {found[gid][0] for gid in others} == {"ready"}
        (lost,) = await stage.events("CoverageLost")
        assert str(lost["reason"]).startswith("Asana fails each time that it is asked about this person")


async def test_an_unknown_person_is_judged_again_once_asana_answers(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        odd = idle(stage)[0]
        fault = asana.faults.add("answer", route=TASKS, query={"assignee": odd}, status=403)
        await stage.run("cycle")
        asana.faults.remove(fault)
        stage.later(hours=1)
        await stage.run("cycle")
        assert (await stage.candidates())[odd] == ("ready", "idle")


async def test_a_candidate_of_whom_nothing_is_known_today_stays_as_it_is(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        await stage.run("cycle")
        odd = idle(stage)[0]
        stage.later(days=1)
        asana.changes.act(odd)
        asana.faults.add("answer", route=TASKS, query={"assignee": odd}, status=403)
        await stage.run("cycle")
        assert (await stage.candidates())[odd] == ("ready", "idle")


@pytest.mark.parametrize("status", [402, 403, 404])
async def test_when_many_are_unknown_the_pull_is_incomplete_and_nobody_is_a_candidate(
    status: int, asana: Running, database: Database
) -> None:
    async with actor_stage(asana, database) as stage:
        asana.faults.add("answer", route=TASKS, status=status)
        cycle = await stage.run("cycle")
        steps = await stage.steps(cycle)
        assert (steps["activity"].reason or "").startswith("activity incomplete: no answer for ")
        assert (steps["candidates"].state, steps["candidates"].reason) == ("not_run", "not run: activity incomplete")
        assert (steps["reclaim"].state, steps["reclaim"].reason) == ("not_run", "not run: candidates was not run")
        assert (steps["download"].state, steps["reconcile"].state, cycle.state) == ("finished", "finished", "failed")
        assert await stage.candidates() == {}


@pytest.mark.parametrize(("more", "state"), [(0, "finished"), (1, "failed")])
async def test_five_percent_unknown_are_borne_and_one_more_is_not(
    more: int, state: str, asana: Running, database: Database
) -> None:
    async with actor_stage(asana, database) as stage:
        await stage.run("download")
        paid = await asked_of(stage)
        unknown = "|".join(paid[: int(0.05 * len(paid)) + more])
        asana.faults.add("answer", route=TASKS, query={"assignee": unknown}, status=403)
        assert (await stage.run("activity")).state == state


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"kind": "answer", "status": 401}, "run `./seats connect acme` again"),
        ({"kind": "answer", "status": 500}, "Asana is in trouble"),
        ({"kind": "close"}, "could not be reached"),
        ({"kind": "cut", "route": STORIES}, "could not be reached"),
        ({"kind": "answer", "status": 429, "headers": {"Retry-After": "60"}}, "slow down"),
    ],
    ids=["401", "500", "closed", "stories cut", "429"],
)
async def test_trouble_that_concerns_everybody_fails_the_pull_and_makes_nobody_a_candidate(
    how: dict[str, Any], reason: str, asana: Running, database: Database
) -> None:
    async with actor_stage(asana, database) as stage:
        asana.faults.add(**{"route": TASKS, **how})
        steps = await stage.steps(await stage.run("cycle"))
        assert (steps["activity"].state, steps["candidates"].state) == ("failed", "not_run")
        assert reason in (steps["activity"].reason or "")
        assert await stage.candidates() == {}
        assert await stage.count("SELECT count(*) FROM coverage") == 0


async def test_a_429_puts_the_pull_off_and_drops_the_questions_beside_it(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        await stage.run("download")
        await stage.order("activity")
        command = await stage.take_a(PullActivity)
        asana.requests.reset()
        asana.faults.add("answer", route=TASKS, status=429, headers={"Retry-After": "45"})
        with pytest.raises(RetryLater) as put_off:
            await stage.attempt(command)
        assert put_off.value.delay == 45_000
        assert asana.requests.total <= stage.worker.settings.reads_in_flight
        asana.faults.clear()


async def test_a_pull_that_was_interrupted_goes_on_from_its_checkpoint(
    asana: Running, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "ASKED_AT_ONCE", 20)
    async with actor_stage(asana, database) as stage:
        await stage.run("download")
        paid = await asked_of(stage)
        await stage.order("activity")
        command = await stage.take_a(PullActivity)
        several = "|".join(paid[50:54])
        fault = asana.faults.add("answer", route=TASKS, query={"assignee": several}, status=500)
        with pytest.raises(Exception, match="Asana is in trouble"):
            await stage.attempt(command)
        asana.faults.remove(fault)
        assert await stage.count("SELECT count(*) FROM coverage WHERE source = 'tasks'") == 40
        asana.requests.reset()
        await stage.attempt(command)
        assert asana.requests.by_route["GET /tasks"] == len(paid) - 40
        run = await stage.read(command.run_id)
        assert (run.state, run.counts["asked"]) == ("finished", len(paid))
        await assert_last_acts_are_true(stage, paid)


async def test_what_was_asked_ahead_is_dropped_with_a_slice_that_was_taken_over(
    asana: Running, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "ASKED_AT_ONCE", 20)
    keep = activity._keep

    async def keep_late(asked: Any, *rest: Any) -> None:  # noqa: ANN401 - as `_keep` takes them
        await stage.owner.execute("UPDATE run SET fence = fence + 1 WHERE id = %s", [asked.piece.run.id])
        await keep(asked, *rest)

    async with actor_stage(asana, database) as stage:
        await stage.run("download")
        await stage.order("activity")
        command = await stage.take_a(PullActivity)
        with monkeypatch.context() as late:
            late.setattr(activity, "_keep", keep_late)
            await stage.attempt(command)
        assert await stage.count("SELECT count(*) FROM coverage") == 0
        assert [task for task in asyncio.all_tasks() if "_asking" in repr(task)] == []
        await stage.attempt(command)
        assert (await stage.read(command.run_id)).state == "finished"


async def test_slices_carry_a_pull_on_to_the_same_result(
    asana: Running, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "ASKED_AT_ONCE", 40)
    async with actor_stage(asana, database, slice_seconds=0.001) as stage:
        await stage.run("download")
        run = await stage.run("activity")
        paid = await asked_of(stage)
        assert (run.state, run.slice >= 3, run.counts["asked"]) == ("finished", True, len(paid))
        await assert_last_acts_are_true(stage, paid)


async def assert_last_acts_are_true(stage: Stage, paid: list[str]) -> None:
    truth = stage.asana.truth(stage.now - LOOK_BACK)
    seen = {gid: truth[gid].last_work_seen_by_tasks_at for gid in paid}
    acts = await stage.rows(
        """SELECT user_gid, max(acted_at) AS acted_at FROM observation o JOIN subscription s ON s.id = o.subscription_id
            WHERE source = 'tasks' GROUP BY user_gid"""
    )
    assert {row["user_gid"]: row["acted_at"] for row in acts} == {gid: at for gid, at in seen.items() if at is not None}
