"""Evidence: who is asked about and since when, and what an answer may claim."""

import asyncio
from datetime import datetime, timedelta

import psycopg
import pytest
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from store import activity
from store.activity import Asked, Seen
from store.connect import Connection, open_connection
from tests.conftest import Database
from tests.eventually import eventually
from tests.rows import NOW, add_profile, count
from tests.store.people import acme, add_subscription, complete, start_run

pytestmark = [pytest.mark.anyio, pytest.mark.services]

DAY = timedelta(days=1)
LOOK_BACK = NOW - 90 * DAY


async def only(owner: Connection, profile: int) -> Asked:
    (asked,) = await activity.next_to_ask(owner, profile, after=0, limit=10)
    return asked


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


async def test_only_active_paid_seats_are_asked_about(database: Database) -> None:
    async with acme(database) as (owner, profile):
        paid = await add_subscription(owner, profile, "1")
        await add_subscription(owner, profile, "2", model="guest")
        await add_subscription(owner, profile, "3", model="view_only")
        gone = await add_subscription(owner, profile, "4")
        await owner.execute(
            "UPDATE subscription SET state = 'gone', gone_at = %s, gone_because = 'missing' WHERE id = %s", [NOW, gone]
        )
        other = await add_profile(owner, "other")
        await complete(owner, other)
        await add_subscription(owner, other, "5")
        assert (await only(owner, profile)).subscription_id == paid
        assert await activity.count_paid_seats(owner, profile) == 1
        assert await activity.ask_about(owner, profile, gone) is None
        assert await activity.next_to_ask(owner, profile, after=paid, limit=10) == []


@pytest.mark.parametrize(
    ("seen", "since"),
    [
        ([], LOOK_BACK),
        ([(LOOK_BACK, NOW - DAY)], NOW - 2 * DAY),
        ([(LOOK_BACK - DAY, NOW - DAY)], NOW - 2 * DAY),
        ([(LOOK_BACK + DAY, NOW - DAY)], LOOK_BACK),
        ([(LOOK_BACK, NOW - 50 * DAY), (NOW - 40 * DAY, NOW - DAY)], NOW - 51 * DAY),
        ([(LOOK_BACK - 9 * DAY, LOOK_BACK - DAY), (NOW - 40 * DAY, NOW - DAY)], LOOK_BACK),
    ],
    ids=["nothing", "all", "more", "too late a begin", "a gap", "the look-back in a gap"],
)
async def test_a_person_is_asked_about_from_the_end_of_the_first_unbroken_window(
    seen: list[tuple[datetime, datetime]], since: datetime, database: Database
) -> None:
    async with acme(database) as (owner, profile):
        await cover(owner, profile, await add_subscription(owner, profile, "1"), *seen)
        assert (await only(owner, profile)).since == since


async def test_a_whole_answer_claims_its_window_and_closes_the_gap_before_it(database: Database) -> None:
    async with acme(database) as (owner, profile):
        subscription = await add_subscription(owner, profile, "1")
        await cover(owner, profile, subscription, (LOOK_BACK, NOW - 50 * DAY), (NOW - 40 * DAY, NOW - DAY))
        await activity.record(owner, profile, [Seen(await only(owner, profile))], until=NOW, now=NOW)
        assert await windows(owner) == [(LOOK_BACK, NOW)]


async def test_a_refused_answer_claims_nothing_and_takes_nothing_back(database: Database) -> None:
    async with acme(database) as (owner, profile):
        await cover(owner, profile, await add_subscription(owner, profile, "1"), (LOOK_BACK, NOW - DAY))
        asked = await only(owner, profile)
        await activity.record(owner, profile, [Seen(asked, trouble="answer 403")], until=NOW, now=NOW)
        assert await windows(owner) == [(LOOK_BACK, NOW - DAY)]
        cursor = await owner.execute("SELECT trouble, pulled_at FROM coverage")
        assert await cursor.fetchall() == [("answer 403", NOW)]
        await activity.record(owner, profile, [Seen(asked)], until=NOW, now=NOW)
        cursor = await owner.execute("SELECT trouble FROM coverage")
        assert await cursor.fetchall() == [(None,)]


async def test_acts_are_added_and_never_moved(database: Database) -> None:
    async with acme(database) as (owner, profile):
        await add_subscription(owner, profile, "1")
        asked = await only(owner, profile)
        newer = Seen(asked, "comment_added", NOW - DAY, "task/1/story/2")
        older = Seen(asked, "task_created", NOW - 9 * DAY, "task/3")
        for answer in (newer, newer, older):
            await activity.record(owner, profile, [answer], until=NOW, now=NOW)
        assert await count(owner, "observation") == 2
        assert (await only(owner, profile)).last_act_at == NOW - DAY


async def acts(owner: Connection) -> list[tuple[str, str]]:
    cursor = await owner.execute("SELECT act, proof FROM observation ORDER BY acted_at")
    return [(str(act), str(proof)) for act, proof in await cursor.fetchall()]


async def test_many_people_are_kept_at_once_each_with_their_own(database: Database) -> None:
    async with acme(database) as (owner, profile):
        for gid in ("1", "2", "3", "4"):
            await add_subscription(owner, profile, gid)
        one, two, three, four = await activity.next_to_ask(owner, profile, after=0, limit=10)
        await cover(owner, profile, two.subscription_id, (LOOK_BACK, NOW - 50 * DAY))
        answers = [
            Seen(one, 'an "odd" act, \\N', NOW - DAY, "task/1"),
            Seen(two, "task_created", NOW - 2 * DAY, "task/2"),
            Seen(three, trouble="answer 403, {quoted}"),
            Seen(four),
        ]
        await activity.record(owner, profile, answers, until=NOW, now=NOW)
        assert await acts(owner) == [("task_created", "task/2"), ('an "odd" act, \\N', "task/1")]
        cursor = await owner.execute("SELECT covered, trouble FROM coverage ORDER BY subscription_id")
        found = [([(w.lower, w.upper) for w in covered], why) for covered, why in await cursor.fetchall()]
        whole = [(LOOK_BACK, NOW)]
        assert found == [(whole, None), (whole, None), ([], "answer 403, {quoted}"), (whole, None)]


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
        for gid in ("1", "2"):
            await add_subscription(owner, profile, gid)
        run = await start_run(owner, profile, "activity")
        fine, odd = await activity.next_to_ask(owner, profile, after=0, limit=10)
        async with owner.transaction():
            await activity.say_lost(owner, run, [Seen(fine), Seen(odd, trouble="answer 404")], NOW)
        cursor = await owner.execute(
            "SELECT payload ->> 'user_gid', payload ->> 'reason' FROM outbox WHERE name = 'CoverageLost'"
        )
        assert await cursor.fetchall() == [("2", "answer 404")]
