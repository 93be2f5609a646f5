"""The benchmark of a second download at small size: what it did, never how much it took."""

import pytest
from rich.console import Console

from benchmarks import again
from benchmarks.__main__ import parser_for
from sandbox.services import Services

pytestmark = pytest.mark.services


def test_what_was_changed_is_what_the_second_download_finds(services: Services) -> None:
    chosen = parser_for(["again"]).parse_args(["again", "--people", "1000"])
    result = again.measure(services.postgres, chosen, Console(quiet=True))
    counts = result.measured["second"]["done"]["counts"]
    assert result.measured["first"]["done"]["counts"]["found"] == 1000
    assert {name: counts[name] for name in ("gone", "changed", "found", "returned")} == {
        "gone": 2,
        "changed": 8,
        "found": 0,
        "returned": 0,
    }
    assert result.measured["second"]["record_bytes"] > 0
    assert [figure.goal for figure in result.figures] == ["at most 0.03", "at most 0.03", "at most 0.5", ""]
