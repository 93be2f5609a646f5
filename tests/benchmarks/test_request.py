"""The benchmark of a request follows it through all our processes, in the order of its way."""

import argparse

import pytest
from rich.console import Console

from benchmarks import request
from benchmarks.request_noting import MOMENTS
from sandbox.services import Services

pytestmark = pytest.mark.services


def test_each_moment_of_each_request_is_found(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request, "WARM", 1)
    parser = argparse.ArgumentParser()
    request.add_options(parser)
    chosen = parser.parse_args(["--requests", "2"])
    chosen.without_peers = False
    result = request.run(chosen, Console(quiet=True), services)
    lines = [figure.what for figure in result.figures]
    assert lines[:-3] == ["p50", "p99", "p99 alone", *(f"· {name}" for name in MOMENTS)]
    assert lines[-3:-1] == ["for comparison: one commit alone", "for comparison: an empty query"]
    assert lines[-1].startswith("p50 without the disk")
    assert result.figures[-1].holds is None
    assert len(result.measured["ours_without_disk_s"]) == len(result.measured["bare_without_disk_s"]) == 2
    assert len(result.measured["ours_s"]) == len(result.measured["bare_s"]) == 2
    assert all(seconds > 0 for seconds in (*result.measured["ours_s"], *result.measured["bare_s"]))
    steps = [result.measured[f"{name.replace(' ', '_')}_s"] for name in MOMENTS]
    for number, whole in enumerate(result.measured["ours_s"]):
        assert sum(step[number] for step in steps) == pytest.approx(whole)
