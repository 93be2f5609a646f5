"""The sweep by one process and by two, small: everybody was asked about, by calls that were counted."""

import argparse

import pytest
from rich.console import Console

from benchmarks.__main__ import parser_for
from benchmarks.sweep import measure, steady_rate
from sandbox.services import Services

pytestmark = pytest.mark.services


def chosen(*given: str) -> argparse.Namespace:
    return parser_for(["sweep"]).parse_args(["sweep", *given])


def test_everybody_is_asked_about_without_one_call_that_is_rejected(services: Services) -> None:
    small = chosen("--people", "20", "--per-minute", "1500", "--processes", "1", "2")
    result = measure(small, Console(quiet=True), services)
    one, two = result.measured["sweeps"]
    assert (one["processes"], two["processes"]) == (1, 2)
    for sweep in (one, two):
        assert sweep["rejected"] == 0
        assert sweep["calls"] >= 20
    assert len(result.figures) == 6


def test_the_burst_at_the_beginning_does_not_count() -> None:
    watched = [(0.0, 0), (1.0, 30), (2.0, 30), (3.0, 40), (4.0, 50), (5.0, 50)]
    assert steady_rate(watched) == 10.0
