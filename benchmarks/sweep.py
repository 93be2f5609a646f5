"""Whether a pull of activity uses what Asana allows, and never more: one worker process, then three together.

The look-alike keeps Asana's limits: a bucket of one second's worth for the credential, where a rejected call counts as
well. Three processes share one credential as three profiles of one organization do, each with a third of the people.

How the rate is counted: calls are counted at the look-alike. The first second is left out, because it may hold the
burst with which an idle credential begins: the rate is that of the calls from then to the last one. The rate of the
whole run stands beside it, burst, start and end included.
"""

import argparse
import asyncio
import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import httpx
import pika
import psycopg
from rich.console import Console

from benchmarks.downloading import control, look_alike
from benchmarks.results import Figure, Result, at_least, at_most
from benchmarks.sizes import between
from benchmarks.sweep_stage import connected, paid_seats, published
from benchmarks.without_asana import stack_without_asana
from messages.commands import PullActivity
from rules.pace import PAID_PACE
from sandbox.services import Services
from sandbox.stack import LookAlike, Stack
from store import runs
from store.connect import Connection, open_connection
from store.runs import Order

HELP = "an activity sweep by one process and by three, beside the rate that Asana allows"
LEAST = 0.95
"""Of the allowed rate."""
BURST_S = 1.0
"""Left out at the beginning: Asana's bucket holds a second's worth."""
POLL_S = 0.05
TOO_LONG = 600.0


@dataclass(frozen=True)
class Swept:
    """One sweep. `steady_rate` and `whole_rate` are calls a second."""

    processes: int
    people: int
    calls: int
    rejected: int
    run_s: float
    steady_rate: float
    whole_rate: float


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark alone."""
    parser.add_argument(
        "--people", type=between(20, 10_000, "people"), default=1000, help="people who are asked about in each sweep"
    )
    parser.add_argument(
        "--per-minute",
        type=between(60, PAID_PACE, "calls"),
        default=PAID_PACE,
        help=f"calls that the look-alike allows a minute, at most the {PAID_PACE:,} of a paid plan",
    )
    parser.add_argument(
        "--processes",
        type=between(1, 16, "processes"),
        nargs="+",
        default=[1, 3],
        help="worker processes in each sweep",
    )


def run(chosen: argparse.Namespace, console: Console) -> Result:
    """Measure; tell on `console` what is going on."""
    return measure(chosen, console, None)


def measure(chosen: argparse.Namespace, console: Console, services: Services | None) -> Result:
    """Measure on servers that run already, or on new ones."""
    done: list[Swept] = []
    with (
        look_alike(people=chosen.people + chosen.people // 4 + 20) as asana,
        stack_without_asana(console.print, services=services) as stack,
    ):
        seats = paid_seats(asana)[: chosen.people]
        connection_id = asyncio.run(connected(stack, asana, chosen.per_minute))
        stack.start("relay", "workers.relay")
        stack.wait_healthy("relay")
        for processes in chosen.processes:
            named = [f"part-{number + 1}-of-{processes}" for number in range(processes)]
            shares = [seats[number::processes] for number in range(processes)]
            made = [asyncio.run(published(stack, asana, connection_id, *pair)) for pair in zip(named, shares)]  # noqa: B905 - made of one number
            with _workers(stack, processes):
                done.append(sweep(stack, asana, made, chosen.per_minute, len(seats)))
            console.print(f"{processes} at work: {done[-1]}", highlight=False)
    return _result(chosen, done)


@contextlib.contextmanager
def _workers(stack: Stack, processes: int) -> Iterator[None]:
    """Have so many processes wait for commands, each for one at a time, so that each takes one of the runs."""
    names = [f"worker-{number}" for number in range(processes)]
    environment = stack.environment("worker", {"SEATKEEPER_WORKER_THREADS": "1"})
    for name in names:
        stack.supervisor.start(name, [sys.executable, "-m", "workers.consume", "activity"], environment)
    try:
        _wait_for_consumers(stack, processes)
        yield
    finally:
        for name in names:
            stack.supervisor.stop(name)


def _wait_for_consumers(stack: Stack, expected: int) -> None:
    url = stack.services.rabbitmq.url("worker", stack.internal_vhost)
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel, deadline = connection.channel(), time.monotonic() + 60
    while channel.queue_declare(PullActivity.queue, passive=True).method.consumer_count < expected:
        if time.monotonic() > deadline:
            raise TimeoutError("the workers do not come")
        connection.sleep(0.05)
    connection.close()


def sweep(stack: Stack, asana: LookAlike, profile_ids: Sequence[int], per_minute: int, people: int) -> Swept:
    """Ask for a pull of each profile at once, and watch the look-alike's count of calls until all have ended."""
    control(asana, "POST", "limits", per_minute=per_minute)
    control(asana, "DELETE", "requests")
    run_ids = asyncio.run(_ordered(stack.database_url("owner"), profile_ids))
    with psycopg.connect(stack.database_url("owner"), autocommit=True) as owner:
        watched = _watched(owner, asana, run_ids)
        ended = owner.execute(
            """SELECT extract(epoch FROM max(ended_at) - min(started_at))::float8, sum((counts ->> 'asked')::int),
                      sum((counts ->> 'unknown')::int), string_agg(DISTINCT state, ' ')
                 FROM run WHERE id = ANY (%s)""",
            [run_ids],
        ).fetchone()
    assert ended is not None
    assert ended[1:] == (people, 0, "finished"), ended
    told = control(asana, "GET", "requests")
    by_status = told["by_status"]
    assert isinstance(by_status, dict)
    calls, rejected = watched[-1][1], int(by_status.get("429", 0))
    return Swept(len(profile_ids), people, calls, rejected, ended[0], steady_rate(watched), calls / ended[0])


async def _ordered(url: str, profile_ids: Sequence[int]) -> list[UUID]:
    async with open_connection(url) as owner, owner.transaction():
        return [await _order(owner, profile_id) for profile_id in profile_ids]


async def _order(owner: Connection, profile_id: int) -> UUID:
    order = Order(profile_id=profile_id, kind="activity", requested_by="a benchmark")
    return await runs.add_step(owner, order, datetime.now(UTC))


def _watched(owner: psycopg.Connection, asana: LookAlike, run_ids: Sequence[UUID]) -> list[tuple[float, int]]:
    """Return the moments, in seconds, and how many calls there had been, until every run has ended."""
    watched: list[tuple[float, int]] = []
    going_on = "SELECT FROM run WHERE id = ANY (%s) AND ended_at IS NULL"
    deadline = time.monotonic() + TOO_LONG
    with httpx.Client(trust_env=False, timeout=60) as client:
        while time.monotonic() < deadline:
            over = owner.execute(going_on, [run_ids]).fetchone() is None
            total = client.get(f"{asana.url}/-/sandbox/requests").json()["total"]
            watched.append((time.monotonic(), total))
            if over:
                return watched
            time.sleep(POLL_S)
    raise TimeoutError("the sweep has no end")


def steady_rate(watched: Sequence[tuple[float, int]]) -> float:
    """Return the calls a second from BURST_S after the first call to the last one; 0 where there are none."""
    first = next(at for at, calls in watched if calls > 0)
    after = next(((at, calls) for at, calls in watched if at >= first + BURST_S), watched[-1])
    last = next((at, calls) for at, calls in watched if calls == watched[-1][1])
    return (last[1] - after[1]) / (last[0] - after[0]) if last[0] > after[0] else 0.0


def _result(chosen: argparse.Namespace, done: Sequence[Swept]) -> Result:
    allowed, figures = chosen.per_minute / 60, []
    for one in done:
        who = "one process" if one.processes == 1 else f"{one.processes} processes"
        beside = f"{allowed:.2f}/s allowed"
        ratio = at_least(one.steady_rate / allowed, LEAST)
        figures.append(Figure(f"{who}, after the first second", f"{one.steady_rate:.2f}/s", beside, *ratio))
        whole = one.whole_rate / allowed
        figures.append(Figure(f"{who}, the whole run", f"{one.whole_rate:.2f}/s", beside, whole))
        none = at_most(one.rejected, 0)
        figures.append(Figure(f"{who}, calls rejected", f"{one.rejected}", f"{one.calls:,} calls", *none))
    return Result(
        "sweep",
        f"activity of {chosen.people:,} people at {chosen.per_minute:,} calls a minute",
        figures,
        notes=["three processes carry out the runs of three profiles of one organization, with one credential"],
        measured={
            "people": chosen.people,
            "per_minute": chosen.per_minute,
            "sweeps": [
                {
                    "processes": one.processes,
                    "calls": one.calls,
                    "rejected": one.rejected,
                    "run_s": one.run_s,
                    "steady_per_s": one.steady_rate,
                    "whole_per_s": one.whole_rate,
                }
                for one in done
            ],
        },
    )
