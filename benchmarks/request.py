"""How long a request takes from being dropped to its actor's first line, while nothing else is going on.

Our way is longer on purpose: the intake reads the request and commits its run, the relay sends the command that this
transaction left, and the worker takes it. The peer is bare Dramatiq: from `send` to the first line of an actor. Both
stand on the same RabbitMQ and are asked by turns, one request at a time, with a pause of random length before each, so
that nobody is awake by chance. Times are of one clock: all processes run on one machine.
"""

import argparse
import contextlib
import itertools
import json
import os
import random
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import urlsplit

import dramatiq
import pika
import psycopg
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from rich.console import Console

from benchmarks.request_noting import MOMENTS, STARTED, read_notes
from benchmarks.results import Figure, Result, at_most
from benchmarks.without_asana import stack_without_asana
from messages.routing import REQUESTS_QUEUE
from sandbox.services import Services
from sandbox.stack import Stack

HELP = "from dropping a request to its actor's first line, idle, beside bare Dramatiq"
MOST = 3.0
"""Times what bare Dramatiq takes."""
LATEST_P99 = 0.1
SHORTEST_PAUSE, LONGEST_PAUSE = 0.05, 0.3
"""Seconds before each request."""
PATIENCE = 20.0
WARM = 5
"""Requests before those that count: each process has then done everything once."""
PROFILE = "acme"


@dataclass
class Taken:
    """Seconds that each request took, and those between the moments of its way."""

    ours: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    steps: dict[str, list[float]] = field(default_factory=dict)
    commits: list[float] = field(default_factory=list)
    """One row written and committed, on the same server: what the disk takes of `committed`."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark alone."""
    parser.add_argument("--requests", type=int, default=200, help="requests of each")
    parser.add_argument("--seed", type=int, default=20261125, help="of the pauses")


def run(chosen: argparse.Namespace, console: Console, services: Services | None = None) -> Result:
    """Measure; tell on `console` what is going on. `services` takes servers that run already."""
    with stack_without_asana(console.print, services=services) as stack:
        _start(stack, bare=not chosen.without_peers)
        console.print(f"{chosen.requests} requests by turns, pauses from the seed {chosen.seed}")
        taken = _ask(stack, chosen)
        taken.commits = _commits(stack, min(chosen.requests, 40))
    return _result(chosen, taken)


def _start(stack: Stack, *, bare: bool) -> None:
    with psycopg.connect(stack.database_url("owner"), autocommit=True) as database:
        database.execute(
            """WITH c AS (INSERT INTO connection (alias, base_url) VALUES ('none', 'http://127.0.0.1:1') RETURNING id),
                    p AS (INSERT INTO profile (name, display_name, connection_id, organization_gid, status, plan,
                                               analyze_activity_from, published_at)
                          SELECT %s, 'Acme', id, '1', 'published', 'enterprise', now(), now() FROM c RETURNING id)
               INSERT INTO software_model SELECT id, 'member', 'Asana member', true FROM p""",
            [PROFILE],
        )
    processes = ("relay", "intake", "worker")
    for process in processes:
        stack.start(process, "benchmarks.request_noting", process, str(_notes(stack)))
    stack.wait_healthy(*processes)
    if bare:
        _start_bare(stack)


def _start_bare(stack: Stack) -> None:
    argv = [str(Path(sys.executable).with_name("dramatiq")), "benchmarks.request_bare", "--processes", "1"]
    stack.supervisor.start("bare", argv, {**os.environ, **_bare(stack)})


def _bare(stack: Stack) -> dict[str, str]:
    administrator = urlsplit(stack.services.rabbitmq.admin_url).username or ""
    return {
        "BENCH_BROKER_URL": stack.services.rabbitmq.url(administrator, stack.internal_vhost),
        "BENCH_NOTES": str(stack.folder / "bare.notes"),
    }


def _notes(stack: Stack) -> Path:
    return stack.folder / "ours.notes"


def _ask(stack: Stack, chosen: argparse.Namespace) -> Taken:
    pauses = random.Random(chosen.seed)
    asking: dict[str, Callable[[], tuple[str, float]]] = {}
    taken = Taken()
    with contextlib.ExitStack() as until_the_end:
        asking["ours"] = until_the_end.enter_context(_ours(stack))
        if not chosen.without_peers:
            asking["bare"] = until_the_end.enter_context(_bare_sender(stack))
        asked: dict[str, list[tuple[str, float]]] = {who: [] for who in asking}
        for number in range(-WARM, chosen.requests):
            for who, ask in asking.items():
                time.sleep(pauses.uniform(SHORTEST_PAUSE, LONGEST_PAUSE))
                one = ask()
                if number >= 0:
                    asked[who].append(one)
    _read_ours(taken, asked["ours"], read_notes(_notes(stack)))
    if "bare" in asked:
        started = read_notes(Path(_bare(stack)["BENCH_NOTES"]))
        taken.bare = [started[key][STARTED] - at for key, at in asked["bare"]]
    return taken


def _commits(stack: Stack, times: int) -> list[float]:
    taken = []
    with psycopg.connect(stack.database_url("owner"), autocommit=True) as database:
        database.execute("CREATE TABLE flushed (number integer)")
        for number in range(times):
            time.sleep(SHORTEST_PAUSE)
            began = time.perf_counter()
            database.execute("INSERT INTO flushed VALUES (%s)", [number])
            taken.append(time.perf_counter() - began)
    return taken


@contextlib.contextmanager
def _ours(stack: Stack) -> Iterator[Callable[[], tuple[str, float]]]:
    """Give a function that drops a request as README shows it, and returns its run and the time once it has ended."""
    connection = pika.BlockingConnection(pika.URLParameters(stack.edge_url("requester")))
    channel = connection.channel()
    channel.confirm_delivery()
    with psycopg.connect(stack.database_url("owner"), autocommit=True) as database:

        def ask() -> tuple[str, float]:
            request = {"id": str(uuid.uuid4()), "kind": "reconcile", "profile": PROFILE, "requested_by": "bench"}
            body = json.dumps(request).encode()
            at = time.time()
            channel.basic_publish("", REQUESTS_QUEUE, body, mandatory=True)
            return _finished(database, request["id"]), at

        yield ask
    connection.close()


def _finished(database: psycopg.Connection, request: str) -> str:
    """Return the run of a request once it has finished; it is not asked about while it is measured."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        time.sleep(SHORTEST_PAUSE)
        row = database.execute(
            "SELECT run.id, run.state FROM request JOIN run ON run.id = run_id WHERE request.id = %s", [request]
        ).fetchone()
        if row is not None and row[1] == "finished":
            return str(row[0])
    raise TimeoutError(f"the request {request} did not become a finished run")


@contextlib.contextmanager
def _bare_sender(stack: Stack) -> Iterator[Callable[[], tuple[str, float]]]:
    """Give a function that sends to the bare actor, and returns the message's key and the time of sending."""
    broker = RabbitmqBroker(url=_bare(stack)["BENCH_BROKER_URL"])
    broker.declare_queue("bare")

    def ask() -> tuple[str, float]:
        key = str(uuid.uuid4())
        message: dramatiq.Message[object] = dramatiq.Message(
            queue_name="bare", actor_name="note_the_start", args=(key,), kwargs={}, options={}
        )
        at = time.time()
        broker.enqueue(message)
        time.sleep(SHORTEST_PAUSE)
        return key, at

    yield ask
    broker.close()


def _read_ours(taken: Taken, asked: list[tuple[str, float]], notes: dict[str, dict[str, float]]) -> None:
    for run, at in asked:
        moments = {"dropped": at, **{name: notes[run][name] for name in MOMENTS if name in notes[run]}}
        taken.ours.append(moments[STARTED] - at)
        for (_, before), (name, after) in itertools.pairwise(moments.items()):
            taken.steps.setdefault(name, []).append(after - before)


def _result(chosen: argparse.Namespace, taken: Taken) -> Result:
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
    figures.append(Figure("for comparison: one row committed, idle", flush, ""))
    return Result(
        "request",
        f"{chosen.requests} requests, one at a time: dropped to actor started",
        figures,
        notes=[f"pauses from {SHORTEST_PAUSE:g} to {LONGEST_PAUSE:g} s, seed {chosen.seed}"],
        measured={
            "ours_s": taken.ours,
            "bare_s": taken.bare,
            "one_row_committed_s": taken.commits,
            **{f"{name.replace(' ', '_')}_s": seconds for name, seconds in taken.steps.items()},
        },
    )


def _beside(what: str, ours: float, bare: float | None) -> Figure:
    if bare is None:
        return Figure(what, _ms(ours), "")
    return Figure(what, _ms(ours), f"{_ms(bare)} bare Dramatiq", *at_most(ours / bare, MOST))


def percentile(seconds: list[float], percent: int) -> float:
    """Return what `percent` of the values are not above."""
    return quantiles(seconds, n=100, method="inclusive")[percent - 1]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
