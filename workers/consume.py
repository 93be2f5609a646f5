"""A worker process: `python -m workers.consume QUEUE [QUEUE ...]` carries out the commands of these queues.

    python -m workers.consume download activity candidates reconcile
    python -m workers.consume reclaim

Removals have a process of their own: a slow listing must not stand between a last look and its call.
"""

import argparse
import functools
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import dramatiq
import structlog
from dramatiq.asyncio import async_to_sync

from connections.sealing import KeysUnfit, Sealing
from messages.commands import (
    QUEUES,
    Command,
    DownloadSubscriptions,
    FindReclamationCandidates,
    PullActivity,
    ReclaimSubscription,
    ReclaimSubscriptions,
    Reconcile,
)
from settings import Settings, SettingsUnfit, read_settings
from workers.activity import pull_activity
from workers.broker import make_broker
from workers.candidates import find_reclamation_candidates
from workers.declaring import DeclaredActor, actor, register
from workers.download import download_subscriptions
from workers.logs import configure_logs
from workers.operations import OperationsServer, process_registry
from workers.reclaim import reclaim_subscription, reclaim_subscriptions
from workers.reconcile import reconcile
from workers.slicing import correlated, give_up
from workers.station import Station
from workers.worker import ResourcesError, RunningWorker, collect_seldom

CarriesOut = Callable[[Station, Any], Awaitable[None]]

ACTORS: dict[type[Command], CarriesOut] = {
    DownloadSubscriptions: download_subscriptions,
    PullActivity: pull_activity,
    FindReclamationCandidates: find_reclamation_candidates,
    ReclaimSubscriptions: reclaim_subscriptions,
    ReclaimSubscription: reclaim_subscription,
    Reconcile: reconcile,
}
"""Which coroutine carries out which command."""

log = structlog.get_logger(__name__)


def declare(station: Station, queues: Sequence[str]) -> list[DeclaredActor[Any]]:
    """Return the actors of these queues, standing on `station`."""
    return [
        actor(command)(functools.partial(correlated, carry_out, station))
        for command, carry_out in ACTORS.items()
        if command.queue in queues
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out commands until SIGTERM or SIGINT; return 0, 78 (settings), 69 (database) or 70 (a thread has died)."""
    queues = _queues(arguments)
    name = f"worker-{'-'.join(queues)}" if len(queues) < len(QUEUES) else "worker"
    try:
        settings = read_settings("database_url", "internal_url", "keys")
        Sealing(settings.sealing_keys())
    except (SettingsUnfit, KeysUnfit) as error:
        sys.stderr.write(f"{name}: {error}\n")
        return os.EX_CONFIG
    configure_logs(settings, name)
    try:
        return _serve(settings, queues, name)
    except SettingsUnfit as error:
        sys.stderr.write(f"{name}: {error}\n")
        return os.EX_CONFIG
    except ResourcesError as error:
        sys.stderr.write(f"{name}: {error}\n")
        return os.EX_UNAVAILABLE


def _queues(arguments: Sequence[str] | None) -> list[str]:
    parser = argparse.ArgumentParser(
        prog="python -m workers.consume",
        description="Carry out the commands of these queues until SIGTERM.",
        epilog="example: python -m workers.consume reclaim",
    )
    parser.add_argument("queues", nargs="+", choices=QUEUES, metavar="QUEUE", help=", ".join(QUEUES))
    return sorted(set(parser.parse_args(arguments).queues), key=QUEUES.index)


def _serve(settings: Settings, queues: Sequence[str], name: str) -> int:
    station = Station(settings)

    async def failing(command: Command, error: BaseException) -> None:
        await give_up(station, command, error)

    broker = make_broker(
        settings.url("internal_url"),
        threads=settings.worker_threads,
        max_retries=settings.max_retries,
        on_giving_up=async_to_sync(failing),
    )
    dramatiq.set_broker(broker)
    register(broker, declare(station, queues))
    worker = RunningWorker(broker, queues, settings.worker_threads, resources=station)
    checks = {
        "threads": worker.fault,
        "broker": lambda: None if worker.is_consuming() else "RabbitMQ is away; reconnecting",
        "database": station.trouble,
    }
    server = OperationsServer(settings, name, checks, process_registry())
    server.start()
    try:
        collect_seldom()
        log.info("started", queues=list(queues))
        return worker.serve()
    finally:
        server.close()


if __name__ == "__main__":
    raise SystemExit(main())
