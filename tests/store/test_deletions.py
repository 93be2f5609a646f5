"""Deleting a profile: what runs and what is open ends, an unanswered removal forbids it, history stays."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import psycopg
import pytest

from messages.errors import RequestError
from messages.requests import Request
from store import (
    cycles,
    deletions,
    endings,
    housekeeping,
    plans,
    profiles,
    readings,
    removals,
    requests,
    runs,
    schedules,
)
from store.connect import Connection, open_connection
from store.deletions import DeletionRefused, Ended
from store.endings import Fenced
from store.plans import PlanRefused
from store.profiles import Profile
from store.runs import Order
from tests.conftest import Database
from tests.eventually import eventually
from tests.rows import NOW, add_plan, add_profile, count
from tests.store.people import acme, add_candidate, add_subscription, start_run
from tests.store.run_stage import LATER, command_of, order, seen, take, taken
from tests.store.test_removals import approved, intend

WAITING = "pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
pytestmark = [pytest.mark.anyio, pytest.mark.services]


@pytest.fixture
async def console(database: Database) -> AsyncIterator[Connection]:
    async with open_connection(database.url("console")) as connection:
        yield connection


async def the(connection: Connection, name: str = "acme") -> Profile:
    found = await profiles.get(connection, name)
    assert found is not None
    return found


async def delete(console: Connection, name: str = "acme") -> Ended:
    async with console.transaction():
        return await deletions.delete(console, await the(console, name), by="ann", now=NOW)


async def events(connection: Connection, profile: str) -> list[str]:
    said = await readings.newest_events(connection, readings.Wanted(profile=profile), 1000)
    return [one.name for one in said]


async def test_what_is_open_is_skipped_with_a_line_and_an_event(database: Database, console: Connection) -> None:
    async with acme(database) as (owner, profile):
        run = await start_run(owner, profile, "candidates")
        for number, state in enumerate(("ready", "attention_required", "awaiting_approval")):
            subscription = await add_subscription(owner, profile, str(1001 + number))
            await add_candidate(owner, profile, subscription, run, state)
        await add_plan(owner, profile)
        before = await count(owner, "decision")
        ended = await delete(console)
        assert ended == Ended(runs=1, candidates=3, plans=1)
        assert await count(owner, "candidate WHERE closed_at IS NULL") == 0
        assert await count(owner, "candidate WHERE state = 'closed_skipped' AND why = 'the profile was deleted'") == 3
        assert await count(owner, "decision WHERE decided_by = 'ann' AND state_to = 'closed_skipped'") == 3
        assert await count(owner, "decision") == before + 3
        assert await count(owner, "subscription WHERE state = 'active'") == 3, "what is known stays"
        said = await events(owner, f"acme@{profile}")
        assert said.count("CandidateChanged") == 3
        assert said[-2:] == ["ProfileUnpublished", "ProfileDeleted"]
        assert "PlanExpired" in said


async def test_a_removal_without_an_answer_forbids_it(database: Database, console: Connection) -> None:
    async with approved(database) as (owner, _, _, run, (person, _)):
        await intend(owner, run, person)
        before = await count(owner, "outbox")
        with pytest.raises(DeletionRefused, match="not known yet"):
            await delete(console)
        assert (await the(console)).status == "published"
        assert await count(owner, "outbox") == before


async def test_after_it_no_removal_is_intended(database: Database, console: Connection) -> None:
    async with approved(database) as (owner, profile, plan, run, (person, _)):
        await delete(console)
        async with owner.transaction():
            assert await removals.why_held(owner, profile, plan, NOW) == "the profile is not published"
        with pytest.raises(Fenced):
            await removals.intend(owner, run, person, {"at": NOW.isoformat()}, window=LATER - NOW, now=NOW)
        assert await count(owner, "removal") == 0


async def test_of_an_intent_and_a_deletion_at_once_one_is_refused(database: Database) -> None:
    """Whoever comes second sees the first: never a deleted profile with an open intent."""
    async with approved(database) as (owner, profile, plan, run, (person, _)):
        async with (
            open_connection(database.url("reclaim")) as reclaim,
            open_connection(database.url("console")) as one,
            open_connection(database.admin_url) as admin,
        ):

            async def try_to_delete() -> bool:
                try:
                    await delete(one)
                except DeletionRefused:
                    return False
                return True

            async with reclaim.transaction():
                assert await removals.why_held(reclaim, profile, plan, NOW) is None
                deleting = asyncio.create_task(try_to_delete())
                assert await eventually(lambda: count(admin, WAITING))
                await removals.intend(reclaim, run, person, {"at": NOW.isoformat()}, window=LATER - NOW, now=NOW)
            assert not await deleting
        assert await count(owner, "removal WHERE state = 'calling'") == 1


async def test_queued_runs_are_not_run_and_their_commands_end_politely(database: Database, console: Connection) -> None:
    async with open_connection(database.owner_url) as owner, open_connection(database.url("worker")) as worker:
        profile = await add_profile(owner)
        cycle, waiting = await order(owner, profile, "cycle"), await order(owner, profile, "reconcile")
        download = (await runs.steps_of(owner, cycle))[0]
        assert await delete(console) == Ended(runs=3, candidates=0, plans=0)
        assert (await seen(owner, cycle)).reason == "the profile was deleted"
        for run_id in (waiting, download.id):
            assert (await seen(owner, run_id)).state == "not_run"
        assert await take(worker, command_of(waiting, "reconcile")) is None
        assert await take(worker, command_of(download.id)) is None
        assert len(await runs.steps_of(owner, cycle)) == 1, "no step follows"


async def test_a_worker_in_the_middle_finds_itself_fenced(database: Database, console: Connection) -> None:
    async with open_connection(database.owner_url) as owner, open_connection(database.url("worker")) as worker:
        profile = await add_profile(owner)
        mine = await taken(worker, command_of(await order(owner, profile)))
        await delete(console)
        with pytest.raises(Fenced):
            await endings.finish(worker, mine, counts={}, now=LATER)
        assert (await seen(owner, mine.id)).state == "failed"


async def test_what_was_asked_for_in_that_moment_is_not_run(database: Database, console: Connection) -> None:
    """A request that was accepted beside the deletion has a run that it did not see."""
    async with open_connection(database.owner_url) as owner, open_connection(database.url("worker")) as worker:
        profile = await add_profile(owner)
        await delete(console)
        late = await cycles.add(owner, Order(profile_id=profile, kind="download", requested_by="x"), NOW)
        assert await take(worker, command_of(late)) is None
        assert (await seen(owner, late)).reason == "not run: the profile was deleted"


async def test_its_name_is_free_and_the_two_are_never_mixed(database: Database, console: Connection) -> None:
    async with open_connection(database.owner_url) as owner:
        first = await add_profile(owner)
        await schedules.put(owner, first, "cycle", "0 5 * * *", "UTC", NOW)
        old = await order(owner, first)
        await delete(console)
        assert await profiles.get(console, "acme") is None
        await owner.execute("UPDATE connection SET alias = 'before'")
        second = await add_profile(owner)
        new = await order(owner, second)
        assert [one.id for one in await runs.recent(console, profile="acme", limit=9)] == [new]
        assert [one.id for one in await runs.recent(console, profile=f"acme@{first}", limit=9)] == [old]
        assert [one.id for one in await profiles.deleted(console)] == [first]
        assert [one.id for one in await profiles.all_of(console)] == [second]
        assert await schedules.due(owner, LATER.replace(year=2030)) == []
        wanted = Request.model_validate({"id": uuid4(), "kind": "download", "profile": "acme", "requested_by": "x"})
        accepted = await requests.take(owner, wanted, NOW)
        assert (await seen(owner, accepted.run_id)).profile_id == second
        with pytest.raises(psycopg.errors.UniqueViolation):
            await add_profile(owner)


async def test_what_names_a_deleted_profile_is_refused(database: Database, console: Connection) -> None:
    async with open_connection(database.owner_url) as owner:
        profile = await add_profile(owner)
        plan = await add_plan(owner, profile, approved=False)
        gone = await the(console)
        await delete(console)
        with pytest.raises(PlanRefused):
            await plans.approve(owner, plan, by="bob", now=NOW)
        wanted = Request.model_validate({"id": uuid4(), "kind": "download", "profile": "acme", "requested_by": "x"})
        with pytest.raises(RequestError, match="there is no profile acme"):
            await requests.take(owner, wanted, NOW)
        with pytest.raises(DeletionRefused, match="already"):
            await deletions.delete(console, gone, by="ann", now=NOW)
        assert await housekeeping.expire_plans(owner, LATER.replace(year=2030)) == 0
