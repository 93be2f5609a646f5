"""Databases of version 2, the first whose databases are brought forward, with rows that were written then."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg

from sandbox.services import Services
from tests.conftest import OWNER, Database

HERE = Path(__file__).parent


def old_template(services: Services, schema_template: str) -> Iterator[str]:
    """Make one to be copied, as a fixture; `schema_template` has made the roles."""
    name = f"template_{secrets.token_hex(6)}"
    services.postgres.create_database(name, owner=OWNER)
    with services.postgres.changing_roles(), psycopg.connect(services.postgres.url(OWNER, name)) as connection:
        connection.execute((HERE / "schema_2.sql").read_bytes())
        connection.execute((HERE / "rows_2.sql").read_bytes())
    yield name
    services.postgres.drop_database(name)


def old_database(services: Services, template_2: str) -> Iterator[Database]:
    """Copy it for one test, as a fixture."""
    name = f"test_{secrets.token_hex(6)}"
    services.postgres.create_database(name, template_2, OWNER)
    yield Database(name, services.postgres)
    services.postgres.drop_database(name)
