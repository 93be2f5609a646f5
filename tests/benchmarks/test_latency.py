"""The benchmark of the latency at small size: what it did, never how fast."""

import pytest
from rich.console import Console

from benchmarks import latency
from benchmarks.__main__ import parser_for

pytestmark = pytest.mark.services


def test_the_chain_is_counted_where_it_is_served() -> None:
    chosen = parser_for(["latency"]).parse_args(["latency", "--people", "150", "250", "--latency-ms", "5"])
    result = latency.run(chosen, Console(quiet=True))
    small, large = result.measured["sizes"]
    assert (small["download"]["pages"], large["download"]["pages"]) == (
        {"memberships": 2, "users": 2},
        {"memberships": 3, "users": 3},
    )
    assert large["download"]["counts"]["found"] == 250
    assert [figure.beside.partition(":")[0] for figure in result.figures[::2]] == ["0.01 s", "0.02 s"]
    assert [figure.goal for figure in result.figures] == ["at most 1.05", ""] * 2
    assert small["own_answer_s"] > 0
