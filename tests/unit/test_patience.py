"""How many unknown answers a pull bears."""

import pytest

from rules.patience import FEW, trouble_with


@pytest.mark.parametrize(
    ("asked", "unknown", "borne"),
    [
        (0, 0, True),
        (10, FEW, True),
        (10, FEW + 1, False),
        (100, 5, True),
        (100, 6, False),
        (1000, 50, True),
        (1000, 51, False),
    ],
)
def test_a_few_unknown_or_five_percent_are_borne(asked: int, unknown: int, *, borne: bool) -> None:
    assert (trouble_with(asked=asked, unknown=unknown, first="answer 403") is None) == borne


def test_the_sentence_says_how_many_and_names_the_first_refusal() -> None:
    assert trouble_with(asked=20, unknown=9, first="answer 403") == (
        "activity incomplete: no answer for 9 of 20 people; the first: answer 403"
    )
