"""One of our processes, with a note of each moment on a request's way: `python -m benchmarks.request_noting NAME FILE`.

The process is the real one; around four of its functions stands a line that appends the name of the moment, the run
and the time of this machine (Unix seconds) to FILE. A moment that cannot be caught any more is simply not noted.
"""

import functools
import json
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from pika.channel import Channel

RECEIVED, COMMITTED, PUBLISHED, DELIVERED, STARTED = (
    "received by the intake",
    "committed",
    "published by the relay",
    "received by the worker",
    "actor started",
)
MOMENTS = (RECEIVED, COMMITTED, PUBLISHED, DELIVERED, STARTED)
"""In their order."""


class Notes:
    """A file that several processes append to, one short line at a time."""

    def __init__(self, path: Path) -> None:
        """Open it."""
        self._file = path.open("a", buffering=1, encoding="utf-8")

    def add(self, moment: str, run: object, at: float) -> None:
        """Note that `run` came to `moment` at the Unix time `at`."""
        self._file.write(f"{moment}\t{run}\t{at!r}\n")


def read_notes(path: Path) -> dict[str, dict[str, float]]:
    """Return the times of each run's moments; of a moment that came twice, the first."""
    runs: dict[str, dict[str, float]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        moment, run, at = line.split("\t")
        runs.setdefault(run, {}).setdefault(moment, float(at))
    return runs


def intake(notes: Notes) -> int:
    """Be the intake."""
    from messages.requests import Request  # noqa: PLC0415 - each process loads what it is
    from store import requests  # noqa: PLC0415 - each process loads what it is
    from store.connect import Connection  # noqa: PLC0415 - each process loads what it is
    from workers import intake  # noqa: PLC0415 - each process loads what it is

    take = requests.take

    async def noting(connection: Connection, request: Request, now: datetime) -> requests.Accepted:
        began = time.time()
        accepted = await take(connection, request, now)
        committed = time.time()
        notes.add(RECEIVED, accepted.run_id, began)
        notes.add(COMMITTED, accepted.run_id, committed)
        return accepted

    requests.take = noting
    return intake.main()


def relay(notes: Notes) -> int:
    """Be the relay."""
    from workers import relay  # noqa: PLC0415 - each process loads what it is

    publish = Channel.basic_publish

    @functools.wraps(publish)
    def noting(self: Channel, exchange: str, routing_key: str, body: bytes, *rest: Any, **more: Any) -> None:  # noqa: ANN401 - passed on
        began = time.time()
        publish(self, exchange, routing_key, body, *rest, **more)
        if not exchange:
            notes.add(PUBLISHED, json.loads(body)["kwargs"]["run_id"], began)

    Channel.basic_publish = noting
    return relay.main()


def worker(notes: Notes) -> int:
    """Be the worker for everything but removals."""
    from messages.commands import Reconcile  # noqa: PLC0415 - each process loads what it is
    from sandbox.stack import SLOW_QUEUES  # noqa: PLC0415 - each process loads what it is
    from workers import consume  # noqa: PLC0415 - each process loads what it is
    from workers.delivery import Delivery, KeepingConsumer  # noqa: PLC0415 - each process loads what it is
    from workers.station import Station  # noqa: PLC0415 - each process loads what it is

    carry_out, following = consume.ACTORS[Reconcile], KeepingConsumer.__next__

    def noting_start(station: Station, command: Reconcile) -> Awaitable[None]:
        notes.add(STARTED, command.run_id, time.time())
        return carry_out(station, command)

    def noting_delivery(self: KeepingConsumer) -> Delivery | None:
        delivery = following(self)
        if delivery is not None:
            notes.add(DELIVERED, delivery.kwargs["run_id"], time.time())
        return delivery

    consume.ACTORS[Reconcile] = noting_start
    KeepingConsumer.__next__ = noting_delivery  # type: ignore[method-assign]  # the note is the point
    return consume.main(SLOW_QUEUES)


PROCESSES: dict[str, Callable[[Notes], int]] = {"intake": intake, "relay": relay, "worker": worker}
"""What can be noted."""


def main(process: str, path: Path) -> int:
    """Be the process, which takes no arguments of its own."""
    sys.argv = sys.argv[:1]
    return PROCESSES[process](Notes(path))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
