"""A plan's hash is that of its content and of nothing else."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from rules.plan import hash_of

CONTENT = {"profile": 1, "people": [{"subscription_id": 7, "why": "no act for 90 days — Zoë"}], "due_at": "2026-03-02"}


def test_the_hash_stands_for_ever() -> None:
    assert (
        hash_of({"b": [1, None, "é"], "a": True}) == "eaa728c5bbdde78b94c0dd181a4e2c4dfced6609a4ac9ba8bd019c9e5e5366a1"
    )


def test_the_order_of_the_keys_does_not_matter_and_the_order_of_people_does() -> None:
    assert hash_of(dict(reversed(CONTENT.items()))) == hash_of(CONTENT)
    assert hash_of({"people": [1, 2]}) != hash_of({"people": [2, 1]})


@pytest.mark.parametrize(
    "other",
    [
        {**CONTENT, "profile": 2},
        {**CONTENT, "due_at": "2026-03-03"},
        {**CONTENT, "people": []},
        {**CONTENT, "profile": "1"},
    ],
)
def test_another_content_is_another_plan(other: dict[str, object]) -> None:
    assert hash_of(other) != hash_of(CONTENT)


def test_what_is_no_json_has_no_hash() -> None:
    with pytest.raises(ValueError, match="JSON"):
        hash_of({"unit_cost": math.nan})


@settings(deadline=None)
@given(some.dictionaries(some.text(), some.integers() | some.text() | some.none(), max_size=4))
def test_a_hash_is_64_hexadecimal_digits(content: dict[str, object]) -> None:
    assert len(hash_of(content)) == 64
    assert int(hash_of(content), 16) >= 0
