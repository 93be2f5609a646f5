"""Bringing the database of an earlier release forward, step by step; Alembic keeps their order and their transactions.

A fresh database is made from schema.sql, and a test holds that both ways lead to the same. `schema_version` is what
processes look at; each step sets it in its own transaction, and Alembic's stamp with it, so that a kill at any moment
leaves a whole database of one version or the other. One migration runs at a time, behind an advisory lock.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg.rows import TupleRow

from store.connect import SCHEMA_VERSION, DatabaseAway, DatabaseUnfit

if TYPE_CHECKING:
    from alembic.config import Config

HERE = Path(__file__).parent / "migrations"
OLDEST = 2
"""The version of the first release whose databases are brought forward; there is no step to it and no stamp."""
LOCK = 7_250_133
"""The advisory lock of whoever makes or changes the schema."""
PATIENCE = "10s"
"""How long a step waits for a table that somebody else uses."""


class MigrationRefused(Exception):
    """The database cannot be brought forward as it is; the sentence says why, and nothing was changed."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: the version that it leads to, what it brings, and its SQL."""

    version: int
    brings: str
    sql: str


@dataclass(frozen=True, slots=True)
class Way:
    """The version that was found, and the steps from there to the newest; none for a database that is there."""

    found: int
    steps: tuple[Step, ...]


def way(owner_url: str) -> Way:
    """Say what `migrate` would do. Raises MigrationRefused, DatabaseAway or DatabaseUnfit as `migrate` does."""
    with _alone(owner_url) as connection:
        return _way(connection)


def migrate(owner_url: str, told: Callable[[Step], None] = lambda _: None) -> Way:
    """Bring the database forward, each step in a transaction of its own; `told` hears of each that is committed.

    Raises MigrationRefused for a version that is too new or too old, for another migration that is under way, and for a
    table that somebody uses; DatabaseAway; DatabaseUnfit for a database without our schema.
    """
    with _alone(owner_url) as connection:
        chosen = _way(connection)
        for step in chosen.steps:
            _take(connection, step)
            told(step)
        if not chosen.steps:
            stamp(connection)
        return chosen


def stamp(connection: psycopg.Connection[TupleRow]) -> None:
    """Write down for Alembic that the database is of the newest version, as a fresh one is. Harmless again."""
    from alembic import command  # noqa: PLC0415 - half a second that no other command has to wait

    with _configured(connection) as config:
        command.stamp(config, str(SCHEMA_VERSION))


@contextmanager
def _alone(owner_url: str) -> Iterator[psycopg.Connection[TupleRow]]:
    """Open the database behind the lock, which ends with the connection, however that ends."""
    try:
        connection = psycopg.connect(owner_url, connect_timeout=10, autocommit=True)
    except psycopg.OperationalError as error:
        raise DatabaseAway(f"the database does not answer: {str(error).strip()}") from None
    with connection:
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone()
        if not (row and row[0]):
            raise MigrationRefused("another migration is under way; wait for its end, then look again")
        connection.execute(f"SET lock_timeout = '{PATIENCE}'")
        connection.autocommit = False
        yield connection


def _way(connection: psycopg.Connection[TupleRow]) -> Way:
    found = _version(connection)
    if found > SCHEMA_VERSION:
        raise MigrationRefused(
            f"the database has schema version {found}, which is newer than this code ({SCHEMA_VERSION}): "
            "run it with the code of its release"
        )
    if found < OLDEST:
        raise MigrationRefused(
            f"the database has schema version {found}, from before the first release that can be brought forward "
            f"({OLDEST}): make a new one with `./seats init`"
        )
    return Way(found, tuple(step for step in _steps() if step.version > found))


def _version(connection: psycopg.Connection[TupleRow]) -> int:
    with connection.transaction():
        there = connection.execute("SELECT to_regclass('public.schema_version')").fetchone()
        if there is None or there[0] is None:
            raise DatabaseUnfit("the database has no Seatkeeper schema; run `./seats init` first")
        row = connection.execute("SELECT version FROM schema_version").fetchone()
    return int(str(row[0])) if row else 0


def _steps() -> list[Step]:
    """Read every step there is, in order."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - as in `stamp`

    scripts = ScriptDirectory(str(HERE)).walk_revisions()
    steps = [
        Step(int(script.revision), script.doc, Path(script.path).with_suffix(".sql").read_text(encoding="utf-8"))
        for script in scripts
    ]
    return sorted(steps, key=lambda step: step.version)


def _take(connection: psycopg.Connection[TupleRow], step: Step) -> None:
    from alembic import command  # noqa: PLC0415 - as in `stamp`
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - as in `stamp`

    try:
        with _configured(connection) as config:
            command.upgrade(config, str(step.version))
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.errors.LockNotAvailable):
            raise MigrationRefused(
                "somebody uses the database: stop every process first (docs/operations.md, Upgrade); it is as it was"
            ) from None
        raise error.orig or error from None


@contextmanager
def _configured(connection: psycopg.Connection[TupleRow]) -> "Iterator[Config]":
    """Lend Alembic this very connection."""
    from alembic.config import Config  # noqa: PLC0415 - as in `stamp`
    from sqlalchemy import create_engine  # noqa: PLC0415 - as in `stamp`
    from sqlalchemy.pool import StaticPool  # noqa: PLC0415 - as in `stamp`

    config = Config()
    config.set_main_option("script_location", str(HERE).replace("%", "%%"))
    engine = create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=StaticPool)
    with engine.connect() as lent:
        config.attributes["connection"] = lent
        yield config
