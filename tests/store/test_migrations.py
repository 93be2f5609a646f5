"""Migrations: a database of version 2 becomes the one that schema.sql makes with all that was in it, or it stays."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import TupleRow

from store.connect import SCHEMA_VERSION
from store.migrating import LOCK, MigrationRefused, Step, migrate, stamp, way
from tests.conftest import Database
from tests.store.catalog import catalog, difference
from tests.store.old_databases import old_database, old_template

pytestmark = pytest.mark.services
ROOT = Path(__file__).parents[2]
template_2 = pytest.fixture(scope="module")(old_template)
old = pytest.fixture(old_database)


def rows(database: Database) -> dict[str, list[str]]:
    """Give every row as JSON, by table."""
    with psycopg.connect(database.owner_url) as connection:
        found: dict[str, list[str]] = {}
        for (table,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall():
            texts = connection.execute(f"SELECT to_jsonb(t)::text FROM {table} t ORDER BY 1".encode()).fetchall()
            found[table] = [text for (text,) in texts]
        return found


def version(database: Database) -> int:
    with psycopg.connect(database.owner_url) as connection:
        row = connection.execute("SELECT version FROM schema_version").fetchone()
    assert row is not None
    return int(row[0])


def test_a_migrated_database_is_the_one_that_is_loaded(old: Database, database: Database) -> None:
    with psycopg.connect(database.owner_url) as connection:
        stamp(connection)
    told: list[Step] = []
    assert migrate(old.owner_url, told.append).found == 2
    assert [step.version for step in told] == list(range(3, SCHEMA_VERSION + 1))
    loaded, migrated = catalog(database.owner_url), catalog(old.owner_url)
    assert len(loaded) > 400
    assert loaded == migrated, "\n" + difference(loaded, migrated)


def test_what_was_in_it_is_in_it_afterwards(old: Database) -> None:
    before = rows(old)
    empty = {"listed_membership", "listed_user", "asked_absence"}
    assert {table for table, there in before.items() if not there} <= empty, "each table holds something"
    migrate(old.owner_url)
    with psycopg.connect(old.owner_url) as connection:
        for table, there in before.items():
            if table != "schema_version":
                kept = connection.execute(
                    f"SELECT count(*) FROM {table} t WHERE EXISTS "
                    "(SELECT FROM unnest(%s::jsonb[]) b WHERE to_jsonb(t) @> b)".encode(),
                    [there],
                ).fetchone()
                assert kept == (len(there),), table
        switches = connection.execute("SELECT activity_enabled, reclaim_enabled, sweep, status FROM profile").fetchall()
    assert switches == [(True, True, "economical", "published")]


def test_the_next_row_of_a_table_gets_a_number_of_its_own(old: Database) -> None:
    migrate(old.owner_url)
    with psycopg.connect(old.owner_url) as connection:
        row = connection.execute(
            "INSERT INTO connection (alias, base_url) VALUES ('next', 'http://127.0.0.1:1') RETURNING id"
        ).fetchone()
    assert row == (2,)


def test_a_second_migration_has_nothing_to_do(old: Database) -> None:
    migrate(old.owner_url)
    before = catalog(old.owner_url)
    again = migrate(old.owner_url)
    assert (again.found, again.steps) == (SCHEMA_VERSION, ())
    assert catalog(old.owner_url) == before


def test_a_look_changes_nothing(old: Database) -> None:
    before = rows(old)
    assert "CREATE TABLE alert" in way(old.owner_url).steps[-1].sql
    assert rows(old) == before


def test_a_loaded_database_that_was_never_stamped_is_stamped(database: Database) -> None:
    assert migrate(database.owner_url).steps == ()
    assert f"stamp: {SCHEMA_VERSION}" in catalog(database.owner_url)


@pytest.mark.parametrize(("found", "says"), [(1, "before the first release"), (99, "newer than this code")])
def test_a_version_that_has_no_way_here_is_refused(old: Database, found: int, says: str) -> None:
    with psycopg.connect(old.owner_url) as connection:
        connection.execute("UPDATE schema_version SET version = %s", [found])
    with pytest.raises(MigrationRefused, match=says):
        migrate(old.owner_url)
    assert version(old) == found


def test_one_migration_at_a_time(old: Database) -> None:
    with psycopg.connect(old.owner_url) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        with pytest.raises(MigrationRefused, match="another migration is under way"):
            migrate(old.owner_url)
    assert version(old) == 2
    migrate(old.owner_url)


def test_a_step_that_is_kept_waiting_by_a_process_is_refused(old: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.migrating.PATIENCE", "50ms")
    before = rows(old)
    with psycopg.connect(old.url("worker")) as worker:
        worker.execute("SELECT FROM coverage")
        with pytest.raises(MigrationRefused, match="stop every process first"):
            migrate(old.owner_url)
    assert rows(old) == before
    migrate(old.owner_url)


def test_a_killed_migration_leaves_the_old_version(old: Database) -> None:
    """A reader of `coverage` holds the migration up in the middle of its step; there it is killed."""
    before = catalog_of_2(old)
    with psycopg.connect(old.url("worker")) as reader, psycopg.connect(old.admin_url, autocommit=True) as watch:
        reader.execute("SELECT FROM coverage")
        command = [sys.executable, "-m", "console", "migrate", f"--owner-url={old.owner_url}"]
        with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
            wait_until_held_up(watch, process)
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
        watch.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )  # at once, what the server does by itself when the wait is over
    assert catalog_of_2(old) == before
    migrate(old.owner_url)
    assert version(old) == SCHEMA_VERSION


def wait_until_held_up(watch: psycopg.Connection[TupleRow], process: subprocess.Popen[str]) -> None:
    while process.poll() is None:
        here = "a.datname = current_database()"
        if watch.execute(
            f"SELECT FROM pg_locks JOIN pg_stat_activity a USING (pid) WHERE NOT granted AND {here}"
        ).fetchall():
            return
        time.sleep(0.02)
    pytest.fail("it ended before it could be killed")


def catalog_of_2(database: Database) -> list[TupleRow]:
    """Give the columns and the version: what a half-done step would have changed."""
    with psycopg.connect(database.owner_url) as connection:
        return connection.execute(
            "SELECT table_name, column_name, data_type, version FROM information_schema.columns, schema_version"
            " WHERE table_schema = 'public' ORDER BY 1, 2"
        ).fetchall()
