"""Downloads everybody, stores them and compares with the last download, beside what others read the same Asana with.

One look-alike answers all of them, each answer after 50 ms, a hundred people a page. Every program is a fresh child.
No two of them do the same; the notes say what each does.
"""

import argparse
from dataclasses import asdict
from functools import partial

from rich.console import Console

from benchmarks import curve
from benchmarks.children import ChildFailed
from benchmarks.download_legs import DLT_AGAIN, ORDERS, OURS, TAP, Leg, one_round, served
from benchmarks.download_table import figures, notes
from benchmarks.peers import python_of, version_of
from benchmarks.results import ROOT, Result
from benchmarks.sizes import between
from sandbox.services import Postgres, find_services

HELP = "download 1k, 10k and 100k people, beside tap-asana, dlt into DuckDB and the official SDK"
SIZES = (1_000, 10_000, 100_000)
PEERS = ("tap_asana", "dlt_duckdb", "asana_sdk")
LARGE = 100_000
"""From here on there is one round, and dlt loads once: two listings take it minutes."""


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
        "--latency-ms", type=between(0.0, 10_000.0, "ms"), default=50, help="how long each answer waits (default: 50)"
    )
    parser.add_argument(
        "--rounds",
        type=between(1, 100, "rounds"),
        help="how often (default: 3, from 10,000 people on 2, from 100,000 on 1)",
    )


def run(chosen: argparse.Namespace, console: Console) -> Result:
    """Measure; tell on `console` what is going on."""
    say = partial(console.print, highlight=False)
    for peer in () if chosen.without_peers else PEERS:
        python_of(peer, say)
    with find_services(durable=True, shared=False, say=say) as services:
        return measured_with(services.postgres, chosen, console)


def measured_with(postgres: Postgres, chosen: argparse.Namespace, console: Console) -> Result:
    """Measure each number of people in turn; the peers are installed."""
    sizes = {people: _size(people, chosen, postgres, console) for people in chosen.people}
    raw = {
        str(people): {name: [asdict(leg) for leg in each] for name, each in legs.items()}
        for people, legs in sizes.items()
    }
    return Result(
        "download",
        f"Download of everybody, {chosen.latency_ms:g} ms an answer: read, stored, compared with the last",
        figures(sizes),
        notes(sizes, {peer: version_of(peer) for peer in PEERS}),
        {"latency_ms": chosen.latency_ms, "people": raw},
    )


def draw_kept(result: Result, console: Console) -> None:
    """Draw the curve of the result, unless it has no peers to stand beside."""
    if all(TAP in legs for legs in result.measured["people"].values()):
        curve.draw(result.measured)
        console.print(f"drawn in {curve.PICTURE.relative_to(ROOT)}", highlight=False)


def _size(people: int, chosen: argparse.Namespace, postgres: Postgres, console: Console) -> dict[str, list[Leg]]:
    rounds = chosen.rounds or (1 if people >= LARGE else 2 if people >= 10_000 else 3)
    found: dict[str, list[Leg]] = {}
    console.print(f"{people:,} people: starting the look-alike", highlight=False)
    with served(people, chosen.latency_ms) as look:
        for number in range(rounds):
            names = [name for name in ORDERS[number % 2] if _takes_part(name, people, chosen)]
            say = partial(console.print, f"{people:,} people, {number + 1} of {rounds}:", highlight=False)
            for name, leg in one_round(look, postgres, names, say):
                if name in OURS and leg.users != people:
                    raise ChildFailed(f"{name} read {leg.users:,} of {people:,} people")
                found.setdefault(name, []).append(leg)
    return found


def _takes_part(name: str, people: int, chosen: argparse.Namespace) -> bool:
    if name in OURS:
        return True
    return not chosen.without_peers and not (name == DLT_AGAIN and people >= LARGE)
