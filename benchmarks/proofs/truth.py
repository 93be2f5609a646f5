"""Every source against the all-knowing truth of the look-alike, alone and together, over many seeds.

Alone: each source is asked about everybody, and must give each person's last act as far as it could see it. Together:
a pull is carried out as in production, on each plan, in some of the organizations with answers that fail at random; a
window that is claimed must hold no act that the source could see and we do not know; nobody may be called idle who was
seen at work, or who was at work where the evidence looked; and of those who are truly idle enough must be found.
"""

import argparse
import asyncio
import logging
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from random import Random

import structlog
from rich.console import Console

from benchmarks.proofs.alone import Alone, each_source_alone
from benchmarks.proofs.sides import SIDES, Side
from benchmarks.proofs.stage import Addresses, Place, new_databases
from benchmarks.proofs.together import Together, all_together
from benchmarks.results import Figure, Result, at_least
from benchmarks.sizes import between

AT_ONCE = 2
"""Processes that share the organizations."""
HELP = "each source and all together say what they could see, claim nothing more, and call nobody idle who was not"


@dataclass
class Account:
    """What was counted over all seeds."""

    alone: Counter[str] = field(default_factory=Counter)
    sides: dict[str, Together] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def merge(self, other: "Account") -> None:
        """Add what another process counted."""
        self.alone.update(other.alone)
        self.faults += other.faults
        for name, one in other.sides.items():
            self.sides[name] = self.sides.get(name, Together()) + one

    def add(self, alone: Alone, together: dict[str, Together]) -> None:
        """Add one organization."""
        self.alone.update(alone.compared)
        self.faults += alone.faults
        for name, one in together.items():
            self.sides[name] = self.sides.get(name, Together()) + one
            self.faults += [f"{name}: {fault}" for fault in one.faults]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this proof."""
    parser.add_argument("--seeds", type=between(1, 2000, "seeds"), default=200, help="small organizations")
    parser.add_argument("--people", type=between(20, 500, "people"), default=60, help="people in each of them")
    parser.add_argument("--large", type=between(0, 20, "organizations"), default=3, help="large organizations")
    parser.add_argument("--large-people", type=between(100, 20_000, "people"), default=5_000)
    parser.add_argument("--seed", type=int, default=1, help="the first seed; the others follow it")


def run(chosen: argparse.Namespace, console: Console) -> Result:
    """Go through all seeds, two organizations at a time."""
    sizes = [chosen.people] * chosen.seeds + [chosen.large_people] * chosen.large
    seeds = [(people, chosen.seed + number) for number, people in enumerate(sizes)]
    counted = Account()
    with (
        new_databases(console, AT_ONCE) as databases,
        ProcessPoolExecutor(AT_ONCE, get_context("spawn")) as sides,
    ):
        places = [Addresses.of(database) for database in databases]
        began = [sides.submit(_some, place, seeds[number::AT_ONCE]) for number, place in enumerate(places)]
        for one in began:
            counted.merge(one.result())
    return account(counted, chosen)


def _some(place: Place, seeds: list[tuple[int, int]]) -> Account:
    """Go through some organizations in a process of its own, which tells on stderr how it stands."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    counted = Account()
    for number, (people, seed) in enumerate(seeds, start=1):
        counted.add(*compare(place, people=people, seed=seed))
        if number % 10 == 0:
            sys.stderr.write(f"{number} of {len(seeds)} organizations, {len(counted.faults)} faults\n")
    return counted


def compare(place: Place, *, people: int, seed: int) -> tuple[Alone, dict[str, Together]]:
    """Compare one organization: each source alone, then each side of the plans."""
    return asyncio.run(_compared(place, people, seed))


async def _compared(place: Place, people: int, seed: int) -> tuple[Alone, dict[str, Together]]:
    alone = await each_source_alone(people=people, seed=seed)
    rng = Random(f"{seed}/faults")
    together = {side.name: await all_together(place, side, people=people, seed=seed, rng=rng) for side in SIDES}
    return alone, together


def account(counted: Account, chosen: argparse.Namespace) -> Result:
    """Give the table."""
    sizes = f"{chosen.seeds} organizations of {chosen.people}, {chosen.large} of {chosen.large_people:,}"
    result = Result("truth", f"Sources tell the truth: {sizes}, seeds from {chosen.seed}", [])
    for source, compared in counted.alone.items():
        wrong = sum(fault.startswith(f"{source}:") for fault in counted.faults)
        result.figures.append(
            Figure(f"{source} alone", f"{compared:,} people", f"{wrong} not as it could see", holds=wrong == 0)
        )
    for side in SIDES:
        result.figures += _lines(side, counted.sides[side.name])
    result.notes += [f"seed {fault}" for fault in counted.faults[:20]]
    result.notes.append(
        "found: of those truly idle who ever used Asana, the share that is ready; the others need attention"
    )
    result.notes.append(
        "profiles look back 240 days; with the default of 60, whoever slept longer was never seen to act"
    )
    result.notes.append("could not be seen: candidates who were active where their verdict says that nobody looked")
    result.measured = {name: one.measured() for name, one in counted.sides.items()} | {"seed": chosen.seed}
    return result


def _lines(side: Side, one: Together) -> list[Figure]:
    claims = Figure(
        f"{side.name}: windows claimed", f"{one.claims:,}", f"{one.overclaimed} too much", holds=one.overclaimed == 0
    )
    wrong = Figure(
        f"{side.name}: wrong candidates", f"{one.wrong}", f"{one.unseeable} could not be seen", holds=one.wrong == 0
    )
    share = one.ready_share
    goal = at_least(share, side.goal) if side.goal else (share, "", None)
    found = Figure(
        f"{side.name}: found",
        f"{one.idle_ready:,} of {one.idle:,} ready",
        f"{one.idle_attention:,} need attention",
        *goal,
    )
    return [claims, wrong, found]
