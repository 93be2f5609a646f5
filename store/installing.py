"""Making the schema in an empty database, and giving each process's role its password."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import AsyncConnection, sql

from store.connect import SCHEMA_VERSION, Connection, DatabaseAway, another_version
from store.migrating import LOCK, stamp

SCHEMA = Path(__file__).parent.parent / "schema.sql"
PROCESSES = ("scheduler", "relay", "intake", "worker", "reclaim", "console")
"""Each logs in as the role `seatkeeper_<process>`."""


class AnotherVersion(Exception):
    """The database has the schema of another version of Seatkeeper; the sentence says what to do."""


@dataclass(frozen=True, slots=True)
class Installed:
    """What was done: whether the schema was loaded, and the roles whose passwords were set."""

    loaded: bool
    passwords_set: frozenset[str]


async def install(owner_url: str, given: Mapping[str, str], made: Mapping[str, str]) -> Installed:
    """Load schema.sql as one transaction unless it is there, and set passwords; both maps are by process.

    `given` passwords are set in any case. Those that were `made` up are set only for roles that this call creates:
    a role belongs to the whole server, and another database of it may log in with the password that it has.
    Raises AnotherVersion, DatabaseAway, or psycopg.errors.InsufficientPrivilege where the owner may not create roles.
    """
    try:
        connection: Connection = await AsyncConnection.connect(owner_url, autocommit=True, connect_timeout=10)
    except psycopg.OperationalError as error:
        raise DatabaseAway(f"the database does not answer: {str(error).strip()}") from None
    async with connection:
        await connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])  # until the connection ends
        async with connection.transaction():
            installed = await _install(connection, given, made)
        await asyncio.to_thread(_stamp, owner_url)
    return installed


async def _install(connection: Connection, given: Mapping[str, str], made: Mapping[str, str]) -> Installed:
    there_before = await _roles(connection)
    version = await _version(connection)
    if version is None:
        await connection.execute(SCHEMA.read_bytes())
    elif version != SCHEMA_VERSION:
        raise AnotherVersion(another_version(version))
    passwords = {**{process: made[process] for process in made if process not in there_before}, **given}
    for process, password in passwords.items():
        await _set_password(connection, f"seatkeeper_{process}", password)
    return Installed(loaded=version is None, passwords_set=frozenset(passwords))


def _stamp(owner_url: str) -> None:
    with psycopg.connect(owner_url, connect_timeout=10) as connection:
        stamp(connection)


async def _roles(connection: Connection) -> set[str]:
    cursor = await connection.execute(
        "SELECT substr(rolname, length('seatkeeper_') + 1) FROM pg_roles WHERE rolname LIKE 'seatkeeper\\_%'"
    )
    return {row[0] for row in await cursor.fetchall()}


async def _version(connection: Connection) -> int | None:
    there = await connection.execute("SELECT to_regclass('public.schema_version') IS NOT NULL")
    row = await there.fetchone()
    if row is None or not row[0]:
        return None
    cursor = await connection.execute("SELECT version FROM schema_version")
    version = await cursor.fetchone()
    return int(version[0]) if version else None


async def _set_password(connection: Connection, role: str, password: str) -> None:
    """Send only the password's verifier: the statement may end in the server's log."""
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    await connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(verifier)))
