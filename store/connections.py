"""Connections to Asana and their credentials: what is kept of them. Secrets come here sealed and leave sealed."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import uuid4

from psycopg import sql
from psycopg.rows import class_row

from messages.events import ConnectionLost, ConnectionRestored
from store.connect import Connection
from store.outbox import say

CredentialKind = Literal["oauth", "personal_access_token", "service_account"]

_CONNECTION = sql.SQL(
    "SELECT id, alias, base_url, client_id, client_secret_sealed, requests_per_minute, created_at FROM connection "
)
_CREDENTIAL = sql.SQL(
    """SELECT r.id, r.connection_id, c.alias, r.kind, r.state, r.user_gid, r.access_token_sealed,
              r.refresh_token_sealed, r.expires_at, r.lost_reason, r.connected_at
         FROM credential r JOIN connection c ON c.id = r.connection_id
        WHERE r.connection_id = %s AND r.kind IN ('oauth', 'personal_access_token') """
)


@dataclass(frozen=True, slots=True)
class AsanaConnection:
    """One alias: where Asana is, which OAuth application we are, and how fast we may ask."""

    id: int
    alias: str
    base_url: str
    client_id: str | None
    client_secret_sealed: bytes | None = field(repr=False)
    requests_per_minute: int | None
    """None is unlimited, which only a loopback address may be."""
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Credential:
    """What a person of Asana granted to a connection."""

    id: int
    connection_id: int
    alias: str
    kind: CredentialKind
    state: Literal["connected", "reconnect_needed"]
    user_gid: str
    access_token_sealed: bytes = field(repr=False)
    refresh_token_sealed: bytes | None = field(repr=False)
    expires_at: datetime | None
    lost_reason: str | None
    connected_at: datetime

    @property
    def subject(self) -> str:
        """The subject of the connection's events."""
        return f"connection/{self.alias}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedGrant:
    """A new credential, sealed for its row. OAuth has a refresh token and an end."""

    kind: CredentialKind
    user_gid: str
    access_token: bytes = field(repr=False)
    refresh_token: bytes | None = field(default=None, repr=False)
    expires_at: datetime | None = None


async def get(connection: Connection, alias: str) -> AsanaConnection | None:
    """Return the connection with this alias."""
    async with connection.cursor(row_factory=class_row(AsanaConnection)) as cursor:
        await cursor.execute(_CONNECTION + sql.SQL("WHERE alias = %s"), [alias])
        return await cursor.fetchone()


async def by_id(connection: Connection, connection_id: int) -> AsanaConnection | None:
    """Return the connection with this id."""
    async with connection.cursor(row_factory=class_row(AsanaConnection)) as cursor:
        await cursor.execute(_CONNECTION + sql.SQL("WHERE id = %s"), [connection_id])
        return await cursor.fetchone()


async def save(
    connection: Connection,
    *,
    alias: str,
    base_url: str,
    client_id: str | None,
    client_secret_sealed: bytes | None,
    requests_per_minute: int | None,
) -> int:
    """Make the connection or change it; return its id."""
    cursor = await connection.execute(
        """INSERT INTO connection (alias, base_url, client_id, client_secret_sealed, requests_per_minute)
           VALUES (%s, %s, %s, %s, %s)
           ON CONFLICT (alias) DO UPDATE SET base_url = excluded.base_url, client_id = excluded.client_id,
               client_secret_sealed = excluded.client_secret_sealed,
               requests_per_minute = excluded.requests_per_minute
           RETURNING id""",
        [alias, base_url, client_id, client_secret_sealed, requests_per_minute],
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def credential_of(connection: Connection, connection_id: int, *, lock: bool = False) -> Credential | None:
    """Return the credential of a person that this connection calls with, its row locked if `lock`."""
    query = _CREDENTIAL + sql.SQL("ORDER BY r.connected_at DESC LIMIT 1" + (" FOR UPDATE OF r" if lock else ""))
    async with connection.cursor(row_factory=class_row(Credential)) as cursor:
        await cursor.execute(query, [connection_id])
        return await cursor.fetchone()


async def limit_this_transaction(connection: Connection, seconds: float) -> None:
    """Let no statement of this transaction, nor its wait for a lock, take longer."""
    await connection.execute(
        "SELECT set_config('lock_timeout', %(limit)s, true), set_config('statement_timeout', %(limit)s, true)",
        {"limit": f"{int(seconds * 1000)}ms"},
    )


async def keep_grant(connection: Connection, connection_id: int, alias: str, grant: SealedGrant, now: datetime) -> None:
    """Keep a new credential in place of the person's old one, and say that the connection works again."""
    await connection.execute(
        """DELETE FROM credential
            WHERE connection_id = %s AND kind IN ('oauth', 'personal_access_token') AND kind <> %s""",
        [connection_id, grant.kind],
    )
    await connection.execute(
        """INSERT INTO credential (connection_id, kind, state, user_gid, access_token_sealed, refresh_token_sealed,
                                   expires_at, connected_at)
           VALUES (%s, %s, 'connected', %s, %s, %s, %s, %s)
           ON CONFLICT (connection_id, kind) DO UPDATE SET state = 'connected', user_gid = excluded.user_gid,
               access_token_sealed = excluded.access_token_sealed,
               refresh_token_sealed = excluded.refresh_token_sealed, expires_at = excluded.expires_at,
               connected_at = excluded.connected_at, lost_reason = NULL""",
        [connection_id, grant.kind, grant.user_gid, grant.access_token, grant.refresh_token, grant.expires_at, now],
    )
    await _say(connection, ConnectionRestored(connection=alias), f"connection/{alias}", now)


async def keep_refreshed(
    connection: Connection,
    credential_id: int,
    *,
    access_token_sealed: bytes,
    refresh_token_sealed: bytes,
    expires_at: datetime,
) -> None:
    """Keep what a refresh gave."""
    await connection.execute(
        """UPDATE credential SET access_token_sealed = %s, refresh_token_sealed = %s, expires_at = %s WHERE id = %s""",
        [access_token_sealed, refresh_token_sealed, expires_at, credential_id],
    )


async def lose(connection: Connection, credential: Credential, reason: str, now: datetime) -> None:
    """Remember that Asana refuses this credential, and say so once; nothing happens if it was replaced meanwhile."""
    done = await connection.execute(
        """UPDATE credential SET state = 'reconnect_needed', lost_reason = %s
            WHERE id = %s AND state = 'connected' AND access_token_sealed = %s""",
        [reason, credential.id, credential.access_token_sealed],
    )
    if done.rowcount == 1:
        lost = ConnectionLost(connection=credential.alias, reason=reason)
        await _say(connection, lost, credential.subject, now)


async def _say(connection: Connection, event: ConnectionLost | ConnectionRestored, subject: str, now: datetime) -> None:
    await say(connection, event, subject=subject, profile_id=None, correlation_id=uuid4(), now=now)
