"""Starts a private RabbitMQ and a private Postgres from programs on this machine, installing them first if we may."""

import secrets
from collections.abc import Callable
from pathlib import Path

from sandbox.reaper import Reaper
from sandbox.services import apt, postgres_node, rabbitmq_node
from sandbox.services.nodes import ServiceError, free_ports
from sandbox.services.postgres import Postgres
from sandbox.services.rabbitmq import Rabbitmq

ADMIN = "sandbox"
Say = Callable[[str], None]


def ensure_programs(say: Say) -> tuple[Path, Path]:
    """Give the folders of RabbitMQ's and Postgres' programs; raises ServiceError when we cannot have them."""
    found = _programs()
    if not _missing(found) or not apt.can_install():
        return _all_of(found)
    with apt.installing():
        missing = _missing(_programs())  # another sandbox may have installed them while we waited
        if missing:
            apt.install(missing, say)
    return _all_of(_programs())


def _programs() -> dict[str, Path | None]:
    return {"rabbitmq-server": rabbitmq_node.find_programs(), "postgresql": postgres_node.find_programs()}


def _missing(found: dict[str, Path | None]) -> list[str]:
    return [package for package, folder in found.items() if folder is None]


def _all_of(found: dict[str, Path | None]) -> tuple[Path, Path]:
    rabbitmq, postgres = found["rabbitmq-server"], found["postgresql"]
    if rabbitmq is None or postgres is None:
        names = {"rabbitmq-server": "RabbitMQ 3.10 or newer", "postgresql": "PostgreSQL 15 or newer"}
        wanted = " and ".join(names[package] for package in _missing(found))
        raise ServiceError(f"no server to use: start Docker, or install {wanted} (nothing needs to run)")
    return rabbitmq, postgres


def start_private(reaper: Reaper, folder: Path, say: Say, *, durable: bool) -> tuple[Postgres, Rabbitmq]:
    """Start both at once and return when both answer; about six seconds.

    `folder` holds their content and logs, and what is in it is used again; `durable` when it outlives this run.
    """
    rabbitmq_programs, postgres_programs = ensure_programs(say)
    password = _password(folder)
    amqp, management, distribution, epmd, postgres_port = free_ports(5)
    say(f"starting a private RabbitMQ and Postgres in {folder}")
    broker = rabbitmq_node.RabbitmqNode(
        reaper,
        rabbitmq_programs,
        folder / "rabbitmq",
        rabbitmq_node.Ports(amqp, management, distribution, epmd),
        ADMIN,
        password,
    )
    broker.create()
    broker.start()  # it needs five seconds: Postgres starts meanwhile
    database = postgres_node.PostgresNode(
        reaper, postgres_programs, folder / "postgres", postgres_port, password, durable
    )
    database.create()
    database.start()
    postgres = Postgres(f"postgresql://postgres:{password}@127.0.0.1:{postgres_port}/postgres", database)
    rabbitmq = Rabbitmq(
        f"amqp://{ADMIN}:{password}@127.0.0.1:{amqp}/%2F", f"http://{ADMIN}:{password}@127.0.0.1:{management}", broker
    )
    postgres.wait_ready()
    rabbitmq.wait_ready()
    return postgres, rabbitmq


def _password(folder: Path) -> str:
    """Give the administrators' password, the same again for a folder that was used before."""
    kept = folder / "password"
    if not kept.exists():
        kept.touch(mode=0o600)
        kept.write_text(secrets.token_hex(16), encoding="utf-8")
    return kept.read_text(encoding="utf-8")
