"""Evidence as it is kept: acts are added and never moved, a window is what some source claimed, a gap stays one."""

import asyncio
from datetime import datetime, timedelta

import psycopg
import pytest
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from store import activity
from store.activity import Claimed, Lost
from store.connect import Connection, open_connection
from tests.conftest import Database
from tests.eventually import eventually
from tests.rows import NOW, add_profile, count
from tests.store.people import acme, add_subscription, start_run

pytestmark = [pytest.mark.anyio, pytest.mark.services]

DAY = timedelta(days=1)
LOOK_BACK = NOW - 90 * DAY


async def windows(owner: Connection) -> list[tuple[datetime | None, datetime | None]]:
    cursor = await owner.execute("SELECT covered FROM coverage")
    row = await cursor.fetchone()
    assert row is not None
    return [(window.lower, window.upper) for window in row[0]]


async def cover(owner: Connection, profile: int, subscription: int, *seen: tuple[datetime, datetime]) -> None:
    covered = Multirange([Range(begin, end, "[]") for begin, end in seen])
    await owner.execute(
        "INSERT INTO coverage VALUES (%s, %s, 'tasks', %s, %s)", [profile, subscription, covered, NOW - DAY]
    )


async def trouble(owner: Connection) -> tuple[object, ...]:
    cursor = await owner.execute("SELECT trouble, pulled_at FROM coverage")
    row = await cursor.fetchone()
    assert row is not None
    return row


async def test_a_whole_answer_claims_its_window_and_closes_the_gap_before_it(database: Database) -> None:
    async with acme(database) as (owner, profile):
        subscription = await add_subscription(owner, profile, "1")
        await cover(owner, profile, subscription, (LOOK_BACK, NOW - 50 * DAY), (NOW - 40 * DAY, NOW - DAY))
        await activity.claim(owner, profile, "tasks", [Claimed(subscription, NOW - 51 * DAY, NOW)], NOW)
        assert await windows(owner) == [(LOOK_BACK, NOW)]


async def test_an_answer_that_comes_late_adds_and_never_takes_away(database: Database) -> None:
    async with acme(database) as (owner, profile):
        subscription = await add_subscription(owner, profile, "1")
        await cover(owner, profile, subscription, (LOOK_BACK, NOW))
        late = Claimed(subscription, LOOK_BACK - 9 * DAY, NOW - 5 * DAY)
        for _ in range(2):
            await activity.claim(owner, profile, "tasks", [late], NOW - 5 * DAY)
        assert await windows(owner) == [(LOOK_BACK - 9 * DAY, NOW)]
        assert (await trouble(owner))[1] == NOW - DAY, "the last try stays the last one"


async def test_a_window_without_any_time_in_it_claims_nothing_but_that_it_was_asked(database: Database) -> None:
    async with acme(database) as (owner, profile):
        subscription = await add_subscription(owner, profile, "1")
        await activity.claim(owner, profile, "tasks", [Claimed(subscription, NOW, NOW)], NOW)
        await activity.claim(owner, profile, "tasks", [Claimed(subscription, NOW, NOW - DAY)], NOW)
        assert await windows(owner) == []
        assert await trouble(owner) == (None, NOW)


async def test_a_refused_answer_claims_nothing_and_takes_nothing_back(database: Database) -> None:
    async with acme(database) as (owner, profile):
        subscription = await add_subscription(owner, profile, "1")
        await cover(owner, profile, subscription, (LOOK_BACK, NOW - DAY))
        await activity.note_trouble(owner, profile, "tasks", {subscription: "answer 403"}, NOW)
        assert await windows(owner) == [(LOOK_BACK, NOW - DAY)]
        assert await trouble(owner) == ("answer 403", NOW)
        await activity.claim(owner, profile, "tasks", [Claimed(subscription, LOOK_BACK, NOW - 2 * DAY)], NOW - DAY)
        assert await trouble(owner) == ("answer 403", NOW), "an older answer hides no later trouble"
        await activity.note_trouble(owner, profile, "tasks", {subscription: "older"}, NOW - DAY)
        assert await trouble(owner) == ("answer 403", NOW)
        await activity.claim(owner, profile, "tasks", [Claimed(subscription, LOOK_BACK, NOW)], NOW)
        assert await trouble(owner) == (None, NOW)


async def test_what_one_source_saw_says_nothing_of_another(database: Database) -> None:
    async with acme(database) as (owner, profile):
        subscription = await add_subscription(owner, profile, "1")
        await activity.claim(owner, profile, "search", [Claimed(subscription, LOOK_BACK, NOW)], NOW)
        await activity.note_trouble(owner, profile, "tasks", {subscription: "answer 403"}, NOW)
        cursor = await owner.execute("SELECT source, covered <> '{}', trouble FROM coverage ORDER BY source")
        assert await cursor.fetchall() == [("search", True, None), ("tasks", False, "answer 403")]


async def test_acts_are_added_and_never_moved(database: Database) -> None:
    async with acme(database) as (owner, profile):
        subscription = await add_subscription(owner, profile, "1")
        newer = (subscription, "comment_added", NOW - DAY, "task/1/story/2")
        older = (subscription, "task_created", NOW - 9 * DAY, "task/3")
        for act in (newer, newer, older):
            await activity.add_acts(owner, profile, [act], NOW)
        await activity.add_acts(owner, profile, [newer], NOW, source="search")
        assert await count(owner, "observation") == 3
        cursor = await owner.execute("SELECT acted_at FROM last_activity")
        assert await cursor.fetchall() == [(NOW - DAY,)]


async def acts(owner: Connection) -> list[tuple[str, str]]:
    cursor = await owner.execute("SELECT act, proof FROM observation ORDER BY acted_at")
    return [(str(act), str(proof)) for act, proof in await cursor.fetchall()]


async def test_many_people_are_kept_at_once_each_with_their_own(database: Database) -> None:
    async with acme(database) as (owner, profile):
        one, two, three = [await add_subscription(owner, profile, gid) for gid in ("1", "2", "3")]
        await cover(owner, profile, two, (LOOK_BACK, NOW - 50 * DAY))
        seen = [(one, 'an "odd" act, \\N', NOW - DAY, "task/1"), (two, "task_created", NOW - 2 * DAY, "task/2")]
        await activity.add_acts(owner, profile, seen, NOW)
        claims = [
            Claimed(two, NOW - 51 * DAY, NOW),
            Claimed(one, LOOK_BACK, NOW - DAY),
            Claimed(one, NOW - 2 * DAY, NOW),
        ]
        await activity.claim(owner, profile, "tasks", claims, NOW)
        await activity.note_trouble(owner, profile, "tasks", {three: "answer 403, {quoted}"}, NOW)
        assert await acts(owner) == [("task_created", "task/2"), ('an "odd" act, \\N', "task/1")]
        cursor = await owner.execute("SELECT covered, trouble FROM coverage ORDER BY subscription_id")
        found = [([(w.lower, w.upper) for w in covered], why) for covered, why in await cursor.fetchall()]
        whole = [(LOOK_BACK, NOW)]
        assert found == [(whole, None), (whole, None), ([], "answer 403, {quoted}")]


async def test_an_act_that_is_named_twice_in_one_batch_is_kept_once(database: Database) -> None:
    async with acme(database) as (owner, profile):
        subscription = await add_subscription(owner, profile, "1")
        first, second = NOW - 3 * DAY, NOW - 2 * DAY
        known = (subscription, "comment_added", first, "task/1/story/1")
        new = (subscription, "comment_added", second, "task/1/story/2")
        await activity.add_acts(owner, profile, [known], NOW)
        async with owner.transaction():
            await activity.add_acts(owner, profile, [new, known, new], NOW)
        assert await acts(owner) == [("comment_added", "task/1/story/1"), ("comment_added", "task/1/story/2")]


async def test_an_act_that_somebody_else_adds_meanwhile_is_kept_once(database: Database) -> None:
    async with acme(database) as (owner, profile), open_connection(database.url("worker")) as other:
        subscription = await add_subscription(owner, profile, "1")
        act = (subscription, "comment_added", NOW - DAY, "task/1/story/1")
        later = (subscription, "comment_added", NOW, "task/1/story/2")
        async with owner.transaction():
            await activity.add_acts(owner, profile, [act], NOW)
            adding = asyncio.create_task(activity.add_acts(other, profile, [act, later], NOW))
            async with open_connection(database.owner_url) as watching:
                assert await eventually(lambda: waits_for_a_lock(watching))
        await adding
        assert await count(owner, "observation") == 2


async def waits_for_a_lock(watching: Connection) -> bool:
    cursor = await watching.execute(
        "SELECT FROM pg_locks JOIN pg_stat_activity a USING (pid) WHERE a.datname = current_database() AND NOT granted"
    )
    return await cursor.fetchone() is not None


async def test_an_act_of_nobody_of_this_profile_is_refused(database: Database) -> None:
    async with acme(database) as (owner, profile):
        other = await add_profile(owner, "other")
        ours = await add_subscription(owner, profile, "1")
        acts = [(ours, "comment_added", NOW, "task/1")]
        with pytest.raises(psycopg.errors.ForeignKeyViolation, match="no subscription of this profile"):
            await activity.add_acts(owner, other, acts, NOW)
        assert await count(owner, "observation") == 0


async def test_no_process_may_move_an_act(database: Database) -> None:
    for role in ("worker", "reclaim", "console"):
        async with open_connection(database.url(role)) as connection:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await connection.execute("UPDATE observation SET acted_at = now()")


async def test_lost_coverage_is_said_of_those_who_were_refused(database: Database) -> None:
    async with acme(database) as (owner, profile):
        odd = await add_subscription(owner, profile, "2")
        run = await start_run(owner, profile, "activity")
        async with owner.transaction():
            await activity.say_lost(owner, run, [Lost(odd, "2", "search", "answer 404")], NOW)
        cursor = await owner.execute(
            """SELECT payload ->> 'user_gid', payload ->> 'source', payload ->> 'reason' FROM outbox
                WHERE name = 'CoverageLost'"""
        )
        assert await cursor.fetchall() == [("2", "search", "answer 404")]
