"""The source `audit_log` counts what people did themselves, reads to the true end, and believes no disorder."""

from collections.abc import Callable, Mapping
from contextlib import aclosing
from datetime import datetime, timedelta
from types import MappingProxyType

import httpx
import pytest

from asana_api.errors import AsanaError, BadAnswer, Forbidden, RestartListing
from sources import audit_log
from sources.audit_log import LogPage
from sources.contract import Found
from tests.sources.paper import NOW, ORGANIZATION, PaperAsana, written

pytestmark = pytest.mark.anyio

MINUTE = timedelta(minutes=1)
BEGIN = NOW - timedelta(days=5)


def event(
    number: int, at: datetime, changed: Mapping[str, object] = MappingProxyType({}), by: str | None = "7"
) -> dict[str, object]:
    own = dict(changed)
    context = {"context_type": "web", "client_ip_address": "192.0.2.7", "user_agent": "Browser"}
    return {
        "gid": str(number),
        "created_at": written(at),
        "event_type": own.pop("event_type", "user_login_succeeded"),
        "event_category": "logins",
        "actor": {"actor_type": own.pop("actor_type", "user"), "gid": by, "name": "Mara", "email": "m@example.com"},
        "resource": {"resource_type": "user", "gid": "8", "name": "Kaito"},
        "details": {"saml_response": "secret"},
        "context": context | own,
    }


def minute(number: int) -> datetime:
    return BEGIN + number * MINUTE


async def pages(paper: PaperAsana, *, offset: str | None = None, end_at: datetime | None = None) -> list[LogPage]:
    async with paper.client() as client:
        reading = audit_log.read(client, ORGANIZATION, asked_at=NOW, start_at=BEGIN, end_at=end_at, offset=offset)
        async with aclosing(reading) as found:
            return [page async for page in found]


@pytest.fixture
def paper() -> PaperAsana:
    return PaperAsana(events=[event(n, minute(n)) for n in range(5)])


async def test_it_reads_to_the_empty_page_and_says_how_far_it_came(paper: PaperAsana) -> None:
    found = await pages(paper)
    assert [page.up_to for page in found] == [minute(1), minute(3), minute(4)]
    assert found[-1] == LogPage(
        [Found("7", minute(4), "user_login_succeeded", "audit_log_event/4")], next_offset="5", up_to=minute(4)
    )
    assert len(paper.asked) == 4
    assert not any("limit" in query for _, query in paper.asked)


async def test_it_goes_on_from_where_it_was_and_ends_at_once_if_there_is_nothing(paper: PaperAsana) -> None:
    assert [page.up_to for page in await pages(paper, offset="3")] == [minute(4)]
    assert await pages(paper, offset="5") == []
    paper.events.append(event(5, minute(5)))
    assert [page.up_to for page in await pages(paper, offset="5")] == [minute(5)]


async def test_a_log_in_which_nothing_ever_matched_is_read(paper: PaperAsana) -> None:
    paper.events.clear()
    assert await pages(paper) == []


async def test_the_end_of_a_window_does_not_belong_to_it(paper: PaperAsana) -> None:
    assert [page.up_to for page in await pages(paper, end_at=minute(3))] == [minute(1), minute(2)]


COUNTS: list[dict[str, object]] = [
    {},
    {"context_type": "desktop"},
    {"context_type": "mobile"},
    {"context_type": "email"},
    {"context_type": "api", "api_authentication_method": "cookie"},
    {"context_type": "api", "api_authentication_method": "oauth"},
    {"context_type": "a place that is new"},
    {"event_type": "user_deprovisioned"},
    {"rule_name": None},
]
COUNTS_NOT: list[dict[str, object]] = [
    {"context_type": "asana"},
    {"context_type": "asana_support"},
    {"context_type": "api", "api_authentication_method": "personal_access_token"},
    {"context_type": "api", "api_authentication_method": "service_account"},
    {"rule_name": "Move it along"},
    {"on_behalf_of_user_id": 7},
    {"event_type": "user_login_failed"},
    {"actor_type": "asana"},
    {"actor_type": "asana_support"},
    {"actor_type": "external_administrator"},
]


@pytest.mark.parametrize("changed", COUNTS, ids=str)
async def test_what_a_person_did_is_the_actor_s_act(changed: dict[str, object]) -> None:
    found = await pages(PaperAsana(events=[event(1, minute(1), changed)]))
    assert [(act.user_gid, act.proof) for page in found for act in page.acts] == [("7", "audit_log_event/1")]


@pytest.mark.parametrize("changed", COUNTS_NOT, ids=str)
async def test_what_nobody_did_counts_for_nobody_and_is_seen_all_the_same(changed: dict[str, object]) -> None:
    found = await pages(PaperAsana(events=[event(1, minute(1), changed)]))
    assert [(page.acts, page.up_to) for page in found] == [([], minute(1))]


async def test_an_actor_without_a_gid_is_no_matter_unless_a_user(paper: PaperAsana) -> None:
    paper.events = [event(1, minute(1), {"actor_type": "anonymous"}, by=None)]
    assert [page.acts for page in await pages(paper)] == [[]]
    paper.events = [event(1, minute(1), by=None)]
    with pytest.raises(BadAnswer, match="without a gid"):
        await pages(paper)


async def test_nothing_personal_arrives(paper: PaperAsana) -> None:
    async with paper.client() as client:
        page = await client.audit_page(ORGANIZATION, start_at=BEGIN)
    for personal in ("192.0.2.7", "Browser", "Mara", "example.com", "Kaito", "secret"):
        assert personal not in repr(page)


def page_of(*events: dict[str, object], offset: str | None) -> httpx.Response:
    return httpx.Response(200, json={"data": list(events), "next_page": {"offset": offset} if offset else None})


def scripted(*answers: httpx.Response) -> PaperAsana:
    left = list(answers)
    return PaperAsana(refuse=lambda _path, _query: left.pop(0))


EMPTY = page_of(offset="z")
DISORDER: dict[str, Callable[[], list[httpx.Response]]] = {
    "out of order in a page": lambda: [page_of(event(1, minute(2)), event(2, minute(1)), offset="a")],
    "out of order between pages": lambda: [
        page_of(event(1, minute(2)), offset="a"),
        page_of(event(2, minute(1)), offset="b"),
    ],
    "before the start": lambda: [page_of(event(1, BEGIN - MINUTE), offset="a")],
    "no way on": lambda: [page_of(event(1, minute(1)), offset=None)],
    "an offset that does not move": lambda: [
        page_of(event(1, minute(1)), offset="a"),
        page_of(event(2, minute(1)), offset="a"),
    ],
    "a circle": lambda: [
        page_of(event(1, minute(1)), offset="a"),
        page_of(event(2, minute(1)), offset="b"),
        page_of(event(3, minute(1)), offset="a"),
    ],
    "no context": lambda: [page_of(event(1, minute(1)) | {"context": None}, offset="a")],
    "no time": lambda: [page_of(event(1, minute(1)) | {"created_at": 5}, offset="a")],
}


@pytest.mark.parametrize("what", DISORDER)
async def test_disorder_is_not_believed(what: str) -> None:
    with pytest.raises(BadAnswer):
        await pages(scripted(*DISORDER[what](), EMPTY))


async def test_a_time_of_the_future_does_not_claim_what_comes_behind_it() -> None:
    """The page that ends with it is given out only once the next one goes on in time."""
    paper = scripted(
        page_of(event(1, minute(1)), offset="a"),
        page_of(event(2, NOW + timedelta(days=9)), offset="b"),
        page_of(event(3, minute(3)), offset="c"),
    )
    async with paper.client() as client:
        reading = audit_log.read(client, ORGANIZATION, asked_at=NOW, start_at=BEGIN)
        assert (await anext(reading)).up_to == minute(1)
        with pytest.raises(BadAnswer):
            await anext(reading)


async def test_an_event_behind_the_window_is_not_believed() -> None:
    with pytest.raises(BadAnswer):
        await pages(scripted(page_of(event(1, minute(9)), offset="a"), EMPTY), end_at=minute(9))


@pytest.mark.parametrize(
    ("status", "offset", "error"), [(403, None, Forbidden), (400, "3", RestartListing)], ids=["forbidden", "too old"]
)
async def test_a_refusal_is_raised(status: int, offset: str | None, error: type[AsanaError]) -> None:
    with pytest.raises(error):
        await pages(scripted(httpx.Response(status, json={"errors": [{"message": "no"}]})), offset=offset)


async def test_an_event_of_the_future_at_the_very_end_is_not_believed() -> None:
    """Nothing follows it that goes back in time: only the clock shows that it is wrong."""
    paper = scripted(
        page_of(event(1, minute(1)), offset="a"), page_of(event(2, NOW + timedelta(days=9)), offset="b"), EMPTY
    )
    with pytest.raises(BadAnswer, match="future"):
        await pages(paper)
