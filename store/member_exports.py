"""What Asana's admin console exports of its members, imported by hand: each import, and what it says of each person.

A line with a date is an act, with its line as the proof. A line without one is a person who never used Asana. Both
claim that the person was seen completely from joining to the export, and nothing later. No name or e-mail is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from rules.evidence import Source
from rules.member_import import Member, Told
from store import activity
from store.activity import Claimed
from store.connect import Connection

SOURCE: Source = "member_export"
ACT = "last_activity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One import: the file by its SHA-256, until when it speaks (aware), and how many of its people we know."""

    id: int
    file_sha256: bytes
    exported_at: datetime
    imported_at: datetime
    imported_by: str
    people: int
    matched: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A file that is to be imported."""

    file_sha256: bytes
    exported_at: datetime
    people: int
    matched: int
    by: str


async def known_people(connection: Connection, profile_id: int) -> list[Member]:
    """Return everybody who has a seat now and whose e-mail is known."""
    async with connection.cursor(row_factory=class_row(Member)) as cursor:
        await cursor.execute(
            """SELECT s.id AS subscription_id, s.user_gid, n.email, s.joined_at, o.acted_at AS last_act_at
                 FROM subscription s JOIN person n USING (profile_id, user_gid)
                 LEFT JOIN LATERAL (SELECT acted_at FROM observation o
                                     WHERE o.profile_id = s.profile_id AND o.subscription_id = s.id
                                       AND o.source <> 'member_export' ORDER BY acted_at DESC LIMIT 1) AS o ON true
                WHERE s.profile_id = %s AND s.state = 'active' AND n.email IS NOT NULL ORDER BY s.id""",
            [profile_id],
        )
        return await cursor.fetchall()


async def of_profile(connection: Connection, profile_id: int) -> list[Import]:
    """Return the imports of a profile, the one that speaks of the latest moment first."""
    async with connection.cursor(row_factory=class_row(Import)) as cursor:
        await cursor.execute(
            """SELECT id, file_sha256, exported_at, imported_at, imported_by, people, matched
                 FROM member_export WHERE profile_id = %s ORDER BY exported_at DESC, id DESC""",
            [profile_id],
        )
        return await cursor.fetchall()


async def keep(connection: Connection, profile_id: int, draft: Draft, told: Sequence[Told], now: datetime) -> int:
    """Keep an import with what it says of each person, in the caller's transaction; return its id.

    psycopg.errors.UniqueViolation where the same file was imported already.
    """
    cursor = await connection.execute(
        """INSERT INTO member_export (profile_id, file_sha256, exported_at, imported_at, imported_by, people, matched)
           VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id""",
        [profile_id, draft.file_sha256, draft.exported_at, now, draft.by, draft.people, draft.matched],
    )
    row = await cursor.fetchone()
    assert row is not None
    number = int(row[0])
    acts = [
        (one.subscription_id, ACT, one.last_activity_at, f"member_export/{number}/line/{one.line}")
        for one in told
        if one.last_activity_at is not None
    ]
    await activity.add_acts(connection, profile_id, acts, now, source=SOURCE)
    whole = [one for one in told if one.whole]
    claimed = [Claimed(one.subscription_id, one.joined_at, draft.exported_at) for one in whole]  # joined later: nothing
    await activity.claim(connection, profile_id, SOURCE, claimed, now)
    return number
