"""Listings, page by page, to their end or not at all."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from asana_api.answers import Page
from asana_api.errors import BadAnswer, RestartListing

T = TypeVar("T")

FetchPage = Callable[[str | None], Awaitable[Page[T]]]


async def listing(fetch_page: FetchPage[T], *, most_pages: int = 10_000) -> AsyncIterator[T]:
    """Every item, in Asana's order. Items that were yielded prove nothing until the iterator has ended by itself.

    Raises BadAnswer on an offset seen before and after `most_pages`; RestartListing if an offset expired, upon which
    the caller begins again and throws away what it has. Pages are no snapshot: an item can come twice, or not at all.
    """
    seen: set[str] = set()
    offset: str | None = None
    for _ in range(most_pages):
        page = await fetch_page(offset)
        for item in page.items:
            yield item
        offset = page.next_offset
        if offset is None:
            return
        if offset in seen:
            raise BadAnswer("the listing goes round in a circle")
        seen.add(offset)
    raise BadAnswer(f"the listing has no end after {most_pages} pages")


async def whole_listing(fetch_page: FetchPage[T], *, most_pages: int = 10_000) -> list[T]:
    """Every item of a listing that has ended; an expired offset begins it again once, and nothing is spliced."""
    try:
        return [item async for item in listing(fetch_page, most_pages=most_pages)]
    except RestartListing:
        return [item async for item in listing(fetch_page, most_pages=most_pages)]
