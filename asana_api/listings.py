"""Pages of listings through the one way out: how a page is asked for, and what of it is read at once.

The calls that read stand in classes of their own, by what they are for; the client is all of them, and sends.
"""

from abc import ABC, abstractmethod
from typing import TypeVar
from urllib.parse import urlencode

from pydantic import TypeAdapter

from asana_api.answers import Arrived, Listing, Page, WayOn, read
from asana_api.errors import BadAnswer
from asana_api.sending import Call

T = TypeVar("T")

_WAY_ON = TypeAdapter(WayOn)


class Reads(ABC):
    """What every call that reads needs."""

    @abstractmethod
    async def _request(self, call: Call) -> bytes:
        """Return the body of a 200; an error for everything else."""

    async def _page(
        self, shape: TypeAdapter[Listing[T]], path: str, query: dict[str, str], offset: str | None
    ) -> Page[T]:
        return (await self._arrived(shape, path, query, offset)).page()

    async def _arrived(
        self, shape: TypeAdapter[Listing[T]], path: str, query: dict[str, str], offset: str | None
    ) -> Arrived[T]:
        query = {**query, "limit": "100"} | ({"offset": offset} if offset is not None else {})
        call = Call("GET", path, urlencode(query), paging=offset is not None)
        body = await self._request(call)
        way_on = read(_WAY_ON, body, call.name).next_page
        if way_on is not None and way_on.offset == offset:
            raise BadAnswer("the next page is the same page", call=call.name, status=200)
        return Arrived(way_on.offset if way_on else None, lambda: read(shape, body, call.name).data)
