"""The intent: under the profile's lock, within the cap, by the one process that may; and its settlement, once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Literal
from uuid import uuid4

import psycopg
import pytest

from messages.events import ReclaimStopped
from store import plans, removals, settlements
from store.connect import Connection, open_connection
from store.endings import Fenced
from store.outbox import say
from store.removals import Item
from store.runs import Run
from store.settlements import Settlement
from tests.conftest import Database
from tests.rows import NOW, add_profile, count
from tests.store.people import acme, add_candidate, add_subscription, start_run

pytestmark = [pytest.mark.anyio, pytest.mark.services]

WINDOW = timedelta(seconds=10)
LOOK = {"reason": "last_look", "at": NOW.isoformat()}
DONE = Settlement(state="done", outcome="reclaimed", why="read back as gone")


@asynccontextmanager
async def approved(database: Database, people: int = 2) -> AsyncIterator[tuple[Connection, int, str, Run, list[Item]]]:
    """Yield owner, profile, hash, the running reclaim and the people of an approved plan."""
    async with acme(database) as (owner, profile):
        run = await start_run(owner, profile, "candidates")
        for number in range(people):
            subscription = await add_subscription(owner, profile, str(1001 + number))
            await add_candidate(owner, profile, subscription, run, "ready")
        await owner.execute("UPDATE profile SET leashed = false, work_goes_to = 'the admin'")
        async with owner.transaction():
            plan = await plans.make(owner, profile_id=profile, made_by="ann", now=NOW)
            await plans.approve(owner, plan.hash, by="bob", now=NOW)
        reclaim = await start_run(owner, profile, "reclaim")
        await removals.take_up_plan(owner, reclaim, plan.hash)
        found = [
            await removals.item(owner, plan.hash, one.subscription_id) for one in await plans.items(owner, plan.hash)
        ]
        yield owner, profile, plan.hash, reclaim, [item for item in found if item is not None]


async def intend(connection: Connection, run: Run, person: Item, now: datetime = NOW) -> int:
    async with connection.transaction():
        assert await removals.why_held(connection, person.profile_id, person.plan_hash, now) is None
        return (await removals.intend(connection, run, person, LOOK, window=WINDOW, now=now)).removal_id


async def settle(connection: Connection, person: Item, removal: int, settlement: Settlement = DONE) -> bool:
    async with connection.transaction():
        return await settlements.settle(connection, person, removal, settlement, uuid4(), NOW)


async def test_an_intent_says_until_when_it_may_be_called(database: Database) -> None:
    async with approved(database) as (owner, _, _, run, (person, _)):
        await intend(owner, run, person)
        cursor = await owner.execute("SELECT state, intended_at, call_before, user_gid FROM removal")
        assert await cursor.fetchall() == [("calling", NOW, NOW + WINDOW, person.user_gid)]


async def test_only_the_reclaim_process_may_write_an_intent(database: Database) -> None:
    async with approved(database) as (_, _, _, run, (person, _)):
        for role in ("worker", "scheduler", "console"):
            async with open_connection(database.url(role)) as other:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    await intend(other, run, person)
        async with open_connection(database.url("reclaim")) as reclaim:
            await intend(reclaim, run, person)


async def test_a_worker_whose_run_was_taken_up_by_another_intends_nothing(database: Database) -> None:
    async with approved(database) as (owner, _, _, run, (person, _)):
        await owner.execute("UPDATE run SET fence = fence + 1 WHERE id = %s", [run.id])
        with pytest.raises(Fenced):
            await intend(owner, run, person)
        assert await count(owner, "removal") == 0


async def test_a_candidate_that_is_not_ready_any_more_is_not_intended_for(database: Database) -> None:
    async with approved(database) as (owner, _, _, run, (person, _)):
        await owner.execute("UPDATE candidate SET state = 'attention_required' WHERE id = %s", [person.candidate_id])
        with pytest.raises(removals.NotReady):
            await intend(owner, run, person)
        assert await count(owner, "removal") == 0


async def test_a_plan_holds_one_removal_for_a_person_for_ever(database: Database) -> None:
    async with approved(database) as (owner, _, _, run, (person, _)):
        await settle(owner, person, await intend(owner, run, person))
        await owner.execute(
            "UPDATE candidate SET state = 'ready', closed_at = NULL WHERE id = %s", [person.candidate_id]
        )
        with pytest.raises(psycopg.errors.UniqueViolation):
            await intend(owner, run, person)


async def test_while_one_is_called_no_other_may_start(database: Database) -> None:
    async with approved(database) as (owner, profile, plan, run, (first, _)):
        removal = await intend(owner, run, first)
        assert "is not known yet" in (await removals.why_held(owner, profile, plan, NOW) or "")
        await settle(owner, first, removal)
        assert await removals.why_held(owner, profile, plan, NOW) is None


async def test_the_plan_of_another_profile_is_none(database: Database) -> None:
    async with approved(database) as (owner, _, plan, _, _):
        other = await add_profile(owner, "other")
        assert await removals.why_held(owner, other, plan, NOW) == "there is no such plan"


@pytest.mark.parametrize(
    ("state", "outcome", "counts"),
    [
        ("done", "reclaimed", True),
        ("parked", "unknown", True),
        ("refused", "refused", False),
        ("never_sent", "refused", False),
    ],
)
async def test_the_cap_counts_what_was_or_may_have_been_removed_in_24_hours(
    state: Literal["done", "parked", "refused", "never_sent"],
    outcome: Literal["reclaimed", "unknown", "refused"],
    counts: bool,
    database: Database,
) -> None:
    async with approved(database) as (owner, profile, plan, run, (person, _)):
        await owner.execute("UPDATE profile SET removal_cap = 1")
        settlement = Settlement(state=state, outcome=outcome, why="so it was")
        await settle(owner, person, await intend(owner, run, person), settlement)
        almost = NOW + timedelta(hours=24) - timedelta(microseconds=1)
        assert (await removals.why_held(owner, profile, plan, almost) is not None) == counts
        assert await removals.why_held(owner, profile, plan, NOW + timedelta(hours=24)) is None


async def test_several_who_intend_at_once_never_exceed_the_cap_by_one(database: Database) -> None:
    async with approved(database, people=6) as (owner, profile, plan, run, people):
        await owner.execute("UPDATE profile SET removal_cap = 2")

        async def carry_out(person: Item) -> str | None:
            async with open_connection(database.url("reclaim")) as connection, connection.transaction():
                held = await removals.why_held(connection, profile, plan, NOW)
                await asyncio.sleep(0.02)  # whoever had not locked would be seen by the others by now
                if held is None:
                    intent = await removals.intend(connection, run, person, LOOK, window=WINDOW, now=NOW)
                    await settlements.settle(connection, person, intent.removal_id, DONE, uuid4(), NOW)
                return held

        held = await asyncio.gather(*map(carry_out, people))
        assert held.count(None) == await count(owner, "removal") == 2


async def test_a_stop_waits_for_the_intent_and_whoever_only_says_something_does_not(database: Database) -> None:
    async with approved(database) as (owner, profile, plan, _, _):
        async with open_connection(database.url("reclaim")) as reclaim, reclaim.transaction():
            assert await removals.why_held(reclaim, profile, plan, NOW) is None
            await owner.execute("SET lock_timeout = '200ms'")
            said = ReclaimStopped(profile="acme", by="ann", why="audit")
            await say(owner, said, subject="x", profile_id=profile, correlation_id=uuid4(), now=NOW)
            with pytest.raises(psycopg.errors.LockNotAvailable):
                await owner.execute("UPDATE profile SET leashed = true")
        await owner.execute("UPDATE profile SET leashed = true")
        assert "leashed" in (await removals.why_held(owner, profile, plan, NOW) or "")


async def test_a_removal_is_settled_once(database: Database) -> None:
    async with approved(database) as (owner, _, plan, run, (person, _)):
        removal = await intend(owner, run, person)
        assert await settle(owner, person, removal)
        parked = Settlement(state="parked", outcome="unknown", why="too late")
        assert not await settle(owner, person, removal, parked)
        assert await removals.outcomes(owner, plan) == {"reclaimed": 1, "waiting": 1}
        assert await count(owner, "outbox WHERE name IN ('SubscriptionReclaimed', 'ReclaimFailed')") == 1
        assert await count(owner, "subscription WHERE gone_because = 'reclaimed'") == 1


async def test_the_next_person_is_the_first_who_is_not_settled(database: Database) -> None:
    async with approved(database) as (owner, _, plan, run, (first, second)):
        assert await removals.next_unsettled(owner, plan) == first.subscription_id
        await settlements.settle_item(owner, first, "kept", "is an admin now", NOW)
        assert await removals.next_unsettled(owner, plan) == second.subscription_id
        await settlements.settle_item(owner, first, "reclaimed", "a second thought", NOW)
        assert await removals.outcomes(owner, plan) == {"kept": 1, "waiting": 1}, "settled is settled"
        await settle(owner, second, await intend(owner, run, second))
        assert await removals.next_unsettled(owner, plan) is None
