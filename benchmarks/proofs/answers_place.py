"""What a cell of the matrix stands on besides the actors: short pages, no waits, another host, and a kept database."""

import contextlib
import socketserver
import threading
from collections.abc import Iterator, Sequence
from typing import Protocol, Self
from unittest import mock

from psycopg import sql

from benchmarks.proofs import stage
from sandbox.asana.paging import Pages, Query, T
from sandbox.services import Postgres
from store.connect import Connection

PAGE_SIZE = 4


class OwnDatabase(Protocol):
    """A database with the schema in it, and the server that it is on."""

    @property
    def name(self) -> str:
        """Its name on the server."""

    @property
    def postgres(self) -> Postgres:
        """The server."""

    def url(self, role: str) -> str:
        """Give the address for a role by its short name."""


class SmallPages(Pages):
    """Pages that end sooner than was asked for, so that a few people fill several."""

    def cut(
        self, rows: Sequence[T], query: Query, listing: str, url: str, path: str
    ) -> tuple[Sequence[T], dict[str, object]]:
        """Cut as ever, with another limit."""
        return super().cut(rows, {**query, "limit": str(PAGE_SIZE)}, listing, url, path)


class Elsewhere:
    """A listener on loopback that no answer may lead us to. `seen` counts whoever connected."""

    def __init__(self) -> None:
        seen: list[bytes] = []

        class Noting(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                self.request.settimeout(1)
                with contextlib.suppress(OSError):
                    seen.append(self.request.recv(65536))

        self.seen = seen
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Noting)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def no_waits() -> Iterator[None]:
    """Try again without a pause, and put off at once what would wait for a permit; pages of the log are short."""
    with (
        stage.no_waits(),
        mock.patch("connections.permits.LONGEST_WAIT", 0.0),
        mock.patch("sandbox.asana.routes_log.DEFAULT", PAGE_SIZE),
    ):
        yield


async def keep_the_morning(admin: Connection) -> None:
    """Keep every table's rows in a second schema, and make the function that puts them back.

    Only a superuser may: the ledger and the events refuse to lose a row.
    """
    rows = await (await admin.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).fetchall()
    await admin.execute("CREATE SCHEMA answers_kept")
    steps: list[sql.Composable] = [sql.SQL("SET LOCAL session_replication_role = replica;")]
    for (table,) in rows:
        ours, kept = sql.Identifier("public", table), sql.Identifier("answers_kept", table)
        await admin.execute(sql.SQL("CREATE TABLE {} AS TABLE {}").format(kept, ours))
        steps.append(sql.SQL("DELETE FROM {0}; INSERT INTO {0} OVERRIDING SYSTEM VALUE TABLE {1};").format(ours, kept))
    body = sql.Literal("BEGIN " + sql.Composed(steps).as_string(admin) + " END")
    await admin.execute(
        sql.SQL("CREATE FUNCTION answers_kept.put_back() RETURNS void LANGUAGE plpgsql AS {}").format(body)
    )
