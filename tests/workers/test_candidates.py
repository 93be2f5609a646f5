"""Finding candidates: on which pull a verdict stands, and what it does when it stands on nothing."""

from collections.abc import Iterator

import pytest

from messages.commands import FindReclamationCandidates
from sandbox.asana import Running
from tests.conftest import Database
from tests.workers.actor_stage import Stage, actor_stage, organization
from workers import candidates

pytestmark = [pytest.mark.anyio, pytest.mark.services]


@pytest.fixture
def asana() -> Iterator[Running]:
    with organization(people=80) as lookalike:
        yield lookalike


async def states(stage: Stage) -> set[str]:
    return {state for state, _ in (await stage.candidates()).values()}


async def test_without_any_pull_of_activity_the_run_is_refused(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        await stage.run("download")
        run = await stage.run("candidates")
        assert (run.state, run.reason) == ("failed", "no activity was pulled yet: run activity first")
        assert await stage.candidates() == {}


async def test_without_a_rule_the_run_is_refused(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        await stage.run("download")
        await stage.run("activity")
        await stage.owner.execute("DELETE FROM reclamation_rule")
        run = await stage.run("candidates")
        assert (run.state, run.reason) == ("failed", "no reclamation rule")


async def test_a_pull_that_failed_counts_for_nothing(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        await stage.run("download")
        asana.faults.add("answer", route="/tasks", status=403)
        await stage.run("activity")
        run = await stage.run("candidates")
        assert (run.state, run.reason) == ("failed", "no activity was pulled yet: run activity first")


@pytest.mark.parametrize(("seconds", "found"), [(86_400, {"ready", "attention_required"}), (86_400.001, set())])
async def test_a_run_alone_stands_on_the_last_pull_for_24_hours(
    seconds: float, found: set[str], asana: Running, database: Database
) -> None:
    async with actor_stage(asana, database) as stage:
        await stage.run("download")
        await stage.run("activity")
        stage.later(seconds=seconds)
        run = await stage.run("candidates")
        assert run.state == "finished"
        assert await states(stage) == found


async def test_a_stale_pull_changes_no_candidate_either(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        await stage.run("cycle")
        before = await stage.candidates()
        stage.later(days=3)
        await stage.run("candidates")
        assert await stage.candidates() == before


async def test_a_rule_that_wants_any_use_finds_nobody(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        await stage.owner.execute("UPDATE reclamation_rule SET evidence = 'any_use'")
        steps = await stage.steps(await stage.run("cycle"))
        assert (steps["candidates"].state, await stage.candidates()) == ("finished", {})


async def test_who_was_never_seen_stays_so_until_an_act_is_seen(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        await stage.run("cycle")
        never = [
            gid for gid, found in (await stage.candidates()).items() if found == ("attention_required", "never_seen")
        ]
        came, stayed_away = never[:2]
        asana.changes.act(came, at=stage.now)
        stage.later(days=1)
        await stage.run("cycle")
        assert (await stage.candidates())[came] == ("closed_canceled", "active")
        assert (await stage.candidates())[stayed_away] == ("attention_required", "never_seen")


async def test_a_candidate_whose_removal_is_under_way_is_left_alone(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        await stage.run("cycle")
        await stage.owner.execute("UPDATE candidate SET state = 'awaiting_revocation' WHERE state = 'ready'")
        chosen = next(gid for gid, (state, _) in (await stage.candidates()).items() if state == "awaiting_revocation")
        stage.later(days=1)
        asana.changes.act(chosen)
        await stage.run("cycle")
        assert (await stage.candidates())[chosen][0] == "awaiting_revocation"


async def test_slices_judge_everybody_once(asana: Running, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "JUDGED_AT_ONCE", 30)
    async with actor_stage(asana, database, slice_seconds=0.001) as stage:
        await stage.run("download")
        await stage.run("activity")
        run = await stage.run("candidates")
        assert (run.state, run.slice, run.counts["judged"]) == ("finished", 3, len(await stage.subscriptions()))
        assert run.counts["found"] == await stage.count("SELECT count(*) FROM candidate")


async def test_a_command_that_comes_again_finds_nobody_twice(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        await stage.run("download")
        await stage.run("activity")
        await stage.order("candidates")
        command = await stage.take_a(FindReclamationCandidates)
        await stage.attempt(command)
        found = await stage.events("CandidateFound")
        await stage.attempt(command)
        assert await stage.events("CandidateFound") == found


async def test_the_evidence_of_a_candidate_says_what_it_stood_on(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        await stage.run("cycle")
        (row,) = await stage.rows(
            "SELECT why, evidence, decided_by FROM decision WHERE state_to = 'ready' ORDER BY id LIMIT 1"
        )
        evidence = row["evidence"]
        assert isinstance(evidence, dict)
        assert evidence["reason"] == "idle"
        assert evidence["covered"]["tasks"] == [["2025-11-02T06:00:00+00:00", "2026-03-02T06:00:00+00:00"]]
        assert "reading, logging in and likes" in evidence["unseen"]
        assert str(evidence["last_act"]) in str(row["why"])
        assert row["decided_by"] == "seatkeeper"
