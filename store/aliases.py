"""Every connection as an operator sees it: its application, its credentials, its profiles; no secret of any."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from store.connect import Connection


@dataclass(frozen=True, slots=True)
class Alias:
    """One connection. Each credential has its place in all of `kinds`, `user_gids`, `reasons` and `connected_at`."""

    alias: str
    parent: str | None
    base_url: str
    client_id: str | None
    requests_per_minute: int | None
    profiles: list[str]
    kinds: list[str]
    user_gids: list[str]
    reasons: list[str | None]
    """Why the credential is lost; None while it works."""
    connected_at: list[datetime]


async def every_alias(connection: Connection) -> list[Alias]:
    """Return every connection, by alias."""
    async with connection.cursor(row_factory=class_row(Alias)) as cursor:
        await cursor.execute(
            """SELECT c.alias, p.alias AS parent, c.base_url, coalesce(p.client_id, c.client_id) AS client_id,
                      c.requests_per_minute, ARRAY(SELECT name FROM profile
                           WHERE connection_id = c.id AND status <> 'deleted' ORDER BY name) AS profiles,
                      r.kinds, r.user_gids, r.reasons, r.connected_at
                 FROM connection c LEFT JOIN connection p ON p.id = c.parent_id,
                      LATERAL (SELECT coalesce(array_agg(kind ORDER BY kind), '{}') AS kinds,
                                      coalesce(array_agg(user_gid::text ORDER BY kind), '{}') AS user_gids,
                                      coalesce(array_agg(lost_reason ORDER BY kind), '{}') AS reasons,
                                      coalesce(array_agg(connected_at ORDER BY kind), '{}') AS connected_at
                                 FROM credential WHERE connection_id = c.id) r
                ORDER BY c.alias"""
        )
        return await cursor.fetchall()
