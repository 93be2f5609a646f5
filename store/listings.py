"""What a download has listed so far, and the comparison at its end.

Get, transform, load, clean up: people come in by COPY into unlogged tables keyed by the run; only a complete listing is
compared with what is known (`download.sql`), in the transaction that ends the run. A partial listing never gets there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import LiteralString

from psycopg.rows import class_row

from store.connect import Connection
from store.runs import Run

_DOWNLOAD = Path(__file__).with_name("download.sql").read_bytes()
_WITHOUT_FIGURES = """SELECT set_config('enable_nestloop', 'off', true), set_config('jit', 'off', true),
                             set_config('work_mem', '64MB', true)"""
"""For the rest of the transaction: what is staged is new each time, the planner has no figures for it."""


@dataclass(frozen=True, slots=True)
class ListedMembership:
    """One membership as the listing gave it; `joined_at` is aware."""

    user_gid: str
    membership_gid: str
    is_active: bool
    is_admin: bool
    is_guest: bool
    is_view_only: bool
    joined_at: datetime


@dataclass(frozen=True, slots=True)
class ListedUser:
    """One user's name and e-mail as the listing gave them."""

    user_gid: str
    name: str | None
    email: str | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many people a listing has, and how many of the known ones it does not show.

    Of those who would be new and whom the listing of users does not have: `unasked` were not asked for by themselves
    yet, `unconfirmed` were, and have no membership or none that Asana tells.
    """

    memberships: int
    users: int
    seats: int
    contradictions: int
    known: int
    missing: int
    unasked: int
    unconfirmed: int


async def stage_memberships(
    connection: Connection, run: Run, rows: Iterable[ListedMembership], *, confirmed: bool = False
) -> None:
    """Add memberships to the run's listing; `confirmed` ones were asked for by themselves."""
    begin = f"{run.id}\t{confirmed}"
    await _copy(
        connection,
        """COPY listed_membership (run_id, confirmed, user_gid, membership_gid, is_active, is_admin, is_guest,
                                   is_view_only, joined_at) FROM STDIN""",
        [
            f"{begin}\t{_cell(row.user_gid)}\t{_cell(row.membership_gid)}\t{row.is_active}\t{row.is_admin}"
            f"\t{row.is_guest}\t{row.is_view_only}\t{row.joined_at.isoformat()}\n"
            for row in rows
        ],
    )


async def stage_users(connection: Connection, run: Run, rows: Iterable[ListedUser]) -> None:
    """Add users to the run's listing. A NUL, which Postgres cannot keep, is shown as U+FFFD."""
    await _copy(
        connection,
        "COPY listed_user (run_id, user_gid, name, email) FROM STDIN",
        [f"{run.id}\t{_cell(row.user_gid)}\t{_cell(row.name)}\t{_cell(row.email)}\n" for row in rows],
    )


async def wait_for_no_disk(connection: Connection) -> None:
    """Let this transaction's commit be quick: a crash of the server empties the unlogged listing, however it ends."""
    await connection.execute("SELECT set_config('synchronous_commit', 'off', true)")


_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\x00": "\ufffd"})


def _cell(text: str | None) -> str:
    """Give the text as COPY reads it."""
    if text is None:
        return "\\N"
    return text if text.isalnum() else text.translate(_ESCAPED)


async def _copy(connection: Connection, statement: LiteralString, lines: Sequence[str]) -> None:
    """Send the lines as one block: the server is busy with the statement only while it works, not while we write."""
    if lines:
        async with connection.cursor() as cursor, cursor.copy(statement) as copy:
            await copy.write("".join(lines))


async def stage_absences(connection: Connection, run: Run, user_gids: Sequence[str], *, proven: bool) -> None:
    """Note people who were asked for by themselves: proven to have no membership, or not to be told."""
    await connection.execute(
        "INSERT INTO asked_absence (run_id, user_gid, proven) SELECT %s, unnest(%s::text[]), %s ON CONFLICT DO NOTHING",
        [run.id, list(user_gids), proven],
    )


async def forget(connection: Connection, run: Run, table: str | None = None) -> None:
    """Drop what the run has listed: of one listing (`memberships`, `users`), or everything."""
    if table in {None, "memberships"}:
        await connection.execute("DELETE FROM listed_membership WHERE run_id = %s", [run.id])
        await connection.execute("DELETE FROM asked_absence WHERE run_id = %s", [run.id])
    if table in {None, "users"}:
        await connection.execute("DELETE FROM listed_user WHERE run_id = %s", [run.id])


async def compare(connection: Connection, run: Run) -> Comparison:
    """Count what the listing has, where it contradicts itself, and who of the known is missing from it."""
    await connection.execute(_WITHOUT_FIGURES)
    async with connection.cursor(row_factory=class_row(Comparison)) as cursor:
        await cursor.execute(
            """WITH seat AS MATERIALIZED (
                   SELECT user_gid, count(*) AS times, bool_or(confirmed) AS confirmed
                     FROM listed_membership WHERE run_id = %(run)s AND is_active GROUP BY user_gid
               ), contradiction AS (
                   SELECT FROM listed_membership m JOIN seat USING (user_gid)
                    WHERE m.run_id = %(run)s AND m.is_active AND NOT m.confirmed AND seat.times > 1
                    GROUP BY m.user_gid
                   HAVING count(DISTINCT (m.membership_gid, m.is_admin, m.is_guest, m.is_view_only, m.joined_at)) > 1
               ), known AS (
                   SELECT count(*) AS everybody, count(*) FILTER (WHERE seat.user_gid IS NULL) AS missing
                     FROM subscription s LEFT JOIN seat ON seat.user_gid = s.user_gid
                    WHERE s.profile_id = %(profile)s AND s.state = 'active'
               ), stranger AS (
                   SELECT count(*) FILTER (WHERE a.user_gid IS NULL) AS unasked, count(a.user_gid) AS unconfirmed
                     FROM seat LEFT JOIN asked_absence a ON a.run_id = %(run)s AND a.user_gid = seat.user_gid
                    WHERE NOT seat.confirmed
                      AND NOT EXISTS (SELECT FROM subscription s WHERE s.profile_id = %(profile)s
                                         AND s.state = 'active' AND s.user_gid = seat.user_gid)
                      AND NOT EXISTS (SELECT FROM listed_user u
                                       WHERE u.run_id = %(run)s AND u.user_gid = seat.user_gid)
               )
               SELECT (SELECT count(*) FROM listed_membership WHERE run_id = %(run)s AND NOT confirmed) AS memberships,
                      (SELECT count(*) FROM listed_user WHERE run_id = %(run)s) AS users,
                      (SELECT count(*) FROM seat) AS seats,
                      (SELECT count(*) FROM contradiction) AS contradictions,
                      everybody AS known, missing, unasked, unconfirmed
                 FROM known, stranger""",
            {"run": run.id, "profile": run.profile_id},
        )
        row = await cursor.fetchone()
    assert row is not None
    return row


async def to_confirm(connection: Connection, run: Run, limit: int) -> list[str]:
    """Return the gids of known people whom the listing does not show and who were not asked for yet."""
    await connection.execute(_WITHOUT_FIGURES)
    cursor = await connection.execute(
        """SELECT s.user_gid FROM subscription s
            WHERE s.profile_id = %(profile)s AND s.state = 'active'
              AND NOT EXISTS (SELECT FROM listed_membership l
                               WHERE l.run_id = %(run)s AND l.is_active AND l.user_gid = s.user_gid)
              AND NOT EXISTS (SELECT FROM asked_absence a WHERE a.run_id = %(run)s AND a.user_gid = s.user_gid)
            ORDER BY s.id LIMIT %(limit)s""",
        {"run": run.id, "profile": run.profile_id, "limit": limit},
    )
    return [row[0] for row in await cursor.fetchall()]


async def strangers(connection: Connection, run: Run, limit: int) -> list[str]:
    """Return the gids of people who would be new, are not among the users, and were not asked for yet."""
    await connection.execute(_WITHOUT_FIGURES)
    cursor = await connection.execute(
        """SELECT l.user_gid FROM listed_membership l
            WHERE l.run_id = %(run)s AND l.is_active
              AND NOT EXISTS (SELECT FROM subscription s WHERE s.profile_id = %(profile)s
                                 AND s.state = 'active' AND s.user_gid = l.user_gid)
              AND NOT EXISTS (SELECT FROM listed_user u WHERE u.run_id = %(run)s AND u.user_gid = l.user_gid)
              AND NOT EXISTS (SELECT FROM asked_absence a WHERE a.run_id = %(run)s AND a.user_gid = l.user_gid)
            GROUP BY l.user_gid HAVING NOT bool_or(l.confirmed)
            ORDER BY l.user_gid LIMIT %(limit)s""",
        {"run": run.id, "profile": run.profile_id, "limit": limit},
    )
    return [row[0] for row in await cursor.fetchall()]


async def merge(connection: Connection, run: Run, now: datetime) -> dict[str, int]:
    """Make the complete listing the truth, say each difference, and drop the listing; return the counts by event.

    Whoever would be new, was asked for by themselves and not confirmed counts as not listed.
    """
    await connection.execute(_WITHOUT_FIGURES)
    await connection.execute(
        """DELETE FROM listed_membership l USING asked_absence a
            WHERE l.run_id = %(run)s AND a.run_id = %(run)s AND a.user_gid = l.user_gid AND NOT l.confirmed
              AND NOT EXISTS (SELECT FROM subscription s WHERE s.profile_id = %(profile)s
                                 AND s.state = 'active' AND s.user_gid = l.user_gid)""",
        {"run": run.id, "profile": run.profile_id},
    )
    await connection.execute(
        "SELECT set_config('seatkeeper.run', %s, true), set_config('seatkeeper.now', %s, true)",
        [str(run.id), now.isoformat()],
    )
    cursor = await connection.execute(_DOWNLOAD)
    while cursor.nextset():
        pass
    said = {str(name): int(count) for name, count in await cursor.fetchall()}
    await forget(connection, run)
    return {
        "found": said.get("SubscriptionFound", 0),
        "changed": said.get("SubscriptionChanged", 0),
        "gone": said.get("SubscriptionGone", 0),
        "returned": said.get("SubscriptionReturned", 0),
    }
