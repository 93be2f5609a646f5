"""A plain request is accepted in one statement, which writes what the long way writes; whatever else waits for it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest

from messages.errors import RequestError
from messages.requests import Request
from store import requests
from store.accepting import accept_at_once
from store.connect import Connection, open_connection
from tests.conftest import Database
from tests.eventually import eventually
from tests.rows import NOW, add_plan, add_profile, count

pytestmark = [pytest.mark.anyio, pytest.mark.services]


def request(**changes: object) -> Request:
    fields = {"id": uuid4(), "kind": "reconcile", "profile": "acme", "requested_by": "ann", **changes}
    return Request.model_validate(fields)


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[Connection]:
    async with open_connection(database.owner_url) as connection:
        await add_profile(connection)
        yield connection


@pytest.fixture
async def intake(database: Database) -> AsyncIterator[Connection]:
    async with open_connection(database.url("intake")) as connection:
        yield connection


async def at_once(connection: Connection, wanted: Request) -> bool:
    return await accept_at_once(connection, wanted, requests.body_sha256(wanted), NOW) is not None


async def written(owner: Connection, wanted: Request) -> list[object]:
    """Return every row that a request left, with its own ids called by one name each."""
    run_id = (await (await owner.execute("SELECT run_id FROM request WHERE id = %s", [wanted.id])).fetchone() or [""])[
        0
    ]
    rows: list[object] = []
    for query in (
        "SELECT to_jsonb(r) FROM request r WHERE id = %s",
        "SELECT to_jsonb(r) FROM run r WHERE correlation_id = %s",
        "SELECT to_jsonb(s) FROM event_subject s WHERE subject = 'request/' || %s::text",
        "SELECT to_jsonb(o) - 'id' - 'message_id' FROM outbox o WHERE correlation_id = %s ORDER BY channel",
    ):
        cursor = await owner.execute(query.encode(), [wanted.id])
        rows += [
            str(row).replace(str(wanted.id), "ID").replace(str(run_id), "RUN") for (row,) in await cursor.fetchall()
        ]
    return rows


@pytest.mark.parametrize("kind", ["download", "activity", "candidates", "reconcile"])
async def test_it_writes_what_the_long_way_writes(owner: Connection, intake: Connection, kind: str) -> None:
    short, long = request(kind=kind), request(kind=kind)
    assert await at_once(intake, short)
    async with intake.transaction():
        await requests.accept(intake, long, NOW)
    kept = await written(owner, short)
    same_hash = [str(row).replace(requests.body_sha256(short).hex(), "HASH") for row in kept]
    assert same_hash == [
        str(row).replace(requests.body_sha256(long).hex(), "HASH") for row in await written(owner, long)
    ]
    assert len(kept) == 5


async def test_what_is_not_plain_leaves_nothing(owner: Connection, intake: Connection) -> None:
    await add_profile(owner, "draft", published=False)
    plan = await add_plan(owner, await add_profile(owner, "other"))
    for wanted in (
        request(kind="cycle"),
        request(kind="reclaim", profile="other", plan=plan),
        request(at=NOW + timedelta(hours=1)),
        request(profile="draft"),
        request(profile="nobody"),
    ):
        assert not await at_once(intake, wanted), wanted
    for table in ("request", "run", "event_subject", "outbox"):
        assert await count(owner, table) == 0, table


async def test_a_repeat_changes_nothing_and_is_answered_the_long_way(owner: Connection, intake: Connection) -> None:
    wanted = request()
    first = await requests.take(intake, wanted, NOW)
    assert not await at_once(intake, wanted)
    assert await requests.take(intake, wanted, NOW) == requests.Accepted(first.run_id, again=True)
    with pytest.raises(RequestError, match="used before for another request"):
        await requests.take(intake, request(id=wanted.id, kind="download"), NOW)
    assert await count(owner, "run") == 1
    assert await count(owner, "outbox") == 2


async def test_the_same_at_the_same_moment_makes_one_run(database: Database, owner: Connection) -> None:
    wanted = request()

    async def one(number: int) -> requests.Accepted:
        async with open_connection(database.url("intake")) as connection:
            if number % 2:
                return await requests.take(connection, wanted, NOW)
            async with connection.transaction():
                return await requests.accept(connection, wanted, NOW)

    for _ in range(5):
        wanted = request()
        accepted = await asyncio.gather(*(one(number) for number in range(8)))
        assert len({one.run_id for one in accepted}) == 1
        assert sorted(one.again for one in accepted) == [False] + [True] * 7
    assert await count(owner, "run") == 5


async def test_it_waits_for_whoever_holds_the_same_id(
    database: Database, owner: Connection, intake: Connection
) -> None:
    wanted = request()

    async def waits() -> bool:
        return await count(owner, "pg_locks WHERE locktype = 'advisory' AND NOT granted") > 0

    async with open_connection(database.url("intake")) as other:
        async with other.transaction():
            accepted = await requests.accept(other, wanted, NOW)
            second = asyncio.create_task(requests.take(intake, wanted, NOW))
            assert await eventually(waits)
        assert await second == requests.Accepted(accepted.run_id, again=True)
