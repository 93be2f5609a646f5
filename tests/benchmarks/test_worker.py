"""The benchmark of the worker counts each message's effect once, for both programs."""

import argparse

import pytest
from rich.console import Console

from benchmarks import worker
from sandbox.services import Services

pytestmark = pytest.mark.services


def test_both_programs_drain_the_queue(services: Services) -> None:
    parser = argparse.ArgumentParser()
    worker.add_options(parser)
    chosen = parser.parse_args(["--messages", "30", "--rounds", "1"])
    chosen.without_peers = False
    result = worker.run(chosen, Console(quiet=True), services)
    assert [(figure.what, figure.goal) for figure in result.figures] == [
        ("rate, median of rounds", "at least 0.6"),
        ("· ours with one thread", ""),
        ("processor time for each message", ""),
    ]
    for program in worker.PROGRAMS:
        (rate,) = result.measured[f"{program}_messages_per_s"]
        (cpu,) = result.measured[f"{program}_cpu_s"]
        assert rate > 0, program
        assert cpu > 0, program
