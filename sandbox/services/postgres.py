"""A Postgres for the sandbox: databases made and dropped in a moment, and a server that can be broken on purpose."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import LiteralString
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from sandbox.services.nodes import Node, password_for, wait_until


@dataclass
class Postgres:
    """`admin_url` is a superuser's, for the database `postgres`."""

    admin_url: str
    node: Node = field(repr=False)

    def url(self, role: str, database: str) -> str:
        """Give the address of a database for a role whose password was set by `set_passwords`."""
        return self._url(database, f"{role}:{self._password(role)}")

    def admin_url_of(self, database: str) -> str:
        """Give the superuser's address of a database."""
        return self._url(database, urlsplit(self.admin_url).netloc.rpartition("@")[0])

    def _url(self, database: str, credentials: str) -> str:
        parts = urlsplit(self.admin_url)
        place = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{credentials}@{place}", path=f"/{database}"))

    def _password(self, role: str) -> str:
        return password_for(role, urlsplit(self.admin_url).password or "")

    def set_passwords(self, *roles: str) -> None:
        """Set the passwords of roles that exist; roles belong to the whole server, so one at a time."""
        with self.changing_roles() as connection:
            for role in roles:
                connection.execute(self._with_password("ALTER ROLE {} PASSWORD {}", role))

    def make_owner(self, role: str) -> None:
        """Make a role that can own databases and create other roles, as a person who installs Seatkeeper has."""
        with self.changing_roles() as connection:
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
                connection.execute(self._with_password("CREATE ROLE {} LOGIN CREATEROLE PASSWORD {}", role))

    @contextlib.contextmanager
    def changing_roles(self) -> Iterator[psycopg.Connection]:
        """Hold off others who change roles until the block ends: two at once fail with a concurrent update."""
        with psycopg.connect(self.admin_url) as connection:
            connection.execute("SELECT pg_advisory_xact_lock(hashtext('seatkeeper roles'))")
            yield connection

    def _with_password(self, statement: LiteralString, role: str) -> sql.Composed:
        return sql.SQL(statement).format(sql.Identifier(role), sql.Literal(self._password(role)))

    def create_database(self, name: str, template: str = "template1", owner: str = "postgres") -> None:
        """Create a database as a copy of `template`, to which nobody may be connected; about 60 ms."""
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}")
        self._execute(statement.format(*map(sql.Identifier, (name, template, owner))))

    def drop_database(self, name: str) -> None:
        """Drop a database and end whatever is connected to it."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            connection.execute(statement)

    def version(self) -> str:
        """Ask the server for its version, as 17.6."""
        with psycopg.connect(self.admin_url, connect_timeout=5) as connection:
            return str(connection.info.parameter_status("server_version")).split()[0]

    def start(self) -> None:
        """Start the server after `kill` and wait until it answers."""
        self.node.start()
        self.wait_ready()

    def kill(self) -> None:
        """End the server with SIGKILL: what was committed survives."""
        self.node.kill()

    def restart(self) -> None:
        """End the server in order, which cuts every connection, and start it again."""
        self.node.stop()
        self.start()

    def wait_ready(self) -> None:
        """Return when a superuser can log in; ServiceError when that takes over a minute."""
        wait_until(self._answers, self.node, "Postgres")

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.admin_url, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True
