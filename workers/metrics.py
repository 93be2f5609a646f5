"""Figures in the words of Prometheus. All are gauges: they say what is true now, counted in Postgres."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from store.figures import Figures


def as_metrics(figures: Figures) -> Iterable[Metric]:
    """Return the metrics of `figures`, all named `seatkeeper_...`."""
    yield _by("runs", "Runs by kind and state", ("kind", "state"), figures.runs)
    yield _one("outbox_waiting", "Messages that are due and not sent", figures.outbox_waiting)
    yield _one("outbox_age_seconds", "How long the oldest of them has been due", figures.outbox_age)
    budget = "Share of the requests to Asana that may be given out ahead and are not yet; 0 is spent"
    yield _by("budget_left_ratio", budget, ("connection", "credential"), figures.budget)
    removals = {(state,): count for state, count in figures.removals.items()}
    yield _by("removals", "Removals by state; parked ones need a person", ("state",), removals)
    credentials = "Credentials by connection, kind and state"
    yield _by("credentials", credentials, ("connection", "credential", "state"), figures.credentials)
    ages = {(profile,): age for profile, age in figures.activity_age.items()}
    yield _by("activity_age_seconds", "How long ago the last finished pull of activity began", ("profile",), ages)
    yield _one("quarantined", "Requests that were refused and kept", figures.quarantined)
    yield _one("dead_letters", "Dead letters that were not replayed", figures.dead_letters)


K = TypeVar("K", bound=tuple[str, ...])


def _one(name: str, words: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"seatkeeper_{name}", words, value=value)


def _by(name: str, words: str, labels: tuple[str, ...], values: Mapping[K, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"seatkeeper_{name}", words, labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric(key, value)
    return family
