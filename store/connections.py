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

Holder = Literal["person", "service"]
"""Whose credential: the person's who connected, or that of an organization's service account."""

_CONNECTION = sql.SQL(
    """SELECT c.id, c.alias, c.base_url, coalesce(p.client_id, c.client_id) AS client_id,
              coalesce(p.client_secret_sealed, c.client_secret_sealed) AS client_secret_sealed,
              c.requests_per_minute, c.created_at, p.alias AS parent_alias
         FROM connection c LEFT JOIN connection p ON p.id = c.parent_id """
)
_CREDENTIAL = sql.SQL(
    """SELECT r.id, r.connection_id, c.alias, r.kind, r.state, r.user_gid, r.access_token_sealed,
              r.refresh_token_sealed, r.expires_at, r.lost_reason, r.connected_at
         FROM credential r JOIN connection c ON c.id = r.connection_id
        WHERE r.connection_id = %s AND (r.kind = 'service_account') = %s """
)


@dataclass(frozen=True, slots=True)
class AsanaConnection:
    """One alias: where Asana is, which OAuth application we are, and how fast we may ask.

    A child's application, client id and secret, is its parent's; its secret is sealed for the parent's row.
    """

    id: int
    alias: str
    base_url: str
    client_id: str | None
    client_secret_sealed: bytes | None = field(repr=False)
    requests_per_minute: int | None
    """None is unlimited, which only a loopback address may be."""
    created_at: datetime
    parent_alias: str | None

    @property
    def app_alias(self) -> str:
        """The alias that the application belongs to: the parent's for a child."""
        return self.parent_alias or self.alias


@dataclass(frozen=True, slots=True)
class Credential:
    """What a person, or an organization for its service account, granted to a connection."""

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


async def get(connection: Connection, alias: str, *, lock: bool = False) -> AsanaConnection | None:
    """Return the connection with this alias; its row locked if `lock`, so that no profile comes to stand on it."""
    query = _CONNECTION + sql.SQL("WHERE c.alias = %s" + (" FOR UPDATE OF c" if lock else ""))
    async with connection.cursor(row_factory=class_row(AsanaConnection)) as cursor:
        await cursor.execute(query, [alias])
        return await cursor.fetchone()


async def by_id(connection: Connection, connection_id: int) -> AsanaConnection | None:
    """Return the connection with this id."""
    async with connection.cursor(row_factory=class_row(AsanaConnection)) as cursor:
        await cursor.execute(_CONNECTION + sql.SQL("WHERE c.id = %s"), [connection_id])
        return await cursor.fetchone()


async def save(
    connection: Connection,
    *,
    alias: str,
    base_url: str,
    client_id: str | None,
    client_secret_sealed: bytes | None,
    requests_per_minute: int | None,
    parent_id: int | None = None,
    keep_app: bool = False,
) -> int:
    """Make the connection or change it; return its id. A child, with `parent_id`, has no application of its own.

    With `keep_app` the application and the parent of a connection that is there stay what they are.
    """
    cursor = await connection.execute(
        """INSERT INTO connection (alias, base_url, client_id, client_secret_sealed, requests_per_minute, parent_id)
           VALUES (%s, %s, %s, %s, %s, %s)
           ON CONFLICT (alias) DO UPDATE SET base_url = excluded.base_url,
               requests_per_minute = excluded.requests_per_minute,
               client_id = CASE WHEN %s THEN connection.client_id ELSE excluded.client_id END,
               client_secret_sealed = CASE WHEN %s THEN connection.client_secret_sealed
                                           ELSE excluded.client_secret_sealed END,
               parent_id = CASE WHEN %s THEN connection.parent_id ELSE excluded.parent_id END
           RETURNING id""",
        [alias, base_url, client_id, client_secret_sealed, requests_per_minute, parent_id, *[keep_app] * 3],
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def children_of(connection: Connection, connection_id: int) -> list[str]:
    """Return the aliases that use this connection's application."""
    cursor = await connection.execute(
        "SELECT alias FROM connection WHERE parent_id = %s ORDER BY alias", [connection_id]
    )
    return [row[0] for row in await cursor.fetchall()]


async def credential_of(
    connection: Connection, connection_id: int, holder: Holder = "person", *, lock: bool = False
) -> Credential | None:
    """Return the credential of a connection's person or of its service account; its row locked if `lock`."""
    query = _CREDENTIAL + sql.SQL("ORDER BY r.connected_at DESC LIMIT 1" + (" FOR UPDATE OF r" if lock else ""))
    async with connection.cursor(row_factory=class_row(Credential)) as cursor:
        await cursor.execute(query, [connection_id, holder == "service"])
        return await cursor.fetchone()


async def limit_this_transaction(connection: Connection, seconds: float) -> None:
    """Let no statement of this transaction, nor its wait for a lock, take longer."""
    await connection.execute(
        "SELECT set_config('lock_timeout', %(limit)s, true), set_config('statement_timeout', %(limit)s, true)",
        {"limit": f"{int(seconds * 1000)}ms"},
    )


async def keep_grant(connection: Connection, connection_id: int, alias: str, grant: SealedGrant, now: datetime) -> None:
    """Keep a new credential in place of its holder's old one, and say that the connection works again.

    The service account's stands beside the person's.
    """
    if grant.kind != "service_account":
        await connection.execute(
            "DELETE FROM credential WHERE connection_id = %s AND kind NOT IN ('service_account', %s)",
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
