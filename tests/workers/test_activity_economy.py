"""The economical pull against an organization whose truth is known: fewer are asked, and the same are found."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from messages.commands import PullActivity
from rules.evidence import SEARCH
from sandbox.asana import Running
from sources.search import AT_ONCE
from tests.conftest import Database
from tests.workers.actor_stage import LOOK_BACK, THRESHOLD, Stage, actor_stage, organization
from tests.workers.known_search import KnownSearch
from tests.workers.test_day import expected_candidates
from workers import asking, looking

pytestmark = [pytest.mark.anyio, pytest.mark.services]

TASKS = "GET /tasks"


@pytest.fixture
def asana() -> Iterator[Running]:
    with organization(people=150) as lookalike:
        yield lookalike


@pytest.fixture
def search(asana: Running, monkeypatch: pytest.MonkeyPatch) -> KnownSearch:
    known = KnownSearch(asana)
    monkeypatch.setattr(asking, "search", known)
    monkeypatch.setattr(looking, "search", known)
    return known


async def windows(stage: Stage, gid: str) -> dict[str, tuple[datetime, datetime]]:
    """By source, the one window in which a person was seen."""
    rows = await stage.rows(
        f"""SELECT source, lower(covered) AS first, upper(covered) AS last FROM coverage c
              JOIN subscription s ON s.id = c.subscription_id
             WHERE user_gid = '{gid}' AND (SELECT count(*) FROM unnest(covered)) = 1"""
    )
    return {str(row["source"]): (row["first"], row["last"]) for row in rows}  # type: ignore[misc] # times


async def candidates_of(stage: Stage) -> dict[str, str]:
    return {gid: state for gid, (state, _) in (await stage.candidates()).items() if not state.startswith("closed")}


def at_work(stage: Stage) -> str:
    """Somebody with a paid seat who worked yesterday or today, and nobody's idea of a candidate."""
    truth, company = stage.asana.truth(stage.now - LOOK_BACK), stage.asana.organization.company
    return next(
        gid
        for gid, one in truth.items()
        if one.last_work_seen_by_tasks_at
        and one.last_work_seen_by_tasks_at > stage.now - timedelta(days=3)
        and (seat := company.by_person.get(gid))
        and seat.is_active
        and not (seat.is_admin or seat.is_guest or seat.is_view_only)
        and seat.created_at < stage.now - THRESHOLD
    )


async def test_on_every_day_it_finds_what_is_true_and_asks_about_few(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        first_day = stage.now
        await stage.run("cycle")
        assert await candidates_of(stage) == expected_candidates(stage)
        everybody = asana.requests.by_route[TASKS]
        asana.requests.reset()
        for day in range(5):
            stage.later(days=3)
            somebody = sorted(await candidates_of(stage))[day]
            asana.changes.act(somebody)
            steps = await stage.steps(await stage.run("cycle"))
            assert await candidates_of(stage) == expected_candidates(stage, first_day)
            assert (await stage.candidates())[somebody] == ("closed_canceled", "active")
            assert steps["activity"].counts["due"] == steps["activity"].counts["asked"]
        assert asana.requests.by_route[TASKS] < 5 * everybody / 2, "half of this organization works or is new"


async def test_a_full_sweep_asks_about_everybody_every_day(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        await stage.owner.execute("UPDATE profile SET sweep = 'full'")
        await stage.run("download")
        for _ in range(2):
            run = await stage.run("activity")
            assert run.counts["asked"] == run.counts["people"] == run.counts["due"]
            stage.later(days=1)


async def test_whoever_worked_lately_is_kept_without_being_asked(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        await stage.run("cycle")
        someone = at_work(stage)
        covered = await windows(stage, someone)
        stage.later(days=1)
        await stage.run("cycle")
        assert await windows(stage, someone) == covered, "nobody asked"
        assert someone not in await stage.candidates()


async def test_whoever_stops_working_is_asked_in_time_from_the_end_of_what_was_seen(
    asana: Running, database: Database
) -> None:
    async with actor_stage(asana, database) as stage:
        begun = stage.now
        await stage.run("cycle")
        someone = at_work(stage)
        last = asana.truth(begun - LOOK_BACK)[someone].last_work_seen_by_tasks_at
        assert last is not None
        asana.clock.move(last + THRESHOLD + timedelta(hours=1) - stage.now)
        await stage.run("cycle")
        assert (await stage.candidates())[someone] == ("ready", "idle")
        assert await windows(stage, someone) == {"tasks": (begun - LOOK_BACK, stage.now)}


async def test_a_refused_person_is_asked_again_the_next_day(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        someone = at_work(stage)
        fault = asana.faults.add("answer", route="/tasks", query={"assignee": someone}, status=403)
        await stage.run("cycle")
        asana.faults.remove(fault)
        stage.later(days=1)
        await stage.run("cycle")
        assert (await windows(stage, someone))["tasks"][1] == stage.now


async def test_on_a_paid_plan_only_who_would_be_idle_gets_the_deep_look(
    asana: Running, database: Database, search: KnownSearch
) -> None:
    async with actor_stage(asana, database, plan="advanced") as stage:
        idle_by_tasks = set(expected_candidates(stage))
        steps = await stage.steps(await stage.run("cycle"))
        assert (search.watched, search.sifted) == ([], []), "nobody was seen before"
        looked = {one.user_gid for one in search.looked}
        assert idle_by_tasks <= looked
        assert steps["activity"].counts["looked_deep"] == len(looked) < steps["activity"].counts["asked"] / 2
        found = await candidates_of(stage)
        assert found
        assert set(found) < idle_by_tasks, "the search sees some of them at work"


async def test_candidates_who_do_not_move_are_watched_in_groups_and_covered(
    asana: Running, database: Database, search: KnownSearch
) -> None:
    async with actor_stage(asana, database, plan="advanced") as stage:
        await stage.run("cycle")
        found = await candidates_of(stage)
        moves = next(gid for gid, state in found.items() if state == "ready")
        search.forget()
        asana.requests.reset()
        stage.later(days=1)
        asana.changes.act(moves)
        steps = await stage.steps(await stage.run("cycle"))
        asked = [gid for group in search.watched for gid in group]
        assert set(found) <= set(asked)
        assert len(asked) == len(set(asked))
        assert max(map(len, search.watched)) <= AT_ONCE
        assert asana.requests.by_route[TASKS] < len(found) / 2
        counts = steps["activity"].counts
        assert 0 < counts["watched"] <= len(asked) < counts["watched"] + counts["asked"]
        assert (await stage.candidates())[moves] == ("closed_canceled", "active")
        stays = next(gid for gid in found if gid not in {one.user_gid for one in search.looked} and gid != moves)
        ends = {source: last for source, (_, last) in (await windows(stage, stays)).items()}
        assert ends == dict.fromkeys(("tasks", "search"), stage.now - SEARCH.lag)
        assert (await candidates_of(stage)).items() >= {stays: found[stays]}.items()


async def test_who_made_something_lately_is_settled_by_that_alone(
    asana: Running, database: Database, search: KnownSearch
) -> None:
    async with actor_stage(asana, database, plan="advanced") as stage:
        await stage.run("cycle")
        someone = at_work(stage)
        last = asana.truth(stage.now - LOOK_BACK)[someone].last_work_seen_by_tasks_at
        assert last is not None
        asana.clock.move(last + THRESHOLD - timedelta(hours=12) - stage.now)
        asana.changes.create(someone, assignee=None, at=stage.now - timedelta(days=5))
        covered = await windows(stage, someone)
        search.forget()
        run = await stage.run("activity")
        assert someone in {gid for group in search.sifted for gid in group}
        assert someone not in {one.user_gid for one in search.looked}
        assert run.counts["at_work"] > 0
        assert await windows(stage, someone) == covered, "an act is no window"
        again = await stage.run("activity")
        assert again.counts["due"] == 0, "everybody who was due is settled"


async def test_a_search_that_is_refused_settles_nobody_and_keeps_whom_only_it_could_clear(
    asana: Running, database: Database, search: KnownSearch
) -> None:
    """A free organization that was published as a paid one: 402 to every search."""
    async with actor_stage(asana, database, plan="advanced") as stage:
        await stage.run("cycle")
        found = await stage.candidates()
        search.is_refused = True
        stage.later(days=1)
        steps = await stage.steps(await stage.run("cycle"))
        assert steps["activity"].state == "failed"
        assert "no answer for" in (steps["activity"].reason or "")
        assert steps["candidates"].state == "not_run"
        assert await stage.candidates() == found


async def test_slices_of_an_economical_pull_skip_nobody_and_ask_nobody_twice(
    asana: Running, database: Database, search: KnownSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.activity.ASKED_AT_ONCE", 10)
    async with actor_stage(asana, database, plan="advanced", slice_seconds=0.001) as stage:
        await stage.run("cycle")
        search.forget()
        stage.later(days=20)
        await stage.order("activity")
        command = await stage.take_a(PullActivity)
        await stage.attempt(command)
        await stage.attempt(command)  # the same message again: its slice is over
        await stage.play()
        run = await stage.read(command.run_id)
        assert (run.state, run.slice > 2, run.counts["asked"]) == ("finished", True, run.counts["due"])
        sifted = [gid for group in search.sifted for gid in group]
        assert len(sifted) == len(set(sifted)) > 0
