"""Every sealed value of the database, and its exchange for the same value under another key.

The exchange compares with what was read (compare-and-set): a worker that refreshed a token meanwhile wins, and its new
value is looked at in the next pass.
"""

from dataclasses import dataclass, field
from typing import Literal, LiteralString

from psycopg.rows import class_row

from store.connect import Connection

Place = Literal["client_secret", "access_token", "refresh_token", "code"]

_ALL = """
SELECT 'client_secret' AS place, id::text AS key, alias, '' AS kind, client_secret_sealed AS sealed
  FROM connection WHERE client_secret_sealed IS NOT NULL
UNION ALL
SELECT one.place, r.id::text, c.alias, r.kind, one.sealed
  FROM credential r JOIN connection c ON c.id = r.connection_id,
       LATERAL (VALUES ('access_token', r.access_token_sealed), ('refresh_token', r.refresh_token_sealed))
               AS one (place, sealed)
 WHERE one.sealed IS NOT NULL
UNION ALL
SELECT 'code', encode(state_sha256, 'hex'), alias, '', code_sealed
  FROM authorization_request WHERE code_sealed IS NOT NULL
 ORDER BY 3, 4, 1, 2
"""
_EXCHANGE: dict[Place, LiteralString] = {
    "client_secret": """UPDATE connection SET client_secret_sealed = %s
                WHERE id = %s::bigint AND client_secret_sealed = %s""",
    "access_token": """UPDATE credential SET access_token_sealed = %s
                WHERE id = %s::bigint AND access_token_sealed = %s""",
    "refresh_token": """UPDATE credential SET refresh_token_sealed = %s
                WHERE id = %s::bigint AND refresh_token_sealed = %s""",
    "code": """UPDATE authorization_request SET code_sealed = %s
                WHERE state_sha256 = decode(%s, 'hex') AND code_sealed = %s""",
}


@dataclass(frozen=True, slots=True)
class SealedValue:
    """One sealed value and where it stands; `kind` is the credential's, `key` the row's."""

    place: Place
    key: str
    alias: str
    kind: str
    sealed: bytes = field(repr=False)


async def sealed_values(connection: Connection) -> list[SealedValue]:
    """Return every sealed value that there is."""
    async with connection.cursor(row_factory=class_row(SealedValue)) as cursor:
        await cursor.execute(_ALL)
        return await cursor.fetchall()


async def exchange(connection: Connection, value: SealedValue, sealed: bytes) -> bool:
    """Put `sealed` in the place of what was read and return True; False if something else stands there by now."""
    done = await connection.execute(_EXCHANGE[value.place], [sealed, value.key, value.sealed])
    return done.rowcount == 1
