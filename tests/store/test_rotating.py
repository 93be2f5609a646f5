"""Sealing everything anew: complete, resumable, beside a worker that refreshes, and each value only in its own row."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from psycopg import sql

from connections import rotating
from connections.opening import SharedAsana
from connections.sealing import Sealing, authorization_row, connection_row, credential_row, new_key
from connections.tokens import Tokens
from sandbox.asana import Running, running
from sandbox.asana.credentials import Credential
from store import authorizations, connections, resealing
from store.authorizations import Answered
from store.connect import Connection, open_connection
from store.connections import SealedGrant
from store.resealing import SealedValue
from tests.conftest import Database

pytestmark = [pytest.mark.anyio, pytest.mark.services]
OLD, NEW = new_key(), new_key()
BEFORE, BOTH, AFTER = Sealing([OLD]), Sealing([NEW, OLD]), Sealing([NEW])
STILL_OLD = Sealing([OLD, NEW])
"""A worker that knows the new key and was not started with it first yet."""
STATES = {"acme": b"a" * 32, "other": b"b" * 32}


@pytest.fixture(scope="module")
def asana() -> Iterator[Running]:
    with running(people=10, seed=5) as one:
        yield one


@pytest.fixture
async def console(database: Database, asana: Running) -> AsyncIterator[Connection]:
    """Two connections that have every kind of secret, sealed with the old key."""
    async with open_connection(database.url("console")) as connection:
        for alias in STATES:
            await fill(connection, asana, alias)
        yield connection


async def fill(console: Connection, asana: Running, alias: str) -> None:
    now = datetime.now(UTC)
    connection_id = await connections.save(
        console,
        alias=alias,
        base_url=asana.url,
        client_id=asana.client_id,
        client_secret_sealed=BEFORE.seal(asana.client_secret, connection_row(alias, "client_secret")),
        requests_per_minute=None,
    )
    admin = asana.organization.admins()[0]
    held, credential = asana.look.credentials, Credential(f"oauth:{alias}", "oauth", admin)
    oauth = SealedGrant(
        kind="oauth",
        user_gid=admin.gid,
        access_token=BEFORE.seal(held.access_token(credential), credential_row(alias, "oauth", "access_token")),
        refresh_token=BEFORE.seal(held.refresh_token(credential), credential_row(alias, "oauth", "refresh_token")),
        expires_at=now,
    )
    token = held.service_account_token(admin)
    service = SealedGrant(
        kind="service_account",
        user_gid="77",
        access_token=BEFORE.seal(token, credential_row(alias, "service_account", "access_token")),
    )
    for grant in (oauth, service):
        await connections.keep_grant(console, connection_id, alias, grant, now)
    state = STATES[alias]
    await authorizations.begin(console, state, alias, now, now + timedelta(minutes=10))
    sealed = BEFORE.seal("2/code", authorization_row(alias, state))
    assert await authorizations.answer(console, state, Answered(sealed, None), now)


def quietly(_done: int, _of: int) -> None:
    """Tell nobody."""


async def test_everything_is_sealed_anew_and_opens_without_the_old_key(console: Connection) -> None:
    before = await rotating.look(console, BOTH)
    assert (before.values, before.older) == (10, 10)
    told: list[tuple[int, int]] = []
    sealed = await rotating.rotate(console, BOTH, lambda done, of: told.append((done, of)))
    assert told[-1] == (10, 10)
    assert (sealed.resealed, sealed.older, sealed.by_key) == (10, 0, {1: 10})
    assert (await rotating.look(console, AFTER)).unreadable == {}
    assert (await rotating.rotate(console, BOTH, quietly)).resealed == 0


async def test_it_goes_on_where_it_was_stopped(console: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, done = resealing.exchange, 0

    async def stopped(connection: Connection, value: SealedValue, sealed: bytes) -> bool:
        nonlocal done
        done += 1
        if done > 4:
            raise KeyboardInterrupt
        return await whole(connection, value, sealed)

    monkeypatch.setattr(resealing, "exchange", stopped)
    with pytest.raises(KeyboardInterrupt):
        await rotating.rotate(console, BOTH, quietly)
    monkeypatch.setattr(resealing, "exchange", whole)
    assert (await rotating.look(console, BOTH)).older == 6
    assert (await rotating.rotate(console, BOTH, quietly)).resealed == 6


async def test_a_worker_that_refreshes_meanwhile_loses_nothing(
    console: Connection, database: Database, asana: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    asana.look.oauth.rotates = True  # only what the worker wrote is good from then on
    whole, url = resealing.exchange, database.url("worker")
    known = await connections.get(console, "acme")
    assert known is not None
    refreshed: list[str] = []

    async def beside_a_refresh(connection: Connection, value: SealedValue, sealed: bytes) -> bool:
        if not refreshed and value.place == "access_token":  # between what rotate read and what it writes
            worker = Tokens(lambda: open_connection(url), known.id, STILL_OLD)
            refreshed.append(await worker.token())
        return await whole(connection, value, sealed)

    monkeypatch.setattr(resealing, "exchange", beside_a_refresh)
    sealed = await rotating.rotate(console, BOTH, quietly)
    assert (sealed.older, sealed.unreadable) == (0, {})
    assert await Tokens(lambda: open_connection(url), known.id, AFTER).token() == refreshed[0]
    assert await Tokens(lambda: open_connection(url), known.id, AFTER).renew(refreshed[0]) != refreshed[0]


async def test_what_does_not_open_is_named_and_left(console: Connection) -> None:
    await console.execute("UPDATE connection SET client_secret_sealed = 'x' WHERE alias = 'acme'")
    sealed = await rotating.rotate(console, BOTH, quietly)
    assert (sealed.resealed, list(sealed.unreadable)) == (9, ["connection/acme/client_secret"])


OURS, OTHER = "'acme'", "'other'"
HELD = "kind = '{kind}' AND connection_id = (SELECT id FROM connection WHERE alias = {{}})"
COLUMNS = [
    ("connection", "client_secret_sealed", "alias = {}", "connection/acme/client_secret"),
    ("credential", "access_token_sealed", HELD.format(kind="oauth"), "credential/acme/oauth/access_token"),
    ("credential", "refresh_token_sealed", HELD.format(kind="oauth"), "credential/acme/oauth/refresh_token"),
    (
        "credential",
        "access_token_sealed",
        HELD.format(kind="service_account"),
        "credential/acme/service_account/access_token",
    ),
    ("authorization_request", "code_sealed", "alias = {}", f"authorization/acme/{STATES['acme'].hex()}/code"),
]


@pytest.mark.parametrize(("table", "column", "where", "row"), COLUMNS, ids=[row for *_, row in COLUMNS])
async def test_a_value_that_was_moved_does_not_open(
    console: Connection, table: str, column: str, where: str, row: str
) -> None:
    """And the rotation does not seal it anew, which would make it the row's own."""
    other = f"(SELECT {column} FROM {table} WHERE {where.format(OTHER)})"
    await console.execute(f"UPDATE {table} SET {column} = {other} WHERE {where.format(OURS)}".encode())
    sealed = await rotating.rotate(console, BOTH, quietly)
    assert list(sealed.unreadable) == [row]
    assert "was sealed for" in sealed.unreadable[row]


async def test_every_column_with_a_secret_is_among_them(console: Connection) -> None:
    cursor = await console.execute(
        sql.SQL("SELECT table_name, column_name FROM information_schema.columns WHERE column_name LIKE '%%sealed%%'")
    )
    assert {(table, column) for table, column in await cursor.fetchall()} == {one[:2] for one in COLUMNS}


async def test_a_lost_service_account_leaves_the_person(
    console: Connection, database: Database, asana: Running
) -> None:
    known, url = await connections.get(console, "acme"), database.url("worker")
    assert known is not None
    shared = SharedAsana(lambda: open_connection(url), BEFORE)
    opened = await shared.of(known.id)
    assert opened.service is not None
    assert opened.reader is opened.service.client
    lost = await connections.credential_of(console, known.id, "service")
    assert lost is not None
    await connections.lose(console, lost, "it was revoked", datetime.now(UTC))
    again = await shared.of(known.id)
    assert again.service is None
    assert again.reader is again.client is opened.client
    assert (await again.client.me()).gid == again.own_gid
    await shared.aclose()
