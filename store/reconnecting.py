"""What is looked at once more in the transaction that saves a connection: who stands on it, who has the same token."""

from dataclasses import dataclass, field

from psycopg.rows import class_row

from store.connect import Connection
from store.connections import CredentialKind


@dataclass(frozen=True, slots=True)
class SealedToken:
    """The access token of a credential, the alias and kind that it was sealed for, and whose app the alias uses."""

    alias: str
    app_alias: str
    kind: CredentialKind
    sealed: bytes = field(repr=False)


async def let_nobody_else_connect(connection: Connection) -> None:
    """Until this transaction ends, no other one makes or changes a connection; all of them can be read."""
    await connection.execute("LOCK TABLE connection IN SHARE ROW EXCLUSIVE MODE")


async def organizations_on(connection: Connection, connection_id: int) -> list[tuple[str, str, str]]:
    """Return name, organization gid and organization name of each living profile on a connection."""
    cursor = await connection.execute(
        """SELECT name, organization_gid, coalesce(organization_name, '') FROM profile
            WHERE connection_id = %s AND status <> 'deleted' AND organization_gid IS NOT NULL ORDER BY name""",
        [connection_id],
    )
    return [(str(row[0]), str(row[1]), str(row[2])) for row in await cursor.fetchall()]


async def tokens_at(connection: Connection, base_url: str) -> list[SealedToken]:
    """Return the access token of every credential for one Asana."""
    async with connection.cursor(row_factory=class_row(SealedToken)) as cursor:
        await cursor.execute(
            """SELECT c.alias, coalesce(p.alias, c.alias) AS app_alias, r.kind, r.access_token_sealed AS sealed
                 FROM credential r JOIN connection c ON c.id = r.connection_id
                      LEFT JOIN connection p ON p.id = c.parent_id
                WHERE c.base_url = %s ORDER BY c.alias, r.kind""",
            [base_url],
        )
        return await cursor.fetchall()
