"""The stream's own row, the acts that it may keep, and what is forgotten when somebody new turns up."""

from datetime import datetime, timedelta

import pytest

from sources.contract import Found
from store import streams
from store.connect import Connection, open_connection
from tests.conftest import Database
from tests.rows import NOW, count
from tests.store.people import acme, add_subscription, start_run

pytestmark = [pytest.mark.anyio, pytest.mark.services]

DAY = timedelta(days=1)


def found(gid: str, at: datetime, number: int = 1) -> Found:
    return Found(gid, at, "user_login_succeeded", f"audit_log_event/{number}")


async def covered(connection: Connection, profile: int) -> list[streams.Window]:
    stream = await streams.get(connection, profile)
    assert stream is not None
    return stream.covered


async def test_windows_join_and_a_gap_stays_a_gap(database: Database) -> None:
    async with acme(database) as (owner, profile), open_connection(database.url("worker")) as worker:
        assert await streams.get(worker, profile) is None
        for begin, end in ((9, 8), (8, 7), (5, 4), (3, 3)):
            await streams.claim(worker, profile, (NOW - begin * DAY, NOW - end * DAY), NOW)
        assert await covered(owner, profile) == [(NOW - 9 * DAY, NOW - 7 * DAY), (NOW - 5 * DAY, NOW - 4 * DAY)]


async def test_trouble_claims_nothing_and_goes_with_the_next_claim(database: Database) -> None:
    async with acme(database) as (owner, profile):
        await streams.settle(owner, profile, "answer 403", NOW)
        stream = await streams.get(owner, profile)
        assert stream is not None
        assert (stream.covered, stream.trouble, stream.pulled_at) == ([], "answer 403", NOW)
        await streams.claim(owner, profile, (NOW - DAY, NOW), NOW + DAY)
        await streams.go_on_from(owner, profile, "place")
        stream = await streams.get(owner, profile)
        assert stream is not None
        assert (stream.trouble, stream.resume_offset, stream.pulled_at) == (None, "place", NOW + DAY)


async def test_of_each_person_the_last_act_is_kept_and_of_strangers_none(database: Database) -> None:
    async with acme(database) as (owner, profile):
        seat = await add_subscription(owner, profile, "1")
        acts = [
            found("1", NOW - 2 * DAY, 1),
            found("1", NOW - DAY, 2),
            found("1", NOW - 3 * DAY, 3),
            found("99", NOW, 4),
        ]
        assert await streams.keep_acts(owner, profile, acts, NOW) == 1
        assert await streams.keep_acts(owner, profile, acts, NOW) == 1
        cursor = await owner.execute("SELECT subscription_id, source, act, acted_at, proof FROM observation")
        assert await cursor.fetchall() == [(seat, "audit_log", "user_login_succeeded", NOW - DAY, "audit_log_event/2")]


async def test_since_somebody_new_joined_nothing_counts_as_seen_until_it_is_read_again(database: Database) -> None:
    async with acme(database) as (owner, profile):
        await add_subscription(owner, profile, "1")
        await streams.claim(owner, profile, (NOW - 9 * DAY, NOW), NOW)
        await streams.go_on_from(owner, profile, "place")
        await streams.begin_pull(owner, profile, NOW + DAY)
        assert await covered(owner, profile) == [(NOW - 9 * DAY, NOW)]

        await add_subscription(owner, profile, "2", joined_at=NOW - 2 * DAY)
        await owner.execute("UPDATE subscription SET found_at = %s WHERE user_gid = '2'", [NOW + DAY])
        await streams.begin_pull(owner, profile, NOW + 2 * DAY)
        assert await covered(owner, profile) == [(NOW - 9 * DAY, NOW - 2 * DAY)]
        stream = await streams.get(owner, profile)
        assert stream is not None
        assert stream.resume_offset is None

        await streams.claim(owner, profile, (NOW - 2 * DAY, NOW), NOW + 2 * DAY)
        await streams.begin_pull(owner, profile, NOW + 2 * DAY)
        assert await covered(owner, profile) == [(NOW - 9 * DAY, NOW)]


async def test_its_loss_is_said_of_the_profile(database: Database) -> None:
    async with acme(database) as (owner, profile):
        await add_subscription(owner, profile, "1")
        run = await start_run(owner, profile, "activity")
        await streams.say_lost(owner, run, "answer 402", NOW)
        cursor = await owner.execute("SELECT subject, payload FROM outbox WHERE name = 'SourceLost'")
        assert await cursor.fetchall() == [
            ("profile/acme", {"profile": "acme", "source": "audit_log", "reason": "answer 402"})
        ]
        assert await count(owner, "outbox WHERE name = 'CoverageLost'") == 0
