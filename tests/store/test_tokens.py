"""Tokens that live shortly, and tokens that are sealed anew while Asana refuses them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from asana_api.oauth import App, Grant
from connections import tokens
from connections.sealing import Sealing, connection_row, credential_row, new_key
from connections.tokens import ConnectionIsLost, Tokens
from store import connections
from store.connect import Connection, open_connection
from store.connections import Credential, Holder, SealedGrant
from tests.conftest import Database

pytestmark = [pytest.mark.anyio, pytest.mark.services]
SEALING = Sealing([new_key()])
PERSONAL = credential_row("acme", "personal_access_token", "access_token")
NOWHERE = "http://127.0.0.1:1"


@pytest.fixture
async def console(database: Database) -> AsyncIterator[Connection]:
    async with open_connection(database.url("console")) as connection:
        yield connection


async def save(console: Connection, grant: SealedGrant) -> int:
    connection_id = await connections.save(
        console,
        alias="acme",
        base_url=NOWHERE,
        client_id="1",
        client_secret_sealed=SEALING.seal("s", connection_row("acme", "client_secret")),
        requests_per_minute=None,
    )
    await connections.keep_grant(console, connection_id, "acme", grant, datetime.now(UTC))
    return connection_id


async def save_oauth(console: Connection, expires_in: timedelta) -> int:
    return await save(
        console,
        SealedGrant(
            kind="oauth",
            user_gid="1",
            access_token=SEALING.seal("first", credential_row("acme", "oauth", "access_token")),
            refresh_token=SEALING.seal("r", credential_row("acme", "oauth", "refresh_token")),
            expires_at=datetime.now(UTC) + expires_in,
        ),
    )


class Clock:
    """A clock that is put forward by hand."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


async def test_a_short_lived_token_is_used_for_half_of_its_life(
    console: Connection, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, clock, asked = database.url("worker"), Clock(), 0

    async def refreshed(base_url: str, app: App, refresh_token: str) -> Grant:
        nonlocal asked
        asked += 1
        return Grant(f"token-{asked}", None, 100, None)

    monkeypatch.setattr(tokens, "refresh", refreshed)
    connection_id = await save_oauth(console, timedelta(seconds=100))
    mine = Tokens(lambda: open_connection(url), connection_id, SEALING, clock=clock)
    assert [await mine.token() for _ in range(3)] == ["first"] * 3, "it was granted just now"
    clock.ahead = timedelta(seconds=55)
    assert [await mine.token() for _ in range(3)] == ["token-1"] * 3, "one refresh for all calls"
    clock.ahead = timedelta(seconds=95)
    assert await mine.token() == "token-1"
    other = Tokens(lambda: open_connection(url), connection_id, SEALING)
    assert await other.token() == "token-1", "another process knows how long it lives"
    assert asked == 1
    clock.ahead = timedelta(seconds=110)
    assert await mine.token() == "token-2"


async def test_a_token_that_lives_long_is_not_used_in_its_last_two_minutes(
    console: Connection, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, clock = database.url("worker"), Clock()

    async def refreshed(base_url: str, app: App, refresh_token: str) -> Grant:
        return Grant("another", None, 3600, None)

    monkeypatch.setattr(tokens, "refresh", refreshed)
    connection_id = await save_oauth(console, timedelta(hours=1))
    mine = Tokens(lambda: open_connection(url), connection_id, SEALING, clock=clock)
    assert await mine.token() == "first"
    clock.ahead = timedelta(minutes=58, seconds=1)
    assert await mine.token() == "another"


def keep_another_after_the_first_read(console: Connection, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seal `token` in the credential's row right after that was read for the first time."""
    read_it = connections.credential_of

    async def read(
        connection: Connection, connection_id: int, holder: Holder = "person", *, lock: bool = False
    ) -> Credential | None:
        monkeypatch.setattr(connections, "credential_of", read_it)
        found = await read_it(connection, connection_id, holder, lock=lock)
        await console.execute("UPDATE credential SET access_token_sealed = %s", [SEALING.seal(token, PERSONAL)])
        return found

    monkeypatch.setattr(connections, "credential_of", read)


async def save_personal(console: Connection) -> int:
    sealed = SEALING.seal("refused", PERSONAL)
    return await save(console, SealedGrant(kind="personal_access_token", user_gid="1", access_token=sealed))


async def test_a_refused_token_is_lost_though_it_was_sealed_anew_meanwhile(
    console: Connection, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection_id, url = await save_personal(console), database.url("worker")
    keep_another_after_the_first_read(console, "refused", monkeypatch)
    with pytest.raises(ConnectionIsLost, match="does not accept the token"):
        await Tokens(lambda: open_connection(url), connection_id, SEALING).renew("refused")
    lost = await connections.credential_of(console, connection_id)
    assert lost is not None
    assert lost.state == "reconnect_needed"


async def test_a_refused_token_that_was_replaced_meanwhile_is_not_lost(
    console: Connection, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection_id, url = await save_personal(console), database.url("worker")
    keep_another_after_the_first_read(console, "new", monkeypatch)
    assert await Tokens(lambda: open_connection(url), connection_id, SEALING).renew("refused") == "new"
    kept = await connections.credential_of(console, connection_id)
    assert kept is not None
    assert kept.state == "connected"
