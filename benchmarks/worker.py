"""What our worker costs beside the barest consumer that keeps the same promise: commit, then acknowledge.

The queue is full before a round begins; a program drains it into a table and is ended. The rate is taken from the
times of the rows, so that no start of a program is in it, and every round counts its rows: each message once.

Ours has four threads, so that up to four commits wait for the disk at once; the raw consumer commits one at a time, as
pika's blocking connection has it. A line without a goal shows ours with one thread as well.
"""

import argparse
import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median

import pika
import psycopg
from rich.console import Console

from benchmarks.results import Figure, Result, at_least
from benchmarks.sizes import between
from benchmarks.without_asana import stack_without_asana
from benchmarks.worker_raw import QUEUE
from messages.commands import Reconcile
from messages.encoder import encode_command
from sandbox.services import Services
from sandbox.stack import Stack

HELP = "messages a second through our worker, with one small transaction each, beside a raw pika consumer"
ALONE = "ours_one_thread"
PROGRAMS = {"ours": "benchmarks.worker_ours", "raw": "benchmarks.worker_raw", ALONE: "benchmarks.worker_ours"}
LEAST = 0.6
"""Of the raw consumer's rate."""
TOO_LONG = 120.0


@dataclass(frozen=True)
class Round:
    """One queue drained by one program. `cpu_s` is its processor time from the first message on."""

    program: str
    messages: int
    seconds: float
    cpu_s: float

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.messages / self.seconds


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark alone."""
    parser.add_argument(
        "--messages", type=between(20, 1_000_000, "messages"), default=5000, help="messages in the queue in each round"
    )
    parser.add_argument(
        "--rounds",
        type=between(1, 100, "rounds"),
        default=3,
        help="rounds of each program, by turns; the median counts",
    )
    parser.add_argument(
        "--threads",
        type=between(1, 64, "threads"),
        default=4,
        help="worker threads, and messages taken in advance by both",
    )
    parser.add_argument("--unsafe", action="store_true", help="with a Postgres that does not wait for its disk")


def run(chosen: argparse.Namespace, console: Console, services: Services | None = None) -> Result:
    """Measure; tell on `console` what is going on. `services` takes servers that run already."""
    programs = [name for name in PROGRAMS if name != "raw" or not chosen.without_peers]
    rounds: list[Round] = []
    with (
        stack_without_asana(console.print, durable=not chosen.unsafe, services=services) as stack,
        _table(stack) as database,
    ):
        for number in range(chosen.rounds):
            for program in programs if number % 2 == 0 else reversed(programs):
                rounds.append(
                    drain(stack, database, program, chosen.messages, 1 if program == ALONE else chosen.threads)
                )
                console.print(f"{program}: {rounds[-1].rate:,.0f} messages a second")
    return _result(chosen, rounds)


@contextmanager
def _table(stack: Stack) -> Iterator[psycopg.Connection]:
    with psycopg.connect(stack.database_url("owner"), autocommit=True) as database:
        database.execute(
            "CREATE TABLE effect (run_id uuid NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp())"
        )
        database.execute("GRANT INSERT ON effect TO seatkeeper_worker")
        yield database


def drain(stack: Stack, database: psycopg.Connection, program: str, messages: int, threads: int) -> Round:
    """Fill the queue, let one program empty it into the table, and check that each message had its effect once."""
    database.execute("TRUNCATE effect")
    fill(stack, messages)
    name = "worker"  # the role and the rights that both have
    stack.start(name, PROGRAMS[program], more={"SEATKEEPER_WORKER_THREADS": str(threads)})
    log = stack.supervisor.log(name)
    deadline = time.monotonic() + TOO_LONG
    while _effects(database)[0] < messages and time.monotonic() < deadline:
        time.sleep(0.2)
    stack.supervisor.stop(name)
    told = log.read_text(encoding="utf-8").splitlines()
    log.unlink()
    assert _effects(database) == (messages, messages), (program, _effects(database), told[-5:])
    found = database.execute("SELECT extract(epoch FROM max(at) - min(at))::float8 FROM effect").fetchone()
    assert found is not None
    return Round(program, messages, found[0], json.loads(told[-1])["cpu_s"])


def fill(stack: Stack, messages: int) -> None:
    """Put so many commands of new runs into the queue, persistent and confirmed as the relay sends them."""
    url = stack.services.rabbitmq.url("worker", stack.internal_vhost)
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    properties = pika.BasicProperties(delivery_mode=2)
    for _ in range(messages):
        command = Reconcile(run_id=uuid.uuid4(), slice=0, correlation_id=uuid.uuid4())
        channel.basic_publish("", QUEUE, encode_command(command, uuid.uuid4(), datetime.now(UTC)), properties)
    while channel.queue_declare(QUEUE, passive=True).method.message_count < messages:
        connection.sleep(0.05)
    connection.close()


def _effects(database: psycopg.Connection) -> tuple[int, int]:
    """Return how many rows there are, and of how many runs."""
    row = database.execute("SELECT count(*), count(DISTINCT run_id) FROM effect").fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def _result(chosen: argparse.Namespace, rounds: list[Round]) -> Result:
    rates = {name: [one.rate for one in rounds if one.program == name] for name in PROGRAMS}
    cpu = {name: [one.cpu_s for one in rounds if one.program == name] for name in PROGRAMS}
    return Result(
        "worker",
        f"{chosen.messages:,} messages with one small transaction each, already in the queue",
        [
            _rates("rate, median of rounds", rates["ours"], rates["raw"], LEAST),
            _rates("· ours with one thread", rates[ALONE], rates["raw"]),
            _cpu(chosen.messages, cpu),
        ],
        notes=[
            f"ours has {chosen.threads} threads, whose commits wait for the disk at once; the raw consumer has one",
        ],
        measured={
            "messages": chosen.messages,
            "threads": chosen.threads,
            "durable": not chosen.unsafe,
            **{f"{name}_messages_per_s": values for name, values in rates.items() if values},
            **{f"{name}_cpu_s": values for name, values in cpu.items() if values},
        },
    )


def _rates(what: str, ours: list[float], raw: list[float], least: float | None = None) -> Figure:
    said = f"{median(ours):,.0f}/s"
    if not raw:
        return Figure(what, said, "")
    ratio = median(ours) / median(raw)
    return Figure(
        what, said, f"{median(raw):,.0f}/s raw pika", *((ratio,) if least is None else at_least(ratio, least))
    )


def _cpu(messages: int, cpu: dict[str, list[float]]) -> Figure:
    """Give the processor time from the first message on."""
    each = {name: f"{median(seconds) / messages * 1000:.2f} ms" for name, seconds in cpu.items() if seconds}
    return Figure("processor time for each message", each["ours"], each.get("raw", ""))
