"""What is sent to the search and the audit log, and what of their answers is refused."""

import json
from datetime import UTC, datetime, timedelta, timezone

import httpx
import pytest

from asana_api.errors import BadAnswer, RefusedHere
from asana_api.searching import FULL, Sought
from tests.asana_api.conftest import OpenClient

pytestmark = pytest.mark.anyio

AT = datetime(2026, 11, 1, 12, 30, tzinfo=UTC)
TASK: dict[str, object] = {
    "gid": "5",
    "created_at": "2026-11-01T00:00:00.000Z",
    "created_by": None,
    "completed_at": None,
    "completed_by": None,
    "modified_at": "2026-11-01T00:00:00.000Z",
    "assignee": None,
    "followers": [],
}


class Answering(httpx.AsyncBaseTransport):
    """Gives one answer to everything, and keeps the requests."""

    def __init__(self, body: object) -> None:
        self.body = json.dumps(body).encode()
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(200, content=self.body)


async def test_a_search_is_sent_in_utc_and_in_milliseconds(open_client: OpenClient) -> None:
    asana = Answering({"data": []})
    sought = Sought("assigned_by", ["3", "4"], modified_after=AT.astimezone(timezone(timedelta(hours=9))))
    client = open_client(open_transport=lambda: asana)
    assert await client.search_page("9", sought, sort_by="created_at", ascending=True) == []
    query = dict(asana.requests[0].url.params)
    assert query.pop("opt_fields").endswith(",assignee,followers")
    assert query == {
        "assigned_by.any": "3,4",
        "modified_at.after": "2026-11-01T12:30:00.000Z",
        "sort_by": "created_at",
        "sort_ascending": "true",
        "limit": "100",
    }


@pytest.mark.parametrize("gid", ["me", "m@example.com", "3,4", ""])
async def test_only_gids_are_sent(gid: str, open_client: OpenClient) -> None:
    asana = Answering({"data": []})
    with pytest.raises(RefusedHere):
        await open_client(open_transport=lambda: asana).search_page("9", Sought("followers", [gid]))
    assert asana.requests == []


async def test_a_search_for_nobody_is_never_sent(open_client: OpenClient) -> None:
    asana = Answering({"data": []})
    with pytest.raises(ValueError, match="nobody"):
        await open_client(open_transport=lambda: asana).search_page("9", Sought("followers", []))
    assert asana.requests == []


async def test_more_than_was_asked_for_is_not_believed(open_client: OpenClient) -> None:
    """Else nobody could say whether an answer is full."""
    client = open_client(open_transport=lambda: Answering({"data": [TASK] * (FULL + 1)}))
    with pytest.raises(BadAnswer):
        await client.search_page("9", Sought("followers", ["3"]))


@pytest.mark.parametrize("field", sorted(TASK))
async def test_a_found_task_without_a_field_is_not_believed(field: str, open_client: OpenClient) -> None:
    part = {name: value for name, value in TASK.items() if name != field}
    with pytest.raises(BadAnswer):
        await open_client(open_transport=lambda: Answering({"data": [part]})).search_page(
            "9", Sought("followers", ["3"])
        )


async def test_the_log_is_asked_without_a_limit_and_never_at_the_address_that_it_gives(open_client: OpenClient) -> None:
    asana = Answering({"data": [], "next_page": {"offset": "o", "uri": "https://elsewhere.example/"}})
    page = await open_client(open_transport=lambda: asana).audit_page("9", start_at=AT, end_at=AT, offset="n")
    assert page.next_offset == "o"
    assert asana.requests[0].url.host == "127.0.0.1"
    assert dict(asana.requests[0].url.params) == {
        "start_at": "2026-11-01T12:30:00.000Z",
        "end_at": "2026-11-01T12:30:00.000Z",
        "offset": "n",
    }


async def test_a_log_that_says_nothing_of_the_way_on_is_not_believed(open_client: OpenClient) -> None:
    with pytest.raises(BadAnswer):
        await open_client(open_transport=lambda: Answering({"data": []})).audit_page("9", start_at=AT)
