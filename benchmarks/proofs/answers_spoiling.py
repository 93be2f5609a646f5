"""How the bad answers of the matrix spoil the right answer's JSON, or its bytes.

Each function makes a patch, given the address of the host that must see nothing.
"""

import gzip
import json
from typing import Any

from sandbox.asana.faults import Patch

Json = Any  # an answer of the look-alike, to be made wrong


def _items(page: Json) -> list[Json]:
    data = page.get("data")
    return data if isinstance(data, list) else [page] if data is None else [data]


def without_gid(_: str) -> Patch:
    def spoil(page: Json) -> Json:
        for item in _items(page)[:1]:
            item.pop("gid", None)
            item.pop("access_token", None)
        return page

    return spoil


def time_without_zone(_: str) -> Patch:
    def spoil(page: Json) -> Json:
        for item in _items(page):
            if "created_at" in item:
                item["created_at"] = "2026-05-01T10:00:00.000"
        return page

    return spoil


def with_errors(_: str) -> Patch:
    return lambda page: {**page, "errors": [{"message": "Scripted"}]} if isinstance(page, dict) else page


def round_in_a_circle(_: str) -> Patch:
    known: list[str] = []

    def spoil(page: Json) -> Json:
        way_on = page.get("next_page")
        known.extend([way_on["offset"]] if way_on else [])
        if known:
            page["next_page"] = {"offset": known[0], "path": "/", "uri": "/"}
        return page

    return spoil


def way_on_elsewhere(elsewhere: str) -> Patch:
    def spoil(page: Json) -> Json:
        if page.get("next_page"):
            page["next_page"] |= {"uri": f"{elsewhere}/api/1.0/users", "path": f"{elsewhere}/api/1.0/users"}
        return page

    return spoil


def offset_is_an_address(elsewhere: str) -> Patch:
    def spoil(page: Json) -> Json:
        page["next_page"] = {"offset": f"{elsewhere}/x?offset=1&workspace=2#", "path": elsewhere, "uri": elsewhere}
        return page

    return spoil


def no_way_on(_: str) -> Patch:
    def spoil(page: Json) -> Json:
        page.pop("next_page", None)
        return page

    return spoil


def of_strangers(_: str) -> Patch:
    """The people of another organization, as they are there: long idle."""

    def spoil(page: Json) -> Json:
        for number, item in enumerate(_items(page)):
            stranger = {"gid": f"77{number:04}", "name": "Somebody else"}
            if "user" in item:
                item.update(gid=f"66{number:04}", user=stranger, created_at="2020-01-01T00:00:00.000Z")
            else:
                item.update(stranger, email=f"person{number}@elsewhere.example")
        return page

    return spoil


def of_another_person(_: str) -> Patch:
    """A page of tasks as another person's would be, who has had nothing to do for years."""
    other, long_ago = {"gid": "770000"}, "2020-01-01T00:00:00.000Z"

    def spoil(page: Json) -> Json:
        for item in _items(page):
            item.update(assignee=other, created_by=other, created_at=long_ago, modified_at=long_ago)
            item.update(completed_by=None, completed_at=None)
        return page

    return spoil


def nobody(_: str) -> Patch:
    return lambda _: {"data": [], "next_page": None}


def twice_and_different(_: str) -> Patch:
    def spoil(page: Json) -> Json:
        if page["data"]:
            other = json.loads(json.dumps(page["data"][0]))
            other |= {"is_admin": not other["is_admin"]} if "is_admin" in other else {"name": "Another name"}
            page["data"].append(other)
        return page

    return spoil


def half_gzip(body: bytes) -> bytes:
    return gzip.compress(body)[:-12]
