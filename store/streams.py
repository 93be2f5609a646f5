"""A source that is one stream for the whole organization: how far it was seen, and where Asana lets us go on.

What a stream saw completely, it saw for everybody: its windows are kept once, not for each person. A gap stays a gap.
An act is kept only of people who have or had a seat, and of each page only the last act of each: evidence asks when
somebody was last there. Nothing else of what the stream carries comes here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from psycopg.rows import class_row

from messages.events import SourceLost
from rules.evidence import Source
from store import activity
from store.connect import Connection
from store.outbox import say
from store.runs import Run

SOURCE: Source = "audit_log"
RETENTION = timedelta(days=90)
"""How long Asana keeps its audit log."""
Window = tuple[datetime, datetime]


class Act(Protocol):
    """One act as a source found it: who (Asana's gid), when (aware), what, and its proof."""

    @property
    def user_gid(self) -> str: ...
    @property
    def at(self) -> datetime: ...
    @property
    def act(self) -> str: ...
    @property
    def proof(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Stream:
    """How far a profile's stream was seen; `begins` and `ends` are the windows in their order (aware)."""

    begins: list[datetime]
    ends: list[datetime]
    resume_offset: str | None
    pulled_at: datetime
    trouble: str | None

    @property
    def covered(self) -> list[Window]:
        """The windows that were seen completely, in their order."""
        return list(zip(self.begins, self.ends, strict=True))


async def get(connection: Connection, profile_id: int) -> Stream | None:
    """Return the profile's stream; None where it was never asked for."""
    async with connection.cursor(row_factory=class_row(Stream)) as cursor:
        await cursor.execute(
            """SELECT coalesce((SELECT array_agg(lower(w) ORDER BY w) FROM unnest(covered) AS w), '{}') AS begins,
                      coalesce((SELECT array_agg(upper(w) ORDER BY w) FROM unnest(covered) AS w), '{}') AS ends,
                      resume_offset, pulled_at, trouble
                 FROM activity_stream WHERE profile_id = %s AND source = %s""",
            [profile_id, SOURCE],
        )
        return await cursor.fetchone()


async def look_back_of(connection: Connection, profile_id: int) -> datetime:
    """Return since when the profile's activity is analyzed (aware)."""
    cursor = await connection.execute("SELECT analyze_activity_from FROM profile WHERE id = %s", [profile_id])
    row = await cursor.fetchone()
    assert row is not None
    begin: datetime = row[0]
    return begin


async def begin_pull(connection: Connection, profile_id: int, started_at: datetime) -> None:
    """Forget what the stream was taken to have seen since the first of those joined who were found since its last pull.

    The acts of people whom nobody knew were dropped, so for them nothing was seen; the pull reads that stretch again.
    Called again in the same pull, it changes nothing.
    """
    await connection.execute(
        """UPDATE activity_stream a
              SET covered = a.covered - tstzmultirange(tstzrange(n.joined_at, NULL)), resume_offset = NULL,
                  pulled_at = %(started)s, trouble = NULL
             FROM (SELECT min(s.joined_at) AS joined_at FROM subscription s JOIN activity_stream b USING (profile_id)
                    WHERE b.profile_id = %(profile)s AND b.source = %(source)s AND s.found_at > b.pulled_at) AS n
            WHERE a.profile_id = %(profile)s AND a.source = %(source)s AND a.pulled_at < %(started)s
              AND n.joined_at IS NOT NULL""",
        {"profile": profile_id, "source": SOURCE, "started": started_at},
    )


async def claim(connection: Connection, profile_id: int, window: Window, asked_at: datetime) -> None:
    """Add a window that was seen completely, `[begin, end)`; an empty one only says that the stream was asked for.

    `asked_at` is the start of the pull: who is found later was perhaps not known when a page was read.
    """
    await connection.execute(
        """INSERT INTO activity_stream AS s (profile_id, source, covered, pulled_at)
           VALUES (%(profile)s, %(source)s, tstzmultirange(tstzrange(%(begin)s, greatest(%(begin)s, %(end)s))), %(at)s)
               ON CONFLICT (profile_id, source) DO UPDATE
              SET covered = s.covered + excluded.covered, pulled_at = excluded.pulled_at, trouble = NULL""",
        {"profile": profile_id, "source": SOURCE, "begin": window[0], "end": window[1], "at": asked_at},
    )


async def go_on_from(connection: Connection, profile_id: int, offset: str | None) -> None:
    """Keep where Asana lets us go on; None: from the end of what was covered."""
    await connection.execute(
        "UPDATE activity_stream SET resume_offset = %s WHERE profile_id = %s AND source = %s",
        [offset, profile_id, SOURCE],
    )


async def settle(connection: Connection, profile_id: int, trouble: str | None, asked_at: datetime) -> None:
    """Keep how the last pull of the stream ended: None where it saw all that it asked for."""
    await connection.execute(
        """INSERT INTO activity_stream AS s (profile_id, source, pulled_at, trouble) VALUES (%s, %s, %s, %s)
               ON CONFLICT (profile_id, source) DO UPDATE
              SET pulled_at = excluded.pulled_at, trouble = excluded.trouble""",
        [profile_id, SOURCE, asked_at, trouble],
    )


async def keep_acts(connection: Connection, profile_id: int, acts: Iterable[Act], now: datetime) -> int:
    """Keep the last act of each person who has or had a seat, and of nobody else; return how many those are."""
    last: dict[str, Act] = {}
    for one in acts:
        known = last.get(one.user_gid)
        if known is None or one.at > known.at:
            last[one.user_gid] = one
    cursor = await connection.execute(
        "SELECT user_gid, id FROM subscription WHERE profile_id = %s AND user_gid = ANY (%s::text[])",
        [profile_id, list(last)],
    )
    rows = [(int(row[1]), last[row[0]].act, last[row[0]].at, last[row[0]].proof) for row in await cursor.fetchall()]
    await activity.add_acts(connection, profile_id, rows, now, source=SOURCE)
    return len(rows)


async def say_lost(connection: Connection, run: Run, reason: str, now: datetime) -> None:
    """Say that the stream shows nothing for now: once for the profile, not for each of its people."""
    await say(
        connection,
        SourceLost(profile=run.profile, source=SOURCE, reason=reason),
        subject=f"profile/{run.profile}",
        profile_id=run.profile_id,
        correlation_id=run.correlation_id,
        now=now,
    )
