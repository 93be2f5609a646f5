"""A listing is read to its end, or not at all."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from asana_api.answers import Page, User
from asana_api.errors import BadAnswer, ListingCut, RestartListing
from asana_api.paging import FetchPage, listing, whole_listing
from sandbox.asana import Running, running
from tests.asana_api.conftest import OpenClient
from tests.asana_api.reads import whole

pytestmark = pytest.mark.anyio


def pages(next_of: Callable[[str | None], str | None]) -> FetchPage[str]:
    """Serve pages of one item each; `next_of` gives the offset that follows an offset."""

    async def fetch(offset: str | None) -> Page[str]:
        return Page([f"item of {offset}"], next_of(offset))

    return fetch


async def test_a_circle_is_seen() -> None:
    for circle in ({None: "a", "a": "a"}, {None: "a", "a": "b", "b": "a"}, {None: "a", "a": "b", "b": "c", "c": "a"}):
        with pytest.raises(BadAnswer, match="circle"):
            await whole_listing(pages(circle.get))


async def test_a_listing_without_end_is_ended() -> None:
    endless = pages(lambda offset: str(int(offset or 0) + 1))
    with pytest.raises(BadAnswer, match="no end after 50 pages"):
        await whole_listing(endless, most_pages=50)


async def test_an_empty_page_in_the_middle_is_not_the_end() -> None:
    async def fetch(offset: str | None) -> Page[int]:
        return {None: Page([1], "a"), "a": Page([], "b"), "b": Page([2], None)}[offset]

    assert [item async for item in listing(fetch)] == [1, 2]


async def test_a_page_that_follows_itself_is_no_page(asana: Running, open_client: OpenClient) -> None:
    """For callers who keep the offset themselves, between one slice of work and the next."""
    asana.faults.add("answer", status=200, body=b'{"data":[],"next_page":{"offset":"same"}}')
    client = open_client()
    assert (await client.user_page(asana.organization_gid)).next_offset == "same"
    with pytest.raises(BadAnswer, match="same page"):
        await client.user_page(asana.organization_gid, "same")


async def test_a_circle_of_two_is_seen_over_http(asana: Running, open_client: OpenClient) -> None:
    for offset, following in ((None, "a"), ("a", "b"), ("b", "a")):
        body = f'{{"data":[],"next_page":{{"offset":"{following}"}}}}'
        asana.faults.add("answer", status=200, body=body, query={"offset": offset} if offset else None, times=1)
    client = open_client()
    with pytest.raises(BadAnswer, match="circle"):
        await whole_listing(lambda offset: whole(client.user_page(asana.organization_gid, offset)))


async def test_an_expired_offset_begins_the_listing_again_and_splices_nothing(open_client: OpenClient) -> None:
    with running(people=250, seed=3) as asana:

        async def token() -> str:
            return asana.admin_token

        client, asked = open_client(asana.api_url, token=token), []

        async def fetch(offset: str | None) -> Page[User]:
            asked.append(offset)
            if len(asked) == 2:
                asana.clock.move(timedelta(minutes=16))
            return await whole(client.user_page(asana.organization_gid, offset))

        gids = [user.gid for user in await whole_listing(fetch)]
        assert asked[2] is None, "it began again"
        assert len(asked) == 5
        assert sorted(gids) == sorted(
            gid for gid, membership in asana.organization.company.by_person.items() if membership.is_active
        )


async def test_a_second_expiry_is_told() -> None:
    asked: list[str | None] = []

    async def fetch(offset: str | None) -> Page[int]:
        asked.append(offset)
        if offset:
            raise RestartListing
        return Page([1], "a")

    with pytest.raises(RestartListing):
        await whole_listing(fetch)
    assert asked == [None, "a", None, "a"]


async def test_a_listing_that_asana_cuts_is_not_a_listing(asana: Running, open_client: OpenClient) -> None:
    asana.faults.add("answer", status=200, body=b'{"data":[],"next_page":{"offset":"a"}}', times=1)
    asana.faults.add("answer", status=400, body=b'{"errors":[{"message":"Results are truncated"}]}')
    client = open_client()
    with pytest.raises(ListingCut):
        await whole_listing(lambda offset: whole(client.user_page(asana.organization_gid, offset)))
