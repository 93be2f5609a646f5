"""The benchmark of the relay at a small size: both sides send everything, and every figure is there."""

import argparse
import io

import pytest
from rich.console import Console

from benchmarks import relay
from sandbox.services import Services

pytestmark = pytest.mark.services


def test_both_sides_send_everything(services: Services) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--without-peers", action="store_true")
    relay.add_options(parser)
    chosen = parser.parse_args(["--messages", "1200", "--rounds", "1", "--singles", "3"])
    result = relay.measure(services, chosen, Console(file=io.StringIO()))
    assert result.measured["events"]["ours"]["arrived"] == result.measured["events"]["peer"]["arrived"] == [1200]
    assert result.measured["commands"]["ours"]["arrived"] == result.measured["commands"]["peer"]["arrived"] == [240]
    assert len(result.measured["alone_s"]) == len(result.measured["straight_s"]) == 3
    assert [figure.goal for figure in result.figures] == ["at least 0.7", "", "", "", ""]
    assert all(figure.ours and figure.beside and figure.ratio for figure in result.figures)
