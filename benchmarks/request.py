"""How long a request takes from being dropped to its actor's first line, while nothing else is going on.

Our way is longer on purpose: the intake reads the request and commits its run, the relay sends the command that this
transaction left, and the worker takes it. The peer is bare Dramatiq: from `send` to the first line of an actor. Both
stand on the same RabbitMQ and are asked by turns, one request at a time, with a pause of random length before each, so
that nobody is awake by chance. Times are of one clock: all processes run on one machine.

Lines without a goal say what the difference is made of: how long one committed row takes on this disk, and a query that
does nothing, after a pause and at once after another (our way wakes a process seven times, the bare one twice); both
ways once more with a Postgres that does not wait for its disk (which nobody should run: it forgets in a crash).
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
from pathlib import Path
from typing import LiteralString
from urllib.parse import urlsplit

import dramatiq
import pika
import psycopg
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from rich.console import Console

from benchmarks.request_noting import MOMENTS, STARTED, read_notes
from benchmarks.request_table import LONGEST_PAUSE, SHORTEST_PAUSE, Taken, as_result
from benchmarks.results import Result
from benchmarks.sizes import between
from benchmarks.without_asana import stack_without_asana
from messages.routing import REQUESTS_QUEUE
from sandbox.services import Services
from sandbox.stack import Stack

HELP = "from dropping a request to its actor's first line, idle, beside bare Dramatiq"
PATIENCE = 20.0
WARM = 5
"""Requests before those that count: each process has then done everything once."""
PROFILE = "acme"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark alone."""
    parser.add_argument(
        "--requests",
        type=between(2, 10_000, "requests"),
        default=180,
        help="requests of each; a third more without the disk",
    )
    parser.add_argument("--seed", type=int, default=20261125, help="of the pauses")


def run(chosen: argparse.Namespace, console: Console, services: Services | None = None) -> Result:
    """Measure; tell on `console` what is going on. `services` takes servers that run already."""
    with _started(chosen, console, services, durable=True) as stack:
        console.print(f"{chosen.requests} requests by turns, pauses from the seed {chosen.seed}")
        taken = _ask(stack, chosen, chosen.requests)
        _look_alone(stack, taken, min(chosen.requests, 40))
    with _started(chosen, console, services, durable=False) as stack:
        console.print("the same with a Postgres that does not wait for its disk")
        hasty = _ask(stack, chosen, max(chosen.requests // 3, 2))
    taken.ours_without_disk, taken.bare_without_disk = hasty.ours, hasty.bare
    return as_result(chosen, taken)


@contextlib.contextmanager
def _started(
    chosen: argparse.Namespace, console: Console, services: Services | None, *, durable: bool
) -> Iterator[Stack]:
    with stack_without_asana(console.print, durable=durable, services=services) as stack:
        _start(stack, bare=not chosen.without_peers)
        yield stack


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


def _ask(stack: Stack, chosen: argparse.Namespace, requests: int) -> Taken:
    pauses = random.Random(chosen.seed)
    asking: dict[str, Callable[[], tuple[str, float]]] = {}
    taken = Taken()
    with contextlib.ExitStack() as until_the_end:
        asking["ours"] = until_the_end.enter_context(_ours(stack))
        if not chosen.without_peers:
            asking["bare"] = until_the_end.enter_context(_bare_sender(stack))
        asked: dict[str, list[tuple[str, float]]] = {who: [] for who in asking}
        for number in range(-WARM, requests):
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


def _look_alone(stack: Stack, taken: Taken, times: int) -> None:
    """Time a commit and an empty query after a pause each, and an empty query at once after the other."""
    with psycopg.connect(stack.database_url("owner"), autocommit=True) as database:
        database.execute("CREATE TABLE flushed (number integer)")
        for _ in range(times):
            time.sleep(SHORTEST_PAUSE)
            taken.commits.append(_timed(database, "INSERT INTO flushed VALUES (1)"))
            time.sleep(SHORTEST_PAUSE)
            taken.woken.append(_timed(database, "SELECT 1"))
            taken.awake.append(_timed(database, "SELECT 1"))


def _timed(database: psycopg.Connection, statement: LiteralString) -> float:
    began = time.perf_counter()
    database.execute(statement)
    return time.perf_counter() - began


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
