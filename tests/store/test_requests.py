"""Requests: once each, never under another's id, and refused with what to mend."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from messages.errors import RequestError
from messages.requests import Request
from store import requests, runs
from store.connect import Connection, open_connection
from tests.conftest import Database
from tests.rows import NOW, add_plan, add_profile, count

pytestmark = [pytest.mark.anyio, pytest.mark.services]
ID = UUID("7b0c2f6e-3c52-4bb0-9f5c-4a0c1f7a9d10")
PLAN = "a" * 64


def request(**changes: object) -> Request:
    return Request.model_validate({"id": ID, "kind": "cycle", "profile": "acme", "requested_by": "ann", **changes})


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[Connection]:
    async with open_connection(database.owner_url) as connection:
        yield connection


@pytest.fixture
async def intake(database: Database) -> AsyncIterator[Connection]:
    async with open_connection(database.url("intake")) as connection:
        yield connection


async def accept(connection: Connection, wanted: Request) -> requests.Accepted:
    async with connection.transaction():
        return await requests.accept(connection, wanted, NOW)


async def events(connection: Connection, subject: str) -> list[str]:
    cursor = await connection.execute("SELECT name FROM outbox WHERE subject = %s ORDER BY sequence", [subject])
    return [str(name) for (name,) in await cursor.fetchall()]


async def test_a_request_makes_a_run_under_its_own_id(owner: Connection, intake: Connection) -> None:
    await add_profile(owner)
    accepted = await accept(intake, request())
    run = await runs.get(owner, accepted.run_id)
    assert run is not None
    assert (run.kind, run.state, run.requested_by, run.correlation_id) == ("cycle", "running", "ann", ID)
    assert await events(owner, f"request/{ID}") == ["RequestAccepted"]
    assert await count(owner, "outbox WHERE name = 'download_subscriptions'") == 1


async def test_a_request_for_later_waits(owner: Connection, intake: Connection) -> None:
    await add_profile(owner)
    accepted = await accept(intake, request(at=NOW + timedelta(hours=1)))
    run = await runs.get(owner, accepted.run_id)
    assert run is not None
    assert run.state == "queued"
    assert await count(owner, "outbox WHERE channel = 'command'") == 0


async def test_the_same_again_changes_nothing(owner: Connection, intake: Connection) -> None:
    await add_profile(owner)
    first = await accept(intake, request(at="2026-03-02T07:00:00+01:00"))
    again = await accept(intake, request(at="2026-03-02T06:00:00Z"))
    assert again == requests.Accepted(first.run_id, again=True)
    assert await count(owner, "run WHERE kind = 'cycle'") == 1
    assert await events(owner, f"request/{ID}") == ["RequestAccepted"]


async def test_the_same_at_the_same_moment_makes_one_run(database: Database, owner: Connection) -> None:
    await add_profile(owner)

    async def one() -> requests.Accepted:
        async with open_connection(database.url("intake")) as connection:
            return await accept(connection, request())

    accepted = await asyncio.gather(*(one() for _ in range(8)))
    assert len({one.run_id for one in accepted}) == 1
    assert sorted(one.again for one in accepted) == [False] + [True] * 7


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"profile": "nobody"}, "there is no profile nobody"),
        ({"profile": "draft"}, "the profile draft is not published"),
        ({"kind": "download"}, "this id was used before for another request"),
        ({"requested_by": "eve"}, "this id was used before for another request"),
        ({"id": uuid4(), "at": NOW + timedelta(days=367)}, "at: more than 366 days ahead"),
        ({"id": uuid4(), "at": "9999-12-31T23:59:59-14:00"}, "at: more than 366 days ahead"),
        ({"id": uuid4(), "kind": "reclaim", "plan": "0" * 64}, f"the plan {'0' * 64} does not exist for this profile"),
        ({"id": uuid4(), "kind": "reclaim", "plan": "b" * 64}, f"the plan {'b' * 64} is not approved"),
        ({"id": uuid4(), "kind": "reclaim", "plan": "c" * 64}, f"the plan {'c' * 64} does not exist for this profile"),
        ({"id": uuid4(), "kind": "reclaim", "plan": "d" * 64}, f"the plan {'d' * 64} has expired"),
    ],
)
async def test_what_is_refused(owner: Connection, intake: Connection, changes: dict[str, object], reason: str) -> None:
    acme = await add_profile(owner)
    await add_profile(owner, "draft", published=False)
    await add_plan(owner, acme, "b" * 64, approved=False)
    await add_plan(owner, await add_profile(owner, "other"), "c" * 64)
    await add_plan(owner, acme, "d" * 64)
    await owner.execute("UPDATE plan SET expired_at = %s WHERE hash = %s", [NOW, "d" * 64])
    await accept(intake, request())
    before = await count(owner, "run")
    if "profile" in changes:
        changes = {"id": uuid4(), **changes}
    with pytest.raises(RequestError) as refused:
        await accept(intake, request(**changes))
    assert refused.value.reason == reason
    assert refused.value.request_id is not None
    assert await count(owner, "run") == before


async def test_an_approved_plan_is_carried_out(owner: Connection, intake: Connection) -> None:
    await add_plan(owner, await add_profile(owner), PLAN)
    accepted = await accept(intake, request(kind="reclaim", plan=PLAN))
    run = await runs.get(owner, accepted.run_id)
    assert run is not None
    assert (run.kind, run.plan_hash) == ("reclaim", PLAN)


async def test_the_earliest_time_of_all_is_now(owner: Connection, intake: Connection) -> None:
    await add_profile(owner)
    accepted = await accept(intake, request(at="0001-01-01T00:00:00+14:00"))
    run = await runs.get(owner, accepted.run_id)
    assert run is not None
    assert run.state == "running"


async def refuse(connection: Connection, body: bytes, error: RequestError, *, redelivered: bool = False) -> int:
    async with connection.transaction():
        return await requests.refuse(connection, body, error, NOW, redelivered=redelivered)


async def test_a_refusal_is_kept_and_answered(intake: Connection, owner: Connection) -> None:
    number = await refuse(intake, b"{}", RequestError("no good", str(ID)))
    (kept,) = await requests.quarantined(owner)
    assert kept == requests.Quarantined(number, NOW, ID, "no good", b"{}", 2)
    assert await events(owner, f"request/{ID}") == ["RequestRefused"]
    nameless = await refuse(intake, b"{", RequestError("no good"))
    assert await events(owner, f"quarantine/{nameless}") == ["RequestRefused"]


async def test_a_large_body_keeps_its_first_part_and_an_odd_reason_is_made_printable(intake: Connection) -> None:
    number = await refuse(intake, b"\x00" * 100_000, RequestError("NUL \x00, half \ud800, red \x1b[31m"))
    kept = await requests.quarantined_one(intake, number)
    assert kept is not None
    assert (len(kept.body), kept.body_bytes) == (64 * 1024, 100_000)
    assert kept.reason == r"NUL \x00, half \ud800, red \x1b[31m"


async def test_a_body_delivered_again_is_kept_once(intake: Connection, owner: Connection) -> None:
    first = await refuse(intake, b"{", RequestError("no good"))
    assert await refuse(intake, b"{", RequestError("no good"), redelivered=True) == first
    assert await refuse(intake, b"{", RequestError("no good")) != first, "sent twice is refused twice"
    assert await count(owner, "outbox WHERE name = 'RequestRefused'") == 2
