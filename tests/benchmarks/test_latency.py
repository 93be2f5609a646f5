"""The benchmark of the latency at small size: what it did, never how fast."""

import pytest
from rich.console import Console

from benchmarks import latency
from benchmarks.__main__ import parser_for
from sandbox.services import Services

pytestmark = pytest.mark.services


def test_the_chain_is_counted_where_it_is_served(services: Services) -> None:
    chosen = parser_for(["latency"]).parse_args(["latency", "--people", "250", "--latency-ms", "10"])
    result = latency.measure(services.postgres, chosen, Console(quiet=True))
    (size,) = result.measured["sizes"]
    assert size["download"]["pages"] == {"memberships": 3, "users": 3}
    assert size["download"]["counts"]["found"] == 250
    assert size["own_answer_s"] > 0
    assert result.figures[0].beside == "0.03 s: 3 pages of 10 ms"
    assert [figure.goal for figure in result.figures] == ["at most 1.05", ""]
