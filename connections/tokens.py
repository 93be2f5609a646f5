"""A token that Asana accepts, one refresh at a time across all processes.

The refresh is the only call to Asana that we make inside a transaction. It locks the credential's row on a database
connection of its own, reads it again (another process may have refreshed while we waited for the lock), asks Asana,
writes and commits; ten seconds in all. So fifty processes that meet an expired token make one call: the other
forty-nine find the new token once they hold the lock. When Asana refuses the refresh token, the row is read once more,
because an operator may have connected again meanwhile; only then does the connection count as lost.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import psycopg

from asana_api.errors import GrantLost, Unreachable
from asana_api.oauth import App, refresh
from connections.flight import Connect
from connections.sealing import Sealing, connection_row, credential_row
from store import connections
from store.connect import Connection
from store.connections import AsanaConnection, Credential, CredentialKind, Holder

EARLY = timedelta(minutes=2)
"""How long before its end a token is not used any more; of a short-lived one, the second half of its life."""
IN_ALL = 10.0
"""Seconds for a refresh, from waiting for the row to the commit."""


class NotConnected(Exception):
    """The connection has no credential."""


class ConnectionIsLost(Exception):
    """Asana does not accept the connection's credential any more; an operator has to connect again."""

    def __init__(self, alias: str, reason: str) -> None:
        """`reason` is a sentence without any secret."""
        super().__init__(f"connection {alias}: {reason}; run `./seats connect {alias}` again")
        self.alias, self.reason = alias, reason


def _now() -> datetime:
    return datetime.now(UTC)


_REFUSED: dict[CredentialKind, str] = {
    "oauth": "the refresh token any more",
    "personal_access_token": "the token",
    "service_account": "the service account's token",
}


@dataclass(frozen=True, slots=True)
class _Usable:
    """A token, and until when it is used: None for one that does not end by itself."""

    token: str = field(repr=False)
    until: datetime | None


def _early(lifetime: timedelta) -> timedelta:
    return min(EARLY, max(lifetime, timedelta(0)) / 2)


class Tokens:
    """The access token of one connection's person or service account, in one event loop."""

    def __init__(
        self,
        connect: Connect,
        connection_id: int,
        sealing: Sealing,
        *,
        holder: Holder = "person",
        clock: Callable[[], datetime] = _now,
    ) -> None:
        """`connect` must be able to give a second connection while the caller holds one."""
        self._connect, self._connection_id, self._sealing, self._clock = connect, connection_id, sealing, clock
        self._holder: Holder = holder
        self._one_at_a_time = asyncio.Lock()
        self._kept: _Usable | None = None

    async def token(self) -> str:
        """Return a token that has not expired; raise ConnectionIsLost, NotConnected, or TryLater of Asana's errors."""
        return await self._token(refused=None)

    async def renew(self, refused: str) -> str:
        """Return another token than the one that Asana just refused with 401; raises like `token`."""
        return await self._token(refused)

    async def _token(self, refused: str | None) -> str:
        async with self._one_at_a_time:
            if self._kept is None or self._kept.token == refused or self._is_over(self._kept.until):
                self._kept = await self._read_or_refresh(refused)
            return self._kept.token

    def _is_over(self, until: datetime | None) -> bool:
        return until is not None and until <= self._clock()

    async def _read_or_refresh(self, refused: str | None) -> "_Usable":
        async with self._connect() as connection:
            _, credential = await self._rows(connection, lock=False)
            usable = self._usable(credential, refused)
        if usable is not None:
            return usable
        return await self._refresh(refused)

    def _until(self, credential: Credential) -> datetime | None:
        """Return until when the stored token is used. It was sealed when it was granted, or later: keys rotate."""
        ends_at = credential.expires_at
        if ends_at is None or ends_at <= self._clock() or ends_at - EARLY > self._clock():
            return ends_at and ends_at - EARLY
        sealed_at = self._sealing.sealed_at(credential.access_token_sealed)
        return ends_at - _early(ends_at - sealed_at if sealed_at else 2 * EARLY)

    def _usable(self, credential: Credential, refused: str | None) -> "_Usable | None":
        """Return the stored token, unless it ends soon or is the refused one; raise ConnectionIsLost."""
        if credential.state == "reconnect_needed":
            raise ConnectionIsLost(credential.alias, credential.lost_reason or "the credential is lost")
        until = self._until(credential)
        if self._is_over(until):
            return None
        row = credential_row(credential.alias, credential.kind, "access_token")
        token = self._sealing.open(credential.access_token_sealed, row)
        return None if token == refused else _Usable(token, until)

    async def _refresh(self, refused: str | None) -> "_Usable":
        try:
            async with asyncio.timeout(IN_ALL):
                tried: bytes | None = None
                while True:
                    try:
                        async with self._connect() as connection:
                            return await self._locked_refresh(connection, refused, tried)
                    except _RefusedByAsana as error:
                        tried = error.tried
        except (TimeoutError, psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled):
            raise Unreachable(f"the token could not be refreshed within {IN_ALL:g} seconds") from None

    async def _locked_refresh(self, connection: Connection, refused: str | None, tried: bytes | None) -> "_Usable":
        lost: ConnectionIsLost | None = None
        async with connection.transaction():
            await connections.limit_this_transaction(connection, IN_ALL)
            known, credential = await self._rows(connection, lock=True)
            usable = self._usable(credential, refused)
            if usable is not None:
                return usable
            # What does not end by itself has no refresh token, and was refused.
            if credential.refresh_token_sealed not in {tried, None}:
                return await self._ask_asana(connection, known, credential)
            lost = ConnectionIsLost(credential.alias, f"Asana does not accept {_REFUSED[credential.kind]}")
            # The row is locked: it is what was looked at, though it may have been sealed anew just before.
            await connections.lose(connection, credential, lost.reason, self._clock())
        raise lost

    async def _ask_asana(self, connection: Connection, known: AsanaConnection, credential: Credential) -> "_Usable":
        sealed, row = credential.refresh_token_sealed, credential_row(credential.alias, "oauth", "refresh_token")
        assert sealed is not None
        try:
            grant = await refresh(known.base_url, app_of(known, self._sealing), self._sealing.open(sealed, row))
        except GrantLost:
            raise _RefusedByAsana(sealed) from None
        lifetime = timedelta(seconds=grant.expires_in)
        expires_at = self._clock() + lifetime
        access_row = credential_row(credential.alias, "oauth", "access_token")
        await connections.keep_refreshed(
            connection,
            credential.id,
            access_token_sealed=self._sealing.seal(grant.access_token, access_row),
            refresh_token_sealed=self._sealing.seal(grant.refresh_token, row) if grant.refresh_token else sealed,
            expires_at=expires_at,
        )
        return _Usable(grant.access_token, expires_at - _early(lifetime))

    async def _rows(self, connection: Connection, *, lock: bool) -> tuple[AsanaConnection, Credential]:
        known = await connections.by_id(connection, self._connection_id)
        credential = await connections.credential_of(connection, self._connection_id, self._holder, lock=lock)
        if known is None or credential is None:
            raise NotConnected("the connection has no credential; run `./seats connect ALIAS` first")
        return known, credential


class _RefusedByAsana(Exception):
    """The refresh token that was tried is not accepted."""

    def __init__(self, tried: bytes) -> None:
        super().__init__("the refresh token is not accepted")
        self.tried = tried


def app_of(known: AsanaConnection, sealing: Sealing) -> App:
    """Return the OAuth application that a connection belongs to; raise SealBroken."""
    assert known.client_id is not None
    assert known.client_secret_sealed is not None
    secret = sealing.open(known.client_secret_sealed, connection_row(known.app_alias, "client_secret"))
    return App(known.client_id, secret)
