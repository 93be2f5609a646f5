"""How close a download comes to what cannot be shortened: its pages, one after another, times the wait for an answer.

Each page's address is in the one before, so the longer of the two listings is a chain. Its pages are counted where they
are served; former members are in it, too.
"""

import argparse
import http.client
import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from urllib.parse import urlencode, urlsplit

from rich.console import Console

from asana_api.client import MEMBERSHIP_FIELDS
from benchmarks.downloading import Downloaded, control, look_alike, place_for_downloads
from benchmarks.results import Figure, Result, at_most
from benchmarks.sizes import between
from sandbox.services import Postgres, find_services
from sandbox.stack import LookAlike

HELP = "the download at 150 ms an answer, beside the longer chain of pages times the latency"
SIZES = (1_000, 10_000, 100_000)
MOST = 1.05
TIMES = {1_000: 3}
"""How often a size is measured where it is not once; the median counts."""
SAMPLE = 50
"""Pages that tell what an answer takes without latency."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark alone."""
    parser.add_argument(
        "--people",
        type=between(50, 100_000, "people"),
        nargs="+",
        default=list(SIZES),
        help="how many there are, in each part",
    )
    parser.add_argument(
        "--latency-ms", type=between(1.0, 10_000.0, "ms"), default=150, help="how long each answer waits (default: 150)"
    )


@dataclass(frozen=True)
class Measured:
    """One size: the look-alike's own time for an answer, and the download whose run was the median."""

    people: int
    latency_s: float
    own_answer_s: float
    download: Downloaded

    @property
    def floor_s(self) -> float:
        """The chain of pages times the latency."""
        return self.download.chain * self.latency_s

    @property
    def real_floor_s(self) -> float:
        """The chain of pages times the latency and the look-alike's own time."""
        return self.download.chain * (self.latency_s + self.own_answer_s)


def run(chosen: argparse.Namespace, console: Console) -> Result:
    """Measure; tell on `console` what is going on."""
    with find_services(durable=True, shared=False, say=console.print) as services:
        return measure(services.postgres, chosen, console)


def measure(postgres: Postgres, chosen: argparse.Namespace, console: Console) -> Result:
    """Measure on a server that nobody else uses."""
    measured = [_size(people, chosen.latency_ms, postgres, console) for people in chosen.people]
    return Result(
        "latency",
        f"The download at {chosen.latency_ms:g} ms an answer, beside its longer chain of pages",
        [figure for one in measured for figure in _figures(one)],
        _notes(measured),
        {"latency_ms": chosen.latency_ms, "sizes": [asdict(one) for one in measured]},
    )


def _size(people: int, latency_ms: float, postgres: Postgres, console: Console) -> Measured:
    with look_alike(people=people) as asana:
        own = statistics.median(_answer_times(asana))
        control(asana, "POST", "limits", latency_ms=latency_ms)
        done = []
        for number in range(TIMES.get(people, 1)):
            console.print(f"{people:,} people: download {number + 1} of {TIMES.get(people, 1)}", highlight=False)
            with place_for_downloads(postgres, asana) as place:
                done.append(place.download())
    return Measured(people, latency_ms / 1000, own, sorted(done, key=lambda one: one.run_s)[len(done) // 2])


def _answer_times(asana: LookAlike) -> Iterator[float]:
    """Give the seconds that pages of memberships take, asked for one after another on one connection."""
    path = f"/api/1.0/workspaces/{asana.organization_gid}/workspace_memberships"
    query = {"opt_fields": MEMBERSHIP_FIELDS, "limit": "100"}
    connection = http.client.HTTPConnection(urlsplit(asana.url).netloc, timeout=30)
    for _ in range(SAMPLE):
        began = time.perf_counter()
        connection.request(
            "GET", f"{path}?{urlencode(query)}", headers={"Authorization": f"Bearer {asana.admin_token}"}
        )
        body = connection.getresponse().read()
        yield time.perf_counter() - began
        following = json.loads(body)["next_page"]
        query["offset"] = following["offset"] if following else ""
        if not following:
            del query["offset"]
    connection.close()


def _figures(one: Measured) -> list[Figure]:
    run_s, chain = one.download.run_s, one.download.chain
    return [
        Figure(
            f"{one.people:,} people: the run, beside its chain",
            f"{run_s:.2f} s",
            f"{one.floor_s:.2f} s: {chain:,} pages of {one.latency_s * 1000:g} ms",
            *at_most(run_s / one.floor_s, MOST),
        ),
        Figure(
            "  with the look-alike's own time",
            f"{run_s:.2f} s",
            f"{one.real_floor_s:.2f} s: {chain:,} pages of {(one.latency_s + one.own_answer_s) * 1000:.1f} ms",
            run_s / one.real_floor_s,
        ),
    ]


def _notes(measured: list[Measured]) -> list[str]:
    starts = ", ".join(f"{one.download.wall_s - one.download.run_s:.1f}" for one in measured)
    slices = ", ".join(str(one.download.slices) for one in measured)
    own = ", ".join(f"{one.own_answer_s * 1000:.1f}" for one in measured)
    return [
        "the run is from the actor's start to the end of its last transaction, the comparison and its events included",
        f"starting and ending the process comes on top: {starts} s",
        f"the look-alike's own time for an answer, measured without latency: {own} ms",
        f"slices: {slices}; the next one is taken up at once, without the way through relay and RabbitMQ",
    ]
