"""Reading a member export that an operator brings, and weighing it before anything of it is kept.

What speaks against the file is collected as sentences: the operator decides, with --force. That a file was imported
already, or that nobody is known yet, is no matter of opinion.
"""

import hashlib
import os
import sys
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from console.errors import BadUse, Refused
from console.output import at
from rules.member_import import (
    ASANA_BEGAN,
    Exported,
    Line,
    Matching,
    doubt_of_dates,
    doubt_of_people,
    doubt_of_time,
    match,
)
from sources.member_export import LONGEST, ColumnsUnclear, ExportRefused, MemberExport, latest_moment, read
from store import member_exports
from store.connect import Connection
from store.member_exports import Draft
from store.profiles import Profile

LAST_MOMENT = datetime(9999, 12, 30, tzinfo=UTC)
"""The last one that every time zone can write."""


@dataclass(frozen=True, slots=True)
class Brought:
    """What an operator brings: the file, its own time if it has one, and what they say of time and columns."""

    body: bytes
    file_time: datetime | None
    exported_at: str | None
    email_column: str | None
    activity_column: str | None

    def exported(self, zone: str) -> Exported:
        """Return when it was exported; a time without a zone is in the profile's. Raises BadUse."""
        if self.exported_at is None:
            if self.file_time is None:
                raise BadUse("standard input has no time of its own: say when it was exported with --exported-at")
            return Exported(self.file_time, by_the_file=True)
        try:
            moment = datetime.fromisoformat(self.exported_at)
        except ValueError:
            raise BadUse(f"--exported-at is a time as 2026-11-24T18:30+01:00, not {self.exported_at!r}") from None
        aware = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))
        if not ASANA_BEGAN <= aware <= LAST_MOMENT:
            raise BadUse(f"--exported-at {self.exported_at} is no time at which Asana exported anything")
        return Exported(aware.astimezone(UTC), by_the_file=False)

    def read(self, now: datetime) -> MemberExport:
        """Return what the file says. Raises BadUse."""
        try:
            return read(
                self.body, exported_at=now, email_column=self.email_column, activity_column=self.activity_column
            )
        except ColumnsUnclear as refused:
            raise BadUse(f"{refused} (columns are named with --email-column and --last-activity-column)") from None
        except ExportRefused as refused:
            raise BadUse(str(refused)) from None


@dataclass(slots=True)
class Report:
    """What a file says of a profile's people, what speaks against it, and the import's number once it was kept."""

    profile: Profile
    sha256: bytes
    exported: Exported
    said: MemberExport
    matching: Matching
    known: int
    doubts: list[str]
    number: int | None = None

    @property
    def people(self) -> int:
        """How many members the file names."""
        return len(self.said.rows) + len(self.said.problems)

    def draft(self, by: str) -> Draft:
        """Return the import that is to be kept."""
        return Draft(
            file_sha256=self.sha256,
            exported_at=self.exported.at,
            people=self.people,
            matched=len(self.matching.told),
            by=by,
        )


def read_file(name: str) -> tuple[bytes, datetime | None]:
    """Return the file and its own time; standard input has none. Of one that is too long, enough to be refused."""
    if name == "-":
        return sys.stdin.buffer.read(LONGEST + 1), None
    try:
        with Path(name).open("rb") as file:
            return file.read(LONGEST + 1), datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, UTC)
    except OSError as error:
        raise BadUse(f"{name} cannot be read: {error.strerror}") from None


async def weigh(connection: Connection, profile: Profile, brought: Brought, now: datetime) -> Report:
    """Match the file with the profile's people; Refused where it was imported already, or nobody is known."""
    sha256, exported = hashlib.sha256(brought.body).digest(), brought.exported(profile.time_zone)
    earlier = await member_exports.of_profile(connection, profile.id)
    for one in earlier:
        if one.file_sha256 == sha256:
            when = at(one.imported_at, profile.time_zone)
            raise Refused(f"this file was imported already, as {one.id}, on {when} by {one.imported_by}")
    people = await member_exports.known_people(connection, profile.id)
    if not people:
        raise Refused(f"nobody's e-mail is known yet; run `./seats run download {profile.name}` first")
    said = brought.read(now)
    lines = [Line(one.line, one.email, _end_of(one.last_active_on)) for one in said.rows]
    newest = max((line.last_activity_at for line in lines if line.last_activity_at), default=None)
    believed = replace(exported, at=min(exported.at, now))  # nothing later than now is claimed
    matching = match(lines, people, believed.at)
    doubts = [
        doubt_of_time(exported, newest, earlier[0].exported_at if earlier else None, now, people=len(lines)),
        doubt_of_people(matching, people),
        doubt_of_dates(matching),
    ]
    return Report(profile, sha256, believed, said, matching, len(people), [one for one in doubts if one])


def _end_of(day: date | None) -> datetime | None:
    """Return when that day was over everywhere: the file does not say in whose zone its days are."""
    return None if day is None else latest_moment(day, exported_at=datetime.max.replace(tzinfo=UTC))
