"""What every command needs: the database that the settings name, the time, and who is asking."""

import asyncio
import getpass
import signal
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, TypeAlias, TypeVar

import typer

from connections.flight import Connect
from connections.sealing import Sealing
from settings import read_settings
from store.connect import Connection, open_connection

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Carry out the asynchronous part of a command."""
    return asyncio.run(work)


@contextmanager
def stoppable() -> Iterator[None]:
    """Let Ctrl-C end a read that blocks the loop at once: asyncio's own handler only ends what awaits."""
    before = signal.getsignal(signal.SIGINT)
    if not callable(before) or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def now() -> datetime:
    """Return the present moment, aware."""
    return datetime.now(UTC)


@asynccontextmanager
async def database() -> AsyncIterator[Connection]:
    """Open the database of SEATKEEPER_DATABASE_URL; raises SettingsUnfit or DatabaseUnfit."""
    async with open_connection(read_settings("database_url").url("database_url")) as connection:
        yield connection


def connect() -> Connect:
    """Return what opens further connections to the same database."""
    url = read_settings("database_url").url("database_url")
    return lambda: open_connection(url)


def sealing() -> Sealing:
    """Return the keys of SEATKEEPER_KEYS; raises SettingsUnfit or KeysUnfit."""
    return Sealing(read_settings("keys").sealing_keys())


def _who(given: str) -> str:
    return given.strip() or getpass.getuser()


By: TypeAlias = Annotated[
    str,
    typer.Option("--by", envvar="SEATKEEPER_OPERATOR", callback=_who, help="Who does this.", show_default="your login"),
]
"""Under which name a deed is kept."""
