"""A removal: what is never sent, what was certainly refused, and what nobody knows. The look-alike keeps the count."""

import time

import httpx
import pytest

from asana_api.client import AsanaClient
from asana_api.errors import (
    AsanaError,
    Forbidden,
    NotAuthorized,
    NotThere,
    NotUnderstood,
    OutcomeUnknown,
    PlanTooLow,
    RateLimited,
    RefusedHere,
)
from sandbox.asana import Running
from tests.asana_api.conftest import OpenClient
from tests.asana_api.reads import somebody
from tests.asana_api.removing import REMOVE, admin, remove

pytestmark = pytest.mark.anyio


async def test_a_person_is_removed_once_and_read_back(asana: Running, client: AsanaClient) -> None:
    person = somebody(asana)
    await remove(client, asana, person)
    assert await client.membership_of(asana.organization_gid, person) is None
    assert [(call.asked, call.accepted) for call in asana.removals.calls] == [(person, True)]
    await client.add_user(asana.organization_gid, person)
    again = await client.membership_of(asana.organization_gid, person)
    assert again is not None
    assert again.is_active


@pytest.mark.parametrize("person", ["me", "a@b.example", "", "12 34", "12\n", "-1", "1.0", "\u0661\u0662", "0x1"])
async def test_only_a_gid_is_ever_sent(person: str, asana: Running, client: AsanaClient) -> None:
    with pytest.raises(RefusedHere):
        await remove(client, asana, person)
    with pytest.raises(RefusedHere):
        await client.add_user(asana.organization_gid, person)
    with pytest.raises(RefusedHere):
        await client.remove_user(person, "1", own_gid="2", call_before=time.monotonic() + 5)
    with pytest.raises(RefusedHere):
        await client.remove_user("1", "1", own_gid=person, call_before=time.monotonic() + 5)
    assert asana.requests.total == 0


async def test_nobody_removes_themself(asana: Running, client: AsanaClient) -> None:
    for own in (admin(asana), f"0{admin(asana)}"):
        with pytest.raises(RefusedHere, match="remove itself"):
            await remove(client, asana, own)
    assert asana.requests.total == 0


@pytest.mark.parametrize(
    "host", ["https://app.asana.com", "https://127.0.0.1.example", "https://10.0.0.1", "https://127.1"]
)
async def test_removals_go_to_this_machine_only(host: str, asana: Running, open_client: OpenClient) -> None:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json={"data": {}})

    client = open_client(f"{host}/api/1.0", open_transport=lambda: httpx.MockTransport(answer))
    with pytest.raises(RefusedHere, match="only to this machine"):
        await remove(client, asana, somebody(asana))
    assert sent == []


@pytest.mark.parametrize("host", ["http://127.0.0.1:1", "http://127.9.9.9:1", "http://[::1]:1", "http://localhost:1"])
async def test_every_name_of_this_machine_will_do(host: str, asana: Running, open_client: OpenClient) -> None:
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(f"{request.method} {request.url.path.rpartition('/')[2]}")
        return httpx.Response(200, json={"data": {}})

    client = open_client(f"{host}/api/1.0", open_transport=lambda: httpx.MockTransport(answer))
    await remove(client, asana, somebody(asana))
    assert sent == ["POST removeUser"]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, NotUnderstood),
        (401, NotAuthorized),
        (402, PlanTooLow),
        (403, Forbidden),
        (404, NotThere),
        (429, RateLimited),
    ],
)
async def test_a_clean_refusal_is_certain_and_is_not_tried_again(
    status: int, error: type[AsanaError], asana: Running, open_client: OpenClient
) -> None:
    async def never(_: str) -> str:
        raise AssertionError("a change never renews the token")

    fault = asana.faults.add("answer", route=REMOVE, status=status)
    with pytest.raises(AsanaError) as raised:
        await remove(open_client(renew=never), asana, somebody(asana))
    assert type(raised.value) is error
    assert fault.fired == 1
    assert asana.removals.accepted == []


UNCLEAR = [
    *((status, b'{"errors":[{"message":"x"}]}') for status in (409, 412, 422, 451, 500, 502, 503, 504, 302, 201)),
    *((status, b"<h1>A gateway</h1>") for status in (400, 401, 403, 404, 429, 502, 200)),
    *((200, body) for body in (b"", b"{}", b"null", b"[]", b'{"data":null}', b'{"data":{"gid":"1"}}', b'{"data":{}')),
    (200, b'{"data":{},"errors":[{"message":"x"}]}'),
    (204, b""),
]


@pytest.mark.parametrize("truth", ["it happened", "nothing happened"])
@pytest.mark.parametrize(("status", "body"), UNCLEAR)
async def test_anything_else_leaves_it_unknown_and_is_not_tried_again(
    status: int, body: bytes, truth: str, asana: Running, client: AsanaClient
) -> None:
    happened = truth == "it happened"
    fault = asana.faults.add("answer", route=REMOVE, status=status, body=body, after_effect=happened)
    with pytest.raises(OutcomeUnknown):
        await remove(client, asana, somebody(asana))
    assert fault.fired == 1
    assert len(asana.removals.accepted) == happened


@pytest.mark.parametrize("kind", ["lost", "cut", "close"])
async def test_a_lost_answer_leaves_it_unknown(kind: str, asana: Running, client: AsanaClient) -> None:
    fault = asana.faults.add(kind, route=REMOVE)  # type: ignore[arg-type] # all three are kinds of fault
    with pytest.raises(OutcomeUnknown):
        await remove(client, asana, somebody(asana))
    assert fault.fired == 1
    assert len(asana.removals.accepted) == (kind != "close")


async def test_an_invitation_that_is_lost_is_unknown_too(asana: Running, client: AsanaClient) -> None:
    fault = asana.faults.add("lost", route="/workspaces/{workspace_gid}/addUser")
    with pytest.raises(OutcomeUnknown):
        await client.add_user(asana.organization_gid, somebody(asana))
    assert fault.fired == 1
