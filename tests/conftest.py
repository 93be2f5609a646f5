"""What every test may ask for: real servers, a database and virtual hosts of its own, and a seed that is printed.

`services`            a RabbitMQ and a Postgres, shared with the other workers of the run: never stop them.
`breakable_services`  a pair that belongs to this worker alone: stop it, kill it, start it again before the test ends.
`database`            a new database with schema.sql in it; `database.url("worker")` logs in as seatkeeper_worker.
`vhosts`              a new pair of virtual hosts; `vhosts.internal_url("relay")`, `vhosts.edge_url("requester")`.
`seed`                a number for `random.Random`; set SEATKEEPER_TEST_SEED to the one printed to repeat a run.

Async tests say `pytestmark = pytest.mark.anyio` and run on asyncio.
"""

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from sandbox.services import Postgres, Rabbitmq, ServiceError, Services, find_services
from sandbox.services.given import given_place, given_services

SCHEMA = Path(__file__).parent.parent / "schema.sql"
OWNER = "seatkeeper_owner"
PROCESSES = ("scheduler", "relay", "intake", "worker", "reclaim", "console")
SEED = "SEATKEEPER_TEST_SEED"


@dataclass(frozen=True)
class Database:
    """One test's own database."""

    name: str
    postgres: Postgres

    def url(self, role: str) -> str:
        """Give the address for a role by its short name: owner, scheduler, relay, intake, worker, reclaim, console."""
        return self.postgres.url(f"seatkeeper_{role}", self.name)

    @property
    def owner_url(self) -> str:
        """The address for the role that owns everything in it."""
        return self.url("owner")

    @property
    def admin_url(self) -> str:
        """The address for the server's superuser, who passes row security unseen."""
        return self.postgres.admin_url_of(self.name)


@dataclass(frozen=True)
class Vhosts:
    """One test's own pair of virtual hosts."""

    internal: str
    edge: str
    rabbitmq: Rabbitmq

    def internal_url(self, user: str) -> str:
        """Give the address of the internal one for a user: worker, relay or intake."""
        return self.rabbitmq.url(user, self.internal)

    def edge_url(self, user: str) -> str:
        """Give the address of the edge for a user: relay, intake, requester or consumer."""
        return self.rabbitmq.url(user, self.edge)


def pytest_configure() -> None:
    os.environ.setdefault(SEED, str(secrets.randbelow(2**32)))  # workers of xdist inherit it


def pytest_report_header() -> list[str]:
    return [f"seed of random tests: {SEED}={os.environ[SEED]}", f"servers: {_servers()}"]


def _servers() -> str:
    """Say which servers the tests use, where that is known before the first of them asks."""
    try:
        given = given_services()
    except ServiceError as error:
        return str(error)
    if given is None:
        return "found or started when a test asks for them"
    services = Services(*given, given_place())
    try:
        return services.told()
    finally:
        services.rabbitmq.close()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def seed() -> int:
    return int(os.environ[SEED])


@pytest.fixture(scope="session")
def services() -> Iterator[Services]:
    with find_services() as found:
        yield found


@pytest.fixture(scope="session")
def breakable_services() -> Iterator[Services]:
    with find_services(shared=False) as found:
        yield found


@pytest.fixture(scope="session")
def schema_template(services: Services) -> Iterator[str]:
    """A database with schema.sql in it, to be copied; nobody stays connected to it."""
    postgres, name = services.postgres, f"template_{secrets.token_hex(6)}"
    postgres.make_owner(OWNER)
    postgres.create_database(name, owner=OWNER)
    with postgres.changing_roles(), psycopg.connect(postgres.url(OWNER, name), autocommit=True) as connection:
        connection.execute(SCHEMA.read_bytes())
    postgres.set_passwords(*(f"seatkeeper_{process}" for process in PROCESSES))
    yield name
    postgres.drop_database(name)


@pytest.fixture
def database(services: Services, schema_template: str) -> Iterator[Database]:
    name = f"test_{secrets.token_hex(6)}"
    services.postgres.create_database(name, schema_template, OWNER)
    yield Database(name, services.postgres)
    services.postgres.drop_database(name)


@pytest.fixture
def vhosts(services: Services) -> Iterator[Vhosts]:
    prefix = f"test-{secrets.token_hex(6)}-"
    yield Vhosts(*services.rabbitmq.make_vhosts(prefix), services.rabbitmq)
    services.rabbitmq.delete_vhosts(prefix)
