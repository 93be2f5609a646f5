"""A RabbitMQ and a Postgres to work with, found or started.

    with find_services() as services:
        services.postgres.create_database("mine")
        internal, edge = services.rabbitmq.make_vhosts()

They are looked for in this order, and what we start ends with the block, whatever ends it:

1. addresses in the environment (`sandbox.services.given` has the names);
2. Docker, when an engine answers;
3. RabbitMQ and Postgres programs on this machine, as private servers on free ports of 127.0.0.1;
4. the same after installing them with apt, when we are root on Debian or Ubuntu.

The machine's own broker or database is never used unless its address was given.
"""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sandbox.reaper import Reaper, reaping
from sandbox.services.docker_engine import engine_listens
from sandbox.services.given import given_place, given_services
from sandbox.services.nodes import ServiceError
from sandbox.services.postgres import Postgres
from sandbox.services.private import start_private
from sandbox.services.rabbitmq import Rabbitmq

__all__ = ["Postgres", "Rabbitmq", "ServiceError", "Services", "find_services"]


@dataclass(frozen=True)
class Services:
    """The two servers, ready; `place` says who runs them."""

    postgres: Postgres
    rabbitmq: Rabbitmq
    place: str

    def told(self) -> str:
        """Ask both for their versions and say in one line what is used; 50 ms."""
        return f"RabbitMQ {self.rabbitmq.version()} and Postgres {self.postgres.version()}, {self.place}"


@contextlib.contextmanager
def find_services(
    *,
    folder: Path | None = None,
    say: Callable[[str], None] = print,
    shared: bool = True,
    durable: bool | None = None,
) -> Iterator[Services]:
    """Give the two servers, ready; raises ServiceError with one line on what to do when there are none.

    folder: where private servers keep their content, to be found again by the next run; a throw-away one by default.
    say:    told what is being done, one line at a time, and in the end what is used.
    shared: False passes over addresses in the environment, for tests that break their servers.
    durable: True has Postgres write as safely as on a server, for benchmarks; by default only with a `folder`.
    """
    found = given_services() if shared else None
    with reaping() as reaper:
        safely = folder is not None if durable is None else durable
        place = given_place()
        if found is None and (found := _in_docker(reaper, say, durable=safely)):
            place = "in Docker (testcontainers)"
        if found is None:
            where = _folder(reaper, folder)
            place, found = f"private, in {where}", start_private(reaper, where, say, durable=safely)
        services = Services(*found, place)
        try:
            say(f"using {services.told()}")
            yield services
        finally:
            services.rabbitmq.close()


def _in_docker(reaper: Reaper, say: Callable[[str], None], *, durable: bool) -> tuple[Postgres, Rabbitmq] | None:
    if not engine_listens():
        return None
    from sandbox.services.containers import start_containers  # noqa: PLC0415 - Docker's library takes half a second

    return start_containers(reaper, say, durable=durable)


def _folder(reaper: Reaper, folder: Path | None) -> Path:
    """Make the folder for private servers; a throw-away one is removed in the end."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        return folder.resolve()
    made = Path(tempfile.mkdtemp(prefix="seatkeeper-"))
    reaper.remove(made)
    made.chmod(0o711)  # Postgres, when it runs as another user, must reach its own folder inside
    return made
