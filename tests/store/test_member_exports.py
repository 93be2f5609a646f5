"""Member exports in the database: acts with their line as proof, and coverage until the export."""

from datetime import timedelta

import psycopg
import pytest
from psycopg.types.multirange import Multirange

from rules.member_import import Told
from store import member_exports
from store.connect import open_connection
from store.member_exports import Draft
from tests.conftest import Database
from tests.rows import NOW, add_profile, count
from tests.store.people import JOINED, acme, add_subscription

pytestmark = [pytest.mark.anyio, pytest.mark.services]

DAY = timedelta(days=1)
EXPORTED = NOW - DAY


def draft(sha256: bytes = b"a" * 32) -> Draft:
    return Draft(file_sha256=sha256, exported_at=EXPORTED, people=3, matched=2, by="ann")


async def test_what_an_import_keeps(database: Database) -> None:
    async with acme(database) as (owner, profile), open_connection(database.url("console")) as console:
        dated, never, odd = [await add_subscription(owner, profile, gid) for gid in ("1", "2", "3")]
        late = await add_subscription(owner, profile, "4", joined_at=NOW)
        told = [
            Told(dated, JOINED, 2, NOW - 9 * DAY, whole=True),
            Told(never, JOINED, 3, None, whole=True),
            Told(odd, JOINED, 4, NOW - 8 * DAY, whole=False),
            Told(late, NOW, 5, None, whole=True),
        ]
        async with console.transaction():
            number = await member_exports.keep(console, profile, draft(), told, NOW)
        cursor = await owner.execute("SELECT subscription_id, source, act, acted_at, proof FROM observation ORDER BY 1")
        assert await cursor.fetchall() == [
            (dated, "member_export", "last_activity", NOW - 9 * DAY, f"member_export/{number}/line/2"),
            (odd, "member_export", "last_activity", NOW - 8 * DAY, f"member_export/{number}/line/4"),
        ]
        cursor = await owner.execute("SELECT subscription_id, source, covered, pulled_at FROM coverage ORDER BY 1")
        rows = await cursor.fetchall()
        assert [(row[0], row[1], row[3]) for row in rows] == [
            (dated, "member_export", NOW),
            (never, "member_export", NOW),
            (late, "member_export", NOW),
        ]
        assert not rows[2][2], "who joined after the export is asked about, and nothing is claimed"
        windows = rows[0][2]
        assert isinstance(windows, Multirange)
        assert [(window.lower, window.upper) for window in windows] == [(JOINED, EXPORTED)]
        (kept,) = await member_exports.of_profile(console, profile)
        assert (kept.id, kept.exported_at, kept.imported_by, kept.matched) == (number, EXPORTED, "ann", 2)


async def test_the_same_file_is_kept_once_for_each_profile(database: Database) -> None:
    async with acme(database) as (owner, profile):
        await member_exports.keep(owner, profile, draft(), [], NOW)
        with pytest.raises(psycopg.errors.UniqueViolation):
            await member_exports.keep(owner, profile, draft(), [], NOW)
        other = await add_profile(owner, "other")
        await member_exports.keep(owner, other, draft(), [], NOW)
        assert await count(owner, "member_export") == 2


async def test_the_known_are_those_with_a_seat_and_an_address_and_what_others_saw_of_them(database: Database) -> None:
    async with acme(database) as (owner, profile):
        mara, _, gone = [await add_subscription(owner, profile, gid) for gid in ("1", "2", "3")]
        await owner.execute(
            "INSERT INTO person VALUES (%(p)s, '1', 'Mara', 'mara@x.com'), (%(p)s, '2', 'Ola', NULL),"
            " (%(p)s, '3', 'Gone', 'gone@x.com')",
            {"p": profile},
        )
        await owner.execute(
            "UPDATE subscription SET state = 'gone', gone_at = %s, gone_because = 'missing' WHERE id = %s", [NOW, gone]
        )
        await owner.execute(
            """INSERT INTO observation VALUES
               (%(p)s, %(s)s, 'tasks', 'x', %(seen)s, 'task/1', %(now)s),
               (%(p)s, %(s)s, 'member_export', 'x', %(now)s, 'member_export/1/line/1', %(now)s)""",
            {"p": profile, "s": mara, "seen": NOW - 4 * DAY, "now": NOW},
        )
        (known,) = await member_exports.known_people(owner, profile)
        assert (known.subscription_id, known.email, known.last_act_at) == (mara, "mara@x.com", NOW - 4 * DAY)
