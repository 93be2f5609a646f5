"""The sandbox's Postgres: databases of one's own, roles with passwords, a server that can be broken."""

import secrets
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.errors import InvalidPassword

from sandbox.services import Postgres, Services
from tests.conftest import PROCESSES, Database


@pytest.mark.parametrize("role", [*PROCESSES, "owner"])
def test_each_role_logs_in_with_its_password(role: str, database: Database) -> None:
    with psycopg.connect(database.url(role)) as connection:
        found = connection.execute("SELECT current_user, current_database()").fetchone()
    assert found == (f"seatkeeper_{role}", database.name)


def test_a_wrong_password_is_refused(database: Database) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed") as caught:
        psycopg.connect(database.url("worker"), password="wrong")
    assert caught.value.sqlstate in (None, InvalidPassword.sqlstate)


def test_a_database_starts_with_the_schema(database: Database) -> None:
    with psycopg.connect(database.owner_url) as connection:
        assert connection.execute("SELECT count(*) FROM schema_version").fetchone() == (1,)


def test_a_database_is_dropped_under_those_who_use_it(services: Services) -> None:
    name = f"test_{secrets.token_hex(6)}"
    services.postgres.create_database(name)
    with psycopg.connect(services.postgres.admin_url_of(name), autocommit=True) as connection:
        services.postgres.drop_database(name)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(services.postgres.admin_url_of(name))


@pytest.fixture
def breakable(breakable_services: Services) -> Iterator[Postgres]:
    yield breakable_services.postgres
    breakable_services.postgres.wait_ready()


def test_what_was_committed_survives_a_kill(breakable: Postgres) -> None:
    name = f"test_{secrets.token_hex(6)}"
    breakable.create_database(name)
    with psycopg.connect(breakable.admin_url_of(name)) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS number")
    breakable.kill()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(breakable.admin_url)
    breakable.start()
    with psycopg.connect(breakable.admin_url_of(name)) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (1000,)
    breakable.drop_database(name)


def test_a_restart_cuts_connections(breakable: Postgres) -> None:
    with psycopg.connect(breakable.admin_url, autocommit=True) as connection:
        breakable.restart()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    with psycopg.connect(breakable.admin_url) as again:
        assert again.execute("SELECT 1").fetchone() == (1,)
