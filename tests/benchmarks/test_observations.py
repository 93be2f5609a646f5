"""Keeping acts beside COPY, small: every act is there on both sides, and each figure has its place."""

import pytest
from rich.console import Console

from benchmarks.__main__ import parser_for
from benchmarks.observations import made_up, measure
from sandbox.services import Services

pytestmark = pytest.mark.services


def test_both_sides_write_every_act(services: Services) -> None:
    given = ["observations", "--observations", "2000", "--rounds", "1", "--batch", "300"]
    result = measure(parser_for(["observations"]).parse_args(given), Console(quiet=True), services)
    held = {figure.what: figure.goal for figure in result.figures if figure.goal}
    assert held == {
        "nearly all are known": "at least 0.35",
        "all are new": "at least 0.25",
    }
    assert [figure.what for figure in result.figures][-2:] == [
        "· nearly all are known, 50 acts at once",
        "· all are new, 50 acts at once",
    ]
    assert len(result.measured["several_new_s"]) == len(result.measured["small_known_s"]) == 1
    assert len(result.measured["text_s"]) == len(result.measured["new_s"]) == len(result.measured["known_s"]) == 1


def test_acts_are_made_up_for_everybody_and_none_twice() -> None:
    rows = made_up([7, 8, 9], 100)
    assert len(rows) == 100
    assert {row[0] for row in rows} == {7, 8, 9}
    assert len({(row[0], row[2]) for row in rows}) == 100
