"""`seats migrate` and `seats init` on databases of other versions: what they say, and how they end."""

from collections.abc import Iterator

import psycopg
import pytest

from store.connect import SCHEMA_VERSION
from store.migrating import LOCK
from tests.conftest import Database
from tests.console.conftest import Seats
from tests.store.old_databases import old_database, old_template

pytestmark = pytest.mark.services
template_2 = pytest.fixture(scope="module")(old_template)
old = pytest.fixture(old_database)


@pytest.fixture
def owner(old: Database) -> Seats:
    return Seats({"SEATKEEPER_OWNER_URL": old.owner_url})


@pytest.fixture
def console(old: Database, key: str) -> Seats:
    return Seats({"SEATKEEPER_DATABASE_URL": old.url("console"), "SEATKEEPER_KEYS": key})


def version(database: Database) -> Iterator[int]:
    with psycopg.connect(database.owner_url) as connection:
        yield from (int(row[0]) for row in connection.execute("SELECT version FROM schema_version"))


def test_migrate_shows_its_steps_and_the_release_works_afterwards(owner: Seats, console: Seats) -> None:
    before = console("profile", "list")
    assert (before.code, before.err.count("run `./seats migrate`")) == (69, 1)
    done = owner("migrate")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("version 3: Connections with children")
    assert done.out.endswith(f"from version 2 to {SCHEMA_VERSION}.\n")
    assert [profile["name"] for profile in console.ok("profile", "list")["profiles"]] == ["nord"]


def test_migrate_again_has_nothing_to_do(owner: Seats) -> None:
    assert len(owner.ok("migrate")["steps"]) == SCHEMA_VERSION - 2
    assert owner.ok("migrate")["steps"] == []
    assert "nothing to do" in owner("migrate").out


def test_a_dry_run_prints_sql_that_can_be_run_and_changes_nothing(owner: Seats, old: Database) -> None:
    printed = owner("migrate", "--dry-run")
    assert printed.code == 0
    assert list(version(old)) == [2]
    with psycopg.connect(old.owner_url) as connection:
        connection.execute(printed.out.encode())
    assert list(version(old)) == [SCHEMA_VERSION]


def test_init_sends_an_older_database_to_migrate(owner: Seats, old: Database) -> None:
    ended = owner("init")
    needs = f"the database has schema version 2, this code needs {SCHEMA_VERSION}; run `./seats migrate`"
    assert (ended.code, ended.err) == (4, f"seats: {needs}\n")
    assert list(version(old)) == [2]


def test_init_brings_an_older_database_forward_when_it_is_told_to(owner: Seats, old: Database) -> None:
    assert owner.ok("init", "--migrate")["migrated_to"] == list(range(3, SCHEMA_VERSION + 1))
    assert list(version(old)) == [SCHEMA_VERSION]
    again = owner("init", "--migrate")
    assert (again.code, again.out.splitlines()[0]) == (
        0,
        "The database is ready already; its schema was not touched.",
    )


def test_migrate_refuses_what_it_cannot_bring_forward(owner: Seats, old: Database) -> None:
    with psycopg.connect(old.owner_url) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        assert owner("migrate").code == 4
    with psycopg.connect(old.owner_url) as connection:
        connection.execute("UPDATE schema_version SET version = 99")
    ended = owner("migrate")
    assert (ended.code, "newer than this code" in ended.err) == (4, True)


def test_migrate_sends_an_empty_database_to_init(owner: Seats, old: Database) -> None:
    with psycopg.connect(old.owner_url) as connection:
        connection.execute("DROP TABLE schema_version")
    ended = owner("migrate")
    assert (ended.code, "run `./seats init` first" in ended.err) == (69, True)


def test_migrate_needs_the_owner(old: Database) -> None:
    ended = Seats({"SEATKEEPER_OWNER_URL": old.url("console")})("migrate")
    assert ended.code == 77
    assert list(version(old)) == [2]


def test_migrate_needs_an_address() -> None:
    assert Seats()("migrate").code == 2
