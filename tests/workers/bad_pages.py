"""Ways in which a page of a listing can lie: patches for the look-alike's answers, each given the whole JSON."""

from collections.abc import Callable

Patch = Callable[[object], object]


def on_data(change: Callable[[list[dict[str, object]]], object]) -> Patch:
    """Return a patch that changes the rows of a page in place."""

    def patch(page: object) -> object:
        assert isinstance(page, dict)
        change(page["data"])
        return page

    return patch


def without(field: str) -> Patch:
    """Leave a field out of the first row."""
    return on_data(lambda rows: rows[0].pop(field))


def with_the_first_row_again() -> Patch:
    """Add the first row again at the page's end."""
    return on_data(lambda rows: rows.append(rows[0]))


def contradicting() -> Patch:
    """Say of the first person, again at the page's end, that they are a guest, and not whatever they were."""
    return on_data(lambda rows: rows.append({**rows[0], "is_guest": not rows[0]["is_guest"]}))


def without_the_last(number: int) -> Patch:
    """Leave out so many rows, as if they had slipped between two pages."""
    return on_data(lambda rows: rows.__delitem__(slice(len(rows) - number, None)))


def ending_early(page: object) -> object:
    """Pretend that this page is the last."""
    assert isinstance(page, dict)
    return {**page, "next_page": None}


def nobody(page: object) -> object:
    """Answer with an empty and complete listing."""
    assert isinstance(page, dict)
    return {"data": [], "next_page": None}


def going_round() -> Patch:
    """Have the last page lead back to the second one."""
    second: list[object] = []

    def patch(page: object) -> object:
        assert isinstance(page, dict)
        second.append(page["next_page"])
        return {**page, "next_page": page["next_page"] or second[0]}

    return patch
