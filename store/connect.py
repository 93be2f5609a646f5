"""Opening the database, and refusing one that is not ours.

A process that finds another version of the schema than it was written for must not start: it would write states that
the constraints of the other version mean differently.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

SCHEMA_VERSION = 3

Connection: TypeAlias = AsyncConnection[TupleRow]
Pool: TypeAlias = AsyncConnectionPool[Connection]


NOTICING = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""libpq's options that notice a server which says nothing any more: seconds, and for the last one milliseconds."""


def with_notice(url: str) -> str:
    """Return the address with those options, as libpq takes them."""
    return make_conninfo(url, **NOTICING)


class DatabaseUnfit(Exception):
    """The database cannot be used as it is; the sentence says what to do."""


class DatabaseAway(DatabaseUnfit):
    """The database does not answer; it may in a moment."""


async def check_version(connection: Connection) -> None:
    """Raise DatabaseUnfit unless the schema is the one that this code was written for."""
    try:
        cursor = await connection.execute("SELECT version FROM schema_version")
        row = await cursor.fetchone()
    except psycopg.errors.UndefinedTable:
        raise DatabaseUnfit("the database has no Seatkeeper schema; run `./seats init` first") from None
    except psycopg.errors.InsufficientPrivilege:
        raise DatabaseUnfit("this database role may not read the schema's version; run `./seats init` again") from None
    found = row[0] if row else None
    if found != SCHEMA_VERSION:
        raise DatabaseUnfit(another_version(found))


def another_version(found: int | None) -> str:
    """Say in one sentence that the schema is another one, and what to do where something can be done."""
    what_to_do = "; run `./seats migrate`" if found is not None and found < SCHEMA_VERSION else ""
    return f"the database has schema version {found}, this code needs {SCHEMA_VERSION}{what_to_do}"


@asynccontextmanager
async def open_connection(url: str) -> AsyncIterator[Connection]:
    """Yield one autocommit connection, its schema checked; transactions are opened with `.transaction()`.

    Raises DatabaseAway when the server does not answer, DatabaseUnfit when it is not one of ours.
    """
    try:
        connection = await AsyncConnection.connect(with_notice(url), autocommit=True)
    except psycopg.OperationalError as error:
        raise DatabaseAway(f"the database does not answer: {str(error).strip()}") from None
    async with connection:
        await check_version(connection)
        yield connection


@asynccontextmanager
async def open_pool(url: str, *, size: int) -> AsyncIterator[Pool]:
    """Yield a pool of at most `size` autocommit connections, its schema checked."""
    async with open_connection(url):
        pass
    pool: Pool = AsyncConnectionPool(
        with_notice(url), min_size=1, max_size=size, open=False, kwargs={"autocommit": True}, timeout=30
    )
    async with pool:
        yield pool
