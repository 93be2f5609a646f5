"""What the benchmark of a request measured, and the table that it becomes."""

import argparse
from dataclasses import dataclass, field
from statistics import median, quantiles

from benchmarks.results import Figure, Result, at_most

MOST = 3.0
"""Times what bare Dramatiq takes."""
LATEST_P99 = 0.1
SHORTEST_PAUSE, LONGEST_PAUSE = 0.05, 0.3
"""Seconds before each request."""


@dataclass
class Taken:
    """Seconds that each request took, and those between the moments of its way."""

    ours: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    steps: dict[str, list[float]] = field(default_factory=dict)
    commits: list[float] = field(default_factory=list)
    """One row written and committed, on the same server: what the disk takes of `committed`."""
    woken: list[float] = field(default_factory=list)
    """An empty query after a pause, and in `awake` one at once after it."""
    awake: list[float] = field(default_factory=list)
    ours_without_disk: list[float] = field(default_factory=list)
    bare_without_disk: list[float] = field(default_factory=list)


def as_result(chosen: argparse.Namespace, taken: Taken) -> Result:
    """Return the table and its figures."""
    figures = [
        _beside("p50", percentile(taken.ours, 50), percentile(taken.bare, 50) if taken.bare else None),
        _beside("p99", percentile(taken.ours, 99), percentile(taken.bare, 99) if taken.bare else None),
        Figure(
            "p99 alone",
            _ms(percentile(taken.ours, 99)),
            "",
            None,
            f"under {LATEST_P99 * 1000:.0f} ms",
            percentile(taken.ours, 99) < LATEST_P99,
        ),
    ]
    for name, seconds in taken.steps.items():
        figures.append(Figure(f"· {name}", f"+ {_ms(median(seconds))}, p99 {_ms(percentile(seconds, 99))}", ""))
    flush = f"{_ms(median(taken.commits))}, p99 {_ms(percentile(taken.commits, 99))}"
    query = f"{_ms(median(taken.woken))}, {_ms(median(taken.awake))} at once after another"
    figures += [
        Figure("for comparison: one commit alone", flush, ""),
        Figure("for comparison: an empty query", query, ""),
        _without_disk(taken),
    ]
    return Result(
        "request",
        f"{chosen.requests} requests, one at a time: dropped to actor started",
        figures,
        notes=[f"pauses from {SHORTEST_PAUSE:g} to {LONGEST_PAUSE:g} s, seed {chosen.seed}"],
        measured={
            "ours_s": taken.ours,
            "bare_s": taken.bare,
            "one_row_committed_s": taken.commits,
            "query_after_a_pause_s": taken.woken,
            "query_at_once_s": taken.awake,
            "ours_without_disk_s": taken.ours_without_disk,
            "bare_without_disk_s": taken.bare_without_disk,
            **{f"{name.replace(' ', '_')}_s": seconds for name, seconds in taken.steps.items()},
        },
    )


def _beside(what: str, ours: float, bare: float | None) -> Figure:
    if bare is None:
        return Figure(what, _ms(ours), "")
    return Figure(what, _ms(ours), f"{_ms(bare)} bare Dramatiq", *at_most(ours / bare, MOST))


def _without_disk(taken: Taken) -> Figure:
    ours, what = median(taken.ours_without_disk), "p50 without the disk: it is not waited for"
    if not taken.bare_without_disk:
        return Figure(what, _ms(ours), "")
    bare = median(taken.bare_without_disk)
    return Figure(what, _ms(ours), f"{_ms(bare)} bare Dramatiq", ours / bare)


def percentile(seconds: list[float], percent: int) -> float:
    """Return what `percent` of the values are not above."""
    return quantiles(seconds, n=100, method="inclusive")[percent - 1]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
