"""The economical pull beside the full sweep: the same people each day, for a fraction of the requests.

One simulated organization lives on; two profiles look at it every day, one asking about everybody and one only about
those whose answer could change a decision. Whom they call idle, whom they withdraw and whom they would remove is
compared on every day, on a paid plan and on the free one.
"""

import argparse
import logging
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing import get_context

import structlog
import uvloop
from rich.console import Console

from benchmarks.proofs.stage import Addresses, Place, Stage, new_databases, stage_for
from benchmarks.results import Figure, Result, at_most
from benchmarks.sizes import between
from messages.kinds import RunKind
from rules.evidence import AsanaPlan
from sandbox.asana import Running, running
from sandbox.asana.life import Life
from store.profiles import Sweep

HELP = "the economical pull and the full sweep choose, withdraw and would remove the same people on every day"
START = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
GOALS: dict[AsanaPlan, float] = {"advanced": 0.1, "free": 0.2}
SWEEPS: tuple[Sweep, ...] = ("full", "economical")


@dataclass
class Day:
    """What one profile held on one day: the state of each open candidate, and whom it withdrew that day, by gid."""

    open: dict[str, str]
    withdrawn: set[str]


@dataclass
class Comparison:
    """Both profiles over all days of one plan."""

    plan: AsanaPlan
    days: list[tuple[Day, Day]] = field(default_factory=list)
    requests: dict[str, int] = field(default_factory=dict)

    @property
    def different(self) -> list[int]:
        """The days, counted from 0, on which the two did not say the same."""
        return [number for number, (full, economical) in enumerate(self.days) if full != economical]

    @property
    def chosen(self) -> int:
        """How many people the full sweep called ready on some day."""
        return len({gid for full, _ in self.days for gid, state in full.open.items() if state == "ready"})

    @property
    def withdrawn(self) -> int:
        """How many withdrawals the full sweep made."""
        return sum(len(full.withdrawn) for full, _ in self.days)

    def told(self) -> str:
        """Say in words how it stands."""
        asked = " to ".join(f"{count:,}" for count in self.requests.values())
        return f"{asked} requests, {len(self.different)} days differ"

    @property
    def ratio(self) -> float:
        """Requests of the economical pull for one of the full sweep."""
        return self.requests["economical"] / max(1, self.requests["full"])


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this proof."""
    parser.add_argument("--people", type=between(50, 20_000, "people"), default=10_000)
    parser.add_argument("--days", type=between(5, 400, "days"), default=90)
    parser.add_argument("--seed", type=int, default=1)


def run(chosen: argparse.Namespace, console: Console) -> Result:
    """Compare on both plans, side by side."""
    with (
        new_databases(console, len(GOALS)) as databases,
        ProcessPoolExecutor(len(GOALS), get_context("spawn")) as sides,
    ):
        began = [
            sides.submit(_alone, Addresses.of(database), plan, chosen.people, chosen.days, chosen.seed)
            for database, plan in zip(databases, GOALS, strict=True)
        ]
        return account([one.result() for one in began], chosen)


def _alone(place: Place, plan: AsanaPlan, people: int, days: int, seed: int) -> Comparison:
    """Compare in a process of its own, which tells on stderr how it stands."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    return compare(place, plan, people=people, days=days, seed=seed, console=Console(stderr=True))


def account(compared: list[Comparison], chosen: argparse.Namespace) -> Result:
    """Give the table."""
    title = f"Economy: {chosen.people:,} people, {chosen.days} days, seed {chosen.seed}"
    result = Result("economy", title, [])
    for one in compared:
        requests = {name: f"{count:,} requests" for name, count in one.requests.items()}
        figures = (requests["economical"], requests["full"], *at_most(one.ratio, GOALS[one.plan]))
        result.figures.append(Figure(f"{one.plan}: requests", *figures))
        same = f"{len(one.days) - len(one.different)} of {len(one.days)} days"
        holds = not one.different and one.chosen > 0
        result.figures.append(
            Figure(
                f"{one.plan}: the same people", same, f"{one.chosen:,} chosen, {one.withdrawn:,} withdrawn", holds=holds
            )
        )
        result.measured[one.plan] = {**one.requests, "different_days": one.different, "seed": chosen.seed}
    result.notes.append("the same people: whoever is ready or needs attention, and whoever was withdrawn, on every day")
    result.notes.append("ready is what a plan takes: both would remove the same people on the same day")
    return result


def compare(place: Place, plan: AsanaPlan, *, people: int, days: int, seed: int, console: Console) -> Comparison:
    """Let an organization live for so many days under both sweeps."""
    with running(people=people, seed=seed, start=START) as asana:
        asana.look.plan = plan
        return uvloop.run(_compared(place, asana, plan, days, seed, console))


async def _compared(
    place: Place, asana: Running, plan: AsanaPlan, days: int, seed: int, console: Console
) -> Comparison:
    life, compared = Life(asana.look, seed), Comparison(plan)
    async with stage_for(asana, place, slice_seconds=60) as stage:
        names = {sweep: f"{plan}-{sweep}".replace("+", "-plus") for sweep in SWEEPS}
        ids = [await stage.publish(names[sweep], plan=plan, sweep=sweep) for sweep in SWEEPS]
        for profile_id in ids:
            await _expect_finished(stage, profile_id, "download")
        for day in range(days):
            full, economical = [await _day(stage, profile_id) for profile_id in ids]
            compared.days.append((full, economical))
            compared.requests = {sweep: stage.requests_of(names[sweep]) for sweep in SWEEPS}
            if day % 10 == 9:
                console.print(f"{plan}: day {day + 1} of {days}: {compared.told()}", highlight=False)
            life.live_day()
    return compared


async def _day(stage: Stage, profile_id: int) -> Day:
    now = stage.asana.clock.now()
    await _expect_finished(stage, profile_id, "activity")
    await _expect_finished(stage, profile_id, "candidates")
    rows = await stage.rows(
        """SELECT s.user_gid, c.state, c.closed_at FROM candidate c JOIN subscription s ON s.id = c.subscription_id
            WHERE c.profile_id = %(profile)s
              AND (c.closed_at IS NULL OR c.closed_at >= %(now)s AND c.state = 'closed_canceled')""",
        profile=profile_id,
        now=now,
    )
    return Day(
        open={str(row["user_gid"]): str(row["state"]) for row in rows if row["closed_at"] is None},
        withdrawn={str(row["user_gid"]) for row in rows if row["closed_at"] is not None},
    )


async def _expect_finished(stage: Stage, profile_id: int, kind: RunKind) -> None:
    ended = await stage.run(profile_id, kind)
    if ended.state != "finished":
        raise AssertionError(f"{kind} {ended.state}: {ended.reason}")
