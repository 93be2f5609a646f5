"""Sizes that an option takes: one outside of what a benchmark can measure is a usage error, told in one sentence."""

from argparse import ArgumentTypeError
from collections.abc import Callable
from typing import TypeVar

Number = TypeVar("Number", int, float)


def between(lowest: Number, highest: Number, of: str) -> Callable[[str], Number]:
    """Make the type of an option: a number of the bounds' own kind from `lowest` to `highest`, both included.

    `of` names what is counted, for the sentence that refuses anything else ("people", "ms").
    """

    def size(given: str) -> Number:
        sentence = f"from {lowest} to {highest} {of}, not {given}"
        try:
            number = type(lowest)(given)
        except ValueError:
            raise ArgumentTypeError(sentence) from None
        if not lowest <= number <= highest:  # so is what is not a number at all
            raise ArgumentTypeError(sentence)
        return number

    return size
