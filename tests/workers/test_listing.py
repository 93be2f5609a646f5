"""The reader of one listing runs ahead of what is committed, so far and no further."""

import asyncio
from collections.abc import Callable

import pytest

from asana_api.answers import Arrived
from asana_api.errors import BadAnswer, RestartListing
from workers.listing import Place, Reader
from workers.waiting import first_of

pytestmark = pytest.mark.anyio

AHEAD = 4


def reader(
    fetch: Callable[[str | None], Arrived[int]], place: Place | None = None, *, over: bool = False
) -> Reader[int]:
    async def fetched(offset: str | None) -> Arrived[int]:
        await asyncio.sleep(0)
        return fetch(offset)

    return Reader(fetched, place or Place(), news=asyncio.Event(), ahead=AHEAD, is_over=lambda: over)


def page(offset: str | None, pages: int) -> Arrived[int]:
    """Give the page at an offset, of a listing with so many; each has its number as its one item."""
    number = int(offset or 0)
    return Arrived(str(number + 1) if number + 1 < pages else None, lambda: [number])


async def turns() -> None:
    """Let every task come as far as it can."""
    for _ in range(100):
        await asyncio.sleep(0)


async def test_it_runs_ahead_so_many_pages_and_waits_for_the_commit() -> None:
    asked: list[str | None] = []

    def fetch(offset: str | None) -> Arrived[int]:
        asked.append(offset)
        return page(offset, 100)

    one = reader(fetch)
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(one.read())
        await turns()
        batch = await one.take()
        await turns()
        assert (len(asked), batch.items) == (AHEAD, [0, 1, 2, 3]), "taken is not committed"
        one.committed(batch)
        await turns()
        assert (len(asked), one.waiting) == (2 * AHEAD, AHEAD)
        reading.cancel()


async def test_each_batch_goes_on_where_the_one_before_it_stood() -> None:
    one = reader(lambda offset: page(offset, 7))
    items, places = [], []
    async with asyncio.TaskGroup() as group:
        group.create_task(one.read())
        while not one.ended or one.waiting:
            await turns()
            batch = await one.take()
            items += batch.items
            places.append(batch.place)
            one.committed(batch)
    assert items == list(range(7))
    assert places == [Place("4", 4, 4), Place(None, 7, 7, done=True)]


async def test_an_expired_offset_drops_what_waits_and_marks_what_follows() -> None:
    expired = [True]

    def fetch(offset: str | None) -> Arrived[int]:
        if offset == "3" and expired:
            expired.clear()
            raise RestartListing(call="GET /users", status=400, said="expired")
        return page(offset, 6)

    one = reader(fetch)
    async with asyncio.TaskGroup() as group:
        group.create_task(one.read())
        await turns()
        first = await one.take()
        one.committed(first)
        await turns()
    second = await one.take()
    assert (first.restarted, first.items + second.items) == (True, [0, 1, 2, 3, 4, 5])
    assert (second.restarted, second.place) == (False, Place(None, 6, 6, done=True, restarts=1))


async def test_what_was_taken_before_an_offset_expired_is_to_be_forgotten() -> None:
    expired = [True]

    def fetch(offset: str | None) -> Arrived[int]:
        if offset == "4" and expired:
            expired.clear()
            raise RestartListing(call="GET /users", status=400, said="expired")
        return page(offset, 6)

    one = reader(fetch)
    async with asyncio.TaskGroup() as group:
        group.create_task(one.read())
        batches = []
        while not one.ended or one.waiting:
            await turns()
            batches.append(await one.take())
            one.committed(batches[-1])
    assert [(batch.restarted, batch.items) for batch in batches] == [
        (False, [0, 1, 2, 3]),
        (True, [0, 1, 2, 3]),
        (False, [4, 5]),
    ]


async def test_the_second_expiry_is_an_error() -> None:
    def fetch(offset: str | None) -> Arrived[int]:
        if offset == "2":
            raise RestartListing(call="GET /users", status=400, said="expired")
        return page(offset, 3)

    with pytest.raises(RestartListing):
        await reader(fetch).read()


async def test_when_the_time_is_over_one_page_is_read_and_no_more() -> None:
    one = reader(lambda offset: page(offset, 9), Place("3", 3, 3), over=True)
    await one.read()
    assert (one.ended, (await one.take()).place) == (True, Place("4", 4, 4))


async def test_a_listing_that_is_done_asks_nothing() -> None:
    def never(_: str | None) -> Arrived[int]:
        raise AssertionError("asked")

    one = reader(never, Place(None, 2, 2, done=True))
    await one.read()
    assert (one.ended, one.waiting) == (True, 0)


async def test_a_circle_is_noticed_across_batches() -> None:
    one = reader(lambda offset: Arrived("1" if offset == "5" else str(int(offset or 0) + 1), lambda: [0]))

    async def committing() -> None:
        while True:
            await turns()
            one.committed(await one.take())

    with pytest.raises(BadAnswer, match="in a circle"):
        await first_of(one.read(), committing())


async def test_a_page_is_looked_into_only_when_it_is_taken() -> None:
    """A page that is not what it should be keeps what was taken before it, and is not believed."""

    def odd() -> list[int]:
        raise BadAnswer("data.0.gid: Field required")

    one = reader(lambda offset: Arrived("1", lambda: [0]) if offset is None else Arrived(None, odd))
    async with asyncio.TaskGroup() as group:
        group.create_task(one.read())
        await one._news.wait()
        first = await one.take()
    assert (first.items, first.place) == ([0], Place("1", 1, 1))
    with pytest.raises(BadAnswer, match="gid"):
        await one.take()
