"""When a listing is believed: whatever is not whole makes the run fail, and nobody is gone because of it."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from rules.completeness import FEW, LARGEST_MISSING_SHARE, Listing, trouble_with

WHOLE = Listing(
    memberships_written=1030,
    memberships_staged=1030,
    users_written=1000,
    users_staged=1000,
    contradictions=0,
    seats=1000,
    known=1000,
    missing=0,
    unconfirmed=0,
)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, None),
        ({"memberships_staged": 1029}, "lost on the way"),
        ({"users_staged": 0}, "lost on the way"),
        ({"contradictions": 1}, "different things of 1 people"),
        ({"seats": 0, "known": 0}, "nobody at all"),
        ({"missing": 50}, None),
        ({"missing": 51}, "51 of 1000 known people are missing"),
        ({"known": 10, "missing": FEW}, None),
        ({"known": 10, "missing": FEW + 1}, "6 of 10 known people are missing"),
        ({"known": 0, "missing": 0}, None),
        ({"unconfirmed": 50}, None),
        ({"unconfirmed": 51}, "51 of 1000 listed people are not among the users"),
        ({"seats": 20, "unconfirmed": FEW}, None),
        ({"seats": 20, "unconfirmed": FEW + 1}, "6 of 20 listed people are not among the users"),
        ({"seats": 4, "known": 0, "unconfirmed": 4}, "nobody at all"),
    ],
)
def test_what_a_listing_is_not_believed_for(changed: dict[str, Any], words: str | None) -> None:
    sentence = trouble_with(replace(WHOLE, **changed))
    assert (sentence is None) if words is None else (sentence is not None and words in sentence)


@settings(deadline=None)
@given(known=some.integers(0, 100_000), missing=some.integers(0, 100_000))
def test_more_than_a_few_and_more_than_five_percent_are_never_believed_gone(known: int, missing: int) -> None:
    believed = trouble_with(replace(WHOLE, known=known, missing=missing)) is None
    assert believed == (missing <= FEW or missing <= LARGEST_MISSING_SHARE * known)
