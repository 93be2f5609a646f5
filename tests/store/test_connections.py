"""Connections: one refresh for all who meet an expired token, and lost only when Asana and the row agree."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from asana_api.errors import GrantLost, NotAuthorized, Unreachable
from asana_api.oauth import App, Grant, refresh
from connections import tokens
from connections.opening import SharedAsana, open_asana
from connections.sealing import SealBroken, Sealing, connection_row, credential_row, new_key
from connections.tokens import ConnectionIsLost, NotConnected, Tokens
from sandbox.asana import Running, running
from sandbox.asana.credentials import Credential
from store import connections
from store.connect import Connection, open_connection
from store.connections import SealedGrant
from tests.conftest import Database

pytestmark = [pytest.mark.anyio, pytest.mark.services]
KEY = new_key()
SEALING = Sealing([KEY])
REFRESH = "POST /-/oauth_token"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def asana() -> Iterator[Running]:
    with running(people=10, seed=5) as one:
        yield one


@pytest.fixture
async def console(database: Database) -> AsyncIterator[Connection]:
    async with open_connection(database.url("console")) as connection:
        yield connection


async def connect(console: Connection, asana: Running, *, expires_in: timedelta, alias: str = "acme") -> int:
    """Connect as the first admin, with a token that ends in `expires_in`; return the connection's id."""
    credential = Credential(f"oauth:{alias}", "oauth", asana.organization.admins()[0])
    granted = asana.look.credentials
    return await save(
        console,
        asana,
        alias,
        access_token=granted.access_token(credential),
        refresh_token=granted.refresh_token(credential),
        expires_at=datetime.now(UTC) + expires_in,
    )


async def save(
    console: Connection, asana: Running, alias: str, *, access_token: str, refresh_token: str, expires_at: datetime
) -> int:
    async with console.transaction():
        connection_id = await connections.save(
            console,
            alias=alias,
            base_url=asana.url,
            client_id=asana.client_id,
            client_secret_sealed=SEALING.seal(asana.client_secret, connection_row(alias, "client_secret")),
            requests_per_minute=None,
        )
        grant = SealedGrant(
            kind="oauth",
            user_gid=asana.organization.admins()[0].gid,
            access_token=SEALING.seal(access_token, credential_row(alias, "oauth", "access_token")),
            refresh_token=SEALING.seal(refresh_token, credential_row(alias, "oauth", "refresh_token")),
            expires_at=expires_at,
        )
        await connections.keep_grant(console, connection_id, alias, grant, datetime.now(UTC))
    return connection_id


def tokens_of(database: Database, connection_id: int) -> Tokens:
    """One process's view of the connection."""
    url = database.url("worker")
    return Tokens(lambda: open_connection(url), connection_id, SEALING)


async def events(console: Connection) -> list[str]:
    cursor = await console.execute("SELECT name FROM outbox WHERE channel = 'event' ORDER BY id")
    return [row[0] for row in await cursor.fetchall()]


async def test_a_good_token_is_read_once_and_asana_is_not_asked(
    console: Connection, database: Database, asana: Running
) -> None:
    mine = tokens_of(database, await connect(console, asana, expires_in=timedelta(hours=1)))
    first = await mine.token()
    await console.execute("UPDATE credential SET access_token_sealed = 'gone'")
    assert await mine.token() == first
    assert asana.requests.by_route[REFRESH] == 0


async def test_many_who_meet_an_expired_token_refresh_it_once(
    console: Connection, database: Database, asana: Running
) -> None:
    asana.look.oauth.rotates = True  # a second refresh with the old refresh token would be refused
    connection_id = await connect(console, asana, expires_in=timedelta(0))
    everybody = [tokens_of(database, connection_id) for _ in range(12)]
    got = await asyncio.gather(*(one.token() for one in everybody for _ in range(3)))
    assert len(set(got)) == 1
    assert asana.requests.by_route[REFRESH] == 1
    assert (await everybody[0].token()) == got[0]


async def test_processes_refresh_once(console: Connection, database: Database, asana: Running) -> None:
    connection_id = await connect(console, asana, expires_in=timedelta(seconds=-1))
    program = (
        "import asyncio, sys; from connections.sealing import Sealing; from connections.tokens import Tokens;"
        "from store.connect import open_connection; url, key, number = sys.argv[1:];"
        "tokens = Tokens(lambda: open_connection(url), int(number), Sealing([key]));"
        "sys.stdin.readline(); print(asyncio.run(tokens.token()))"
    )
    arguments = (sys.executable, "-c", program, database.url("worker"), KEY, str(connection_id))
    pipe = asyncio.subprocess.PIPE
    processes = [await asyncio.create_subprocess_exec(*arguments, cwd=ROOT, stdin=pipe, stdout=pipe) for _ in range(3)]
    answers = await asyncio.gather(*(process.communicate(b"\n") for process in processes))
    assert len({out for out, _ in answers}) == 1
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert asana.requests.by_route[REFRESH] == 1


async def test_a_token_that_asana_refused_is_renewed_once_for_all(
    console: Connection, database: Database, asana: Running
) -> None:
    connection_id = await connect(console, asana, expires_in=timedelta(hours=1))
    one, other = tokens_of(database, connection_id), tokens_of(database, connection_id)
    refused = await one.token()
    assert await other.token() == refused
    renewed = await asyncio.gather(one.renew(refused), one.renew(refused), other.renew(refused))
    assert len(set(renewed)) == 1
    assert refused not in renewed
    assert asana.requests.by_route[REFRESH] == 1


async def test_a_lost_grant_is_said_once(console: Connection, database: Database, asana: Running) -> None:
    connection_id = await connect(console, asana, expires_in=timedelta(0))
    credential = await connections.credential_of(console, connection_id)
    assert credential is not None
    assert credential.refresh_token_sealed is not None
    row = credential_row("acme", "oauth", "refresh_token")
    asana.look.credentials.revoke(SEALING.open(credential.refresh_token_sealed, row))
    for _ in range(2):
        with pytest.raises(ConnectionIsLost, match=r"run `./seats connect acme` again"):
            await tokens_of(database, connection_id).token()
    lost = await connections.credential_of(console, connection_id)
    assert lost is not None
    assert (lost.state, lost.lost_reason) == (
        "reconnect_needed",
        "Asana does not accept the refresh token any more",
    )
    assert await events(console) == ["ConnectionRestored", "ConnectionLost"]
    assert asana.requests.by_route[REFRESH] == 1


async def test_connecting_again_in_the_moment_of_the_refusal_saves_the_connection(
    console: Connection, database: Database, asana: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection_id = await connect(console, asana, expires_in=timedelta(0))
    mine, asked = tokens_of(database, connection_id), 0

    async def refused_at_first(base_url: str, app: App, refresh_token: str) -> Grant:
        nonlocal asked
        asked += 1
        if asked == 1:
            reconnecting.append(asyncio.create_task(connect(console, asana, expires_in=timedelta(hours=1))))
            await asyncio.sleep(0.1)  # it waits for the row that the refresh has locked
            raise GrantLost
        return await refresh(base_url, app, refresh_token)

    reconnecting: list[asyncio.Task[int]] = []
    monkeypatch.setattr(tokens, "refresh", refused_at_first)
    assert await mine.token()
    assert await reconnecting[0] == connection_id
    assert await events(console) == ["ConnectionRestored", "ConnectionRestored"]


async def test_asana_in_trouble_loses_nothing(console: Connection, database: Database, asana: Running) -> None:
    connection_id = await connect(console, asana, expires_in=timedelta(0))
    asana.faults.add("close", route="/-/oauth_token", times=1)
    with pytest.raises(Unreachable):
        await tokens_of(database, connection_id).token()
    assert await events(console) == ["ConnectionRestored"]
    assert await tokens_of(database, connection_id).token()


async def test_a_refresh_ends_in_time_though_another_holds_the_row(
    console: Connection, database: Database, asana: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "IN_ALL", 0.5)
    connection_id = await connect(console, asana, expires_in=timedelta(0))
    async with console.transaction():
        await connections.credential_of(console, connection_id, lock=True)
        with pytest.raises(Unreachable, match=r"within 0\.5 seconds"):
            await tokens_of(database, connection_id).token()
    assert asana.requests.by_route[REFRESH] == 0


async def test_a_wrong_client_secret_loses_nothing(console: Connection, database: Database, asana: Running) -> None:
    connection_id = await connect(console, asana, expires_in=timedelta(0))
    asana.look.app.client_secret = "another"
    with pytest.raises(NotAuthorized, match="client id and secret"):
        await tokens_of(database, connection_id).token()
    assert await events(console) == ["ConnectionRestored"]


async def test_a_personal_token_that_is_refused_is_lost(
    console: Connection, database: Database, asana: Running
) -> None:
    connection_id = await connections.save(
        console, alias="pat", base_url=asana.url, client_id=None, client_secret_sealed=None, requests_per_minute=None
    )
    grant = SealedGrant(
        kind="personal_access_token",
        user_gid="1",
        access_token=SEALING.seal("2/wrong", credential_row("pat", "personal_access_token", "access_token")),
    )
    await connections.keep_grant(console, connection_id, "pat", grant, datetime.now(UTC))
    url = database.url("worker")
    async with open_asana(lambda: open_connection(url), connection_id, SEALING) as opened:
        with pytest.raises(ConnectionIsLost, match="does not accept the token"):
            await opened.client.me()
    assert await events(console) == ["ConnectionRestored", "ConnectionLost"]


async def test_a_token_from_another_row_is_refused(console: Connection, database: Database, asana: Running) -> None:
    await connect(console, asana, expires_in=timedelta(hours=1))
    other = await connect(console, asana, expires_in=timedelta(hours=1), alias="other")
    await console.execute(
        """UPDATE credential SET access_token_sealed = (SELECT r.access_token_sealed FROM credential r
             JOIN connection c ON c.id = r.connection_id WHERE c.alias = 'acme') WHERE connection_id = %s""",
        [other],
    )
    with pytest.raises(SealBroken, match="credential/other/oauth/access_token"):
        await tokens_of(database, other).token()


async def test_one_shared_asana_for_a_connection_until_somebody_else_connects(
    console: Connection, database: Database, asana: Running
) -> None:
    url = database.url("worker")
    shared = SharedAsana(lambda: open_connection(url), SEALING)
    with pytest.raises(NotConnected):
        await shared.of(4711)
    connection_id = await connect(console, asana, expires_in=timedelta(hours=1))
    first, second = await asyncio.gather(shared.of(connection_id), shared.of(connection_id))
    assert first is second
    assert (await first.client.me()).gid == first.own_gid
    await console.execute("UPDATE credential SET user_gid = '77'")
    assert (await shared.of(connection_id)).own_gid == "77"
    await shared.aclose()


async def test_no_secret_in_reprs(console: Connection, database: Database, asana: Running) -> None:
    connection_id = await connect(console, asana, expires_in=timedelta(hours=1))
    credential = await connections.credential_of(console, connection_id)
    known = await connections.by_id(console, connection_id)
    mine = tokens_of(database, connection_id)
    token = await mine.token()
    shown = f"{credential!r} {known!r} {mine!r} {tokens.app_of(known, SEALING)!r}" if known else ""
    assert shown
    for secret in (token, asana.client_secret, "gAAAA"):
        assert secret not in shown
