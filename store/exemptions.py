"""People who are never to be removed, whatever the rule says, and why."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from store.connect import Connection


@dataclass(frozen=True, slots=True)
class Exemption:
    """One exempt person; `until` is None for good. Name and e-mail are None where the person is not known yet."""

    user_gid: str
    name: str | None
    email: str | None
    reason: str
    until: datetime | None
    added_by: str
    added_at: datetime


async def add(
    connection: Connection,
    profile_id: int,
    user_gid: str,
    *,
    reason: str,
    until: datetime | None,
    by: str,
    now: datetime,
) -> None:
    """Exempt a person of a profile, or change the reason and the end of it."""
    await connection.execute(
        """INSERT INTO exemption (profile_id, user_gid, reason, until, added_by, added_at)
           VALUES (%s, %s, %s, %s, %s, %s)
           ON CONFLICT (profile_id, user_gid) DO UPDATE SET reason = excluded.reason, until = excluded.until,
               added_by = excluded.added_by, added_at = excluded.added_at""",
        [profile_id, user_gid, reason, until, by, now],
    )


async def remove(connection: Connection, profile_id: int, user_gid: str) -> bool:
    """End an exemption; False where there was none."""
    done = await connection.execute(
        "DELETE FROM exemption WHERE profile_id = %s AND user_gid = %s", [profile_id, user_gid]
    )
    return done.rowcount == 1


async def of_profile(connection: Connection, profile_id: int) -> list[Exemption]:
    """Return a profile's exemptions, the newest first."""
    async with connection.cursor(row_factory=class_row(Exemption)) as cursor:
        await cursor.execute(
            """SELECT e.user_gid, p.name, p.email, e.reason, e.until, e.added_by, e.added_at
                 FROM exemption e LEFT JOIN person p USING (profile_id, user_gid)
                WHERE e.profile_id = %s ORDER BY e.added_at DESC, e.user_gid""",
            [profile_id],
        )
        return await cursor.fetchall()
