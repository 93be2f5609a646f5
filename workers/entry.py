"""How the relay, the intake and the scheduler begin and end.

Each consists of sessions: something that connects to the database and the broker, works, and ends with an exception
when either goes away. A session is started again with a growing pause for as long as the process is not asked to stop.
Nothing is kept between sessions except what Postgres and RabbitMQ keep, so there is no reconnecting half of anything.

Exit codes are those of sysexits.h: 78 for a wrong setting, 69 for a database that cannot be used, 70 for a fault of
ours (the supervisor starts the process again), 0 after SIGTERM or SIGINT.
"""

import asyncio
import contextlib
import os
import random
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import psycopg
import structlog

from settings import Needed, Settings, SettingsUnfit, read_settings
from store.connect import DatabaseAway, DatabaseUnfit, open_connection
from store.endings import Fenced
from workers.amqp import BrokerLost
from workers.logs import configure_logs
from workers.operations import AsyncCheck, Collect, operations
from workers.usage import read_no_arguments
from workers.waiting import first_of, unless, wait_any

PATIENCE = 30.0
"""Seconds that a database gets to answer when a process starts."""
GRACE = 10.0
"""Seconds that sessions get to come to an end after SIGTERM."""
SHORTEST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
"""Seconds between two sessions."""
TRIES = 5
LOST = (BrokerLost, DatabaseAway, psycopg.OperationalError)
"""What ends a session without being anybody's fault."""

T = TypeVar("T")

log = structlog.get_logger(__name__)


@dataclass
class Trouble:
    """What is wrong with one thing that a session needs, in words; None while it is well. The session says which."""

    now: str | None = "not connected yet"

    async def check(self) -> str | None:
        """Return it, for the health check."""
        return self.now


Session = Callable[[asyncio.Event], Awaitable[None]]
"""Works until the event is set or something is lost."""


@dataclass(frozen=True)
class Parts:
    """What one process consists of: sessions with the trouble of each, further checks, and figures to show."""

    sessions: Mapping[str, tuple[Session, Trouble]]
    checks: Mapping[str, AsyncCheck] = field(default_factory=dict)
    collect: Collect | None = None


def run(process_name: str, needed: tuple[Needed, ...], compose: Callable[[Settings], Parts]) -> int:
    """Be the process: read settings, compose its parts, run them until SIGTERM or SIGINT; return the exit code."""
    read_no_arguments(process_name, needed)
    try:
        settings = read_settings(*needed)
    except SettingsUnfit as error:
        return _refuse(process_name, error, os.EX_CONFIG)
    configure_logs(settings, process_name)
    try:
        return asyncio.run(_live(process_name, settings, compose(settings)))
    except SettingsUnfit as error:
        return _refuse(process_name, error, os.EX_CONFIG)
    except DatabaseUnfit as error:
        return _refuse(process_name, error, os.EX_UNAVAILABLE)


def _refuse(process_name: str, error: Exception, code: int) -> int:
    sys.stderr.write(f"{process_name}: {error}\n")
    return code


async def _live(process_name: str, settings: Settings, parts: Parts) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    database = settings.url("database_url")
    if await unless(stop, until_it_answers(database, PATIENCE)) is None:
        return 0
    checks: dict[str, AsyncCheck] = {"database": lambda: database_trouble(database), **parts.checks}
    checks |= {name: trouble.check for name, (_, trouble) in parts.sessions.items()}
    async with operations(settings, process_name, checks=checks, collect=parts.collect):
        log.info("started")
        code = await _keep_all_going(stop, parts)
    log.info("stopped", code=code)
    return code


async def _keep_all_going(stop: asyncio.Event, parts: Parts) -> int:
    works = [keep_going(stop, name, session, trouble) for name, (session, trouble) in parts.sessions.items()]
    try:
        await first_of(_all(works), _stopped(stop))
    except DatabaseUnfit:
        raise
    except psycopg.errors.InsufficientPrivilege as error:
        words = f"the role in SEATKEEPER_DATABASE_URL may not do what this process needs ({error.diag.message_primary})"
        raise DatabaseUnfit(f"{words}; is it the address of another process?") from None
    except Exception:
        log.exception("session_broken")
        return os.EX_SOFTWARE
    return 0


async def _all(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    await asyncio.gather(*works)


async def _stopped(stop: asyncio.Event) -> None:
    """Return GRACE seconds after `stop`: a session that is in the middle of something ends before that."""
    await stop.wait()
    await asyncio.sleep(GRACE)
    log.warning("stopped_in_the_middle", grace=GRACE)


async def keep_going(stop: asyncio.Event, name: str, session: Session, trouble: Trouble) -> None:
    """Run `session` again and again until `stop`, with a pause after each one that lost what it stood on."""
    pause = SHORTEST_PAUSE
    while not stop.is_set():
        started = asyncio.get_running_loop().time()
        try:
            await session(stop)
        except LOST as error:
            trouble.now = " ".join(str(error).split()) or type(error).__name__
            log.warning("connection_lost", session=name, reason=trouble.now)
        if asyncio.get_running_loop().time() - started > 2 * LONGEST_PAUSE:
            pause = SHORTEST_PAUSE
        await wait_any(stop, seconds=pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads reconnects, hides nothing
        pause = min(2 * pause, LONGEST_PAUSE)


async def unfenced(work: Callable[[], Awaitable[T]]) -> T:
    """Return what a transaction returns; start it again when it looked at a run in the very moment of its change."""
    for _ in range(TRIES):
        with contextlib.suppress(Fenced):
            return await work()
    return await work()


async def until_it_answers(database_url: str, patience: float) -> bool:
    """Return True once the database answers and is ours. DatabaseAway after `patience` seconds, else DatabaseUnfit."""
    deadline = asyncio.get_running_loop().time() + patience
    while True:
        try:
            async with open_connection(database_url):
                return True
        except DatabaseAway:
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(0.5)


async def database_trouble(database_url: str) -> str | None:
    """Say what keeps the database from being used, for the health check."""
    with contextlib.suppress(DatabaseUnfit):
        async with open_connection(database_url):
            return None
    return "the database does not answer"
