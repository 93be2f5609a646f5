"""Asana's pagination with the traps that it has.

`next_page` comes only when `limit` was sent, and is null on the last page. Without `limit` a listing is cut silently.
An offset is opaque, belongs to one listing of one credential, and expires. It stands for a position, so when somebody
leaves between two pages, the next person is skipped: pages are no snapshot.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from secrets import token_bytes
from typing import TypeVar
from urllib.parse import urlencode

from sandbox.asana.clock import Clock
from sandbox.asana.errors import BadRequest

T = TypeVar("T")
Query = dict[str, str]

LIFETIME = timedelta(minutes=15)
"""How long an offset is good; about what clients have seen, the document only says "some time"."""

TRUNCATED = "Your result set is too large: it has been truncated. Please narrow your query."

CUT = 1000
"""Where a listing without `limit` ends without a word."""


def limit_of(query: Query) -> int | None:
    """The page size asked for, or None; raises BadRequest unless it is a whole number from 1 to 100."""
    asked = query.get("limit")
    if asked is None:
        return None
    if not (asked.isascii() and asked.isdigit() and 1 <= int(asked[:9]) <= 100):
        raise BadRequest("limit: Must be an integer between 1 and 100")
    return int(asked)


class Pages:
    """Cuts listings into pages and makes the offsets that lead on."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._key = token_bytes(16)
        self.longest: int | None = None  # beyond so many rows the last page is refused: "tens of thousands" at Asana

    def cut(
        self, rows: Sequence[T], query: Query, listing: str, url: str, path: str
    ) -> tuple[Sequence[T], dict[str, object]]:
        """One page of the rows, and what stands beside `data` in the answer.

        `listing` tells this listing and its asker from all others; `url` is the address that `path` stands below.
        Raises BadRequest for a limit out of range and for an offset that is not ours, not of this listing, or too old.
        """
        limit = limit_of(query)
        start = self._position(query["offset"], listing) if "offset" in query else 0
        if limit is not None and self.longest is not None and start + limit > self.longest and len(rows) > self.longest:
            raise BadRequest(TRUNCATED)
        page = rows[start : start + (limit or CUT)]
        if limit is None:
            return page, {}
        if start + limit >= len(rows):
            return page, {"next_page": None}
        return page, {"next_page": self._next_page(start + limit, query, listing, url, path)}

    def _next_page(self, position: int, query: Query, listing: str, url: str, path: str) -> dict[str, str]:
        offset = self._offset(position, self._clock.now(), listing)
        following = f"{path}?{urlencode({**query, 'offset': offset})}"
        return {"offset": offset, "path": following, "uri": url + following}

    def _offset(self, position: int, made: datetime, listing: str) -> str:
        stamp = f"{position:x}-{int(made.timestamp() * 1000):x}"
        return f"eyJ{stamp}-{self._mark(stamp, listing)}"

    def _mark(self, stamp: str, listing: str) -> str:
        return blake2b(f"{stamp} {listing}".encode(), digest_size=9, key=self._key).hexdigest()

    def _position(self, offset: str, listing: str) -> int:
        stamp, _, mark = offset.removeprefix("eyJ").rpartition("-")
        if not stamp or mark != self._mark(stamp, listing):
            raise BadRequest("offset: Your pagination token is invalid.")
        position, made = (int(part, 16) for part in stamp.split("-"))
        if self._clock.now().timestamp() - made / 1000 >= LIFETIME.total_seconds():
            raise BadRequest("offset: Your pagination token has expired.")
        return position
