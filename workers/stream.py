"""The audit log, pulled once for the whole organization at the beginning of an activity run.

The days that Asana still keeps and that were not seen are read side by side, each claimed by itself: one that fails
leaves a gap, which the next pulls fill while Asana has it. The newest stretch is read as a stream, page after page, and
goes on from where Asana said last time; where that place is not known any more, from the end of what was covered.

Late events: claims end a lag before the start of the run, and the place that is kept is never behind that, so whatever
showed late is read again. The same act twice is one act.
A refusal or an odd answer is the stream's trouble, said once in a run; the other sources go on, and nobody is cleared.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Self

import structlog

from asana_api.client import AsanaClient
from asana_api.errors import (
    AsanaError,
    Forbidden,
    NotAuthorized,
    NotUnderstood,
    PlanTooLow,
    RateLimited,
    RestartListing,
    TryLater,
)
from asana_api.patience import patiently
from connections.tokens import ConnectionIsLost
from rules.evidence import AUDIT_LOG
from sources import audit_log
from sources.contract import Found
from store import streams
from store.connect import Connection
from store.streams import Stream, Window
from workers.slicing import Slice
from workers.station import Asana

log = structlog.get_logger(__name__)

DAY = timedelta(days=1)
DAYS_AT_ONCE = 5
LONGEST_STREAM = timedelta(days=2)
"""More than this is not read page after page, but its days side by side."""


MARGIN = timedelta(hours=1)
"""What is about to be forgotten is not claimed: a run may last."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reading goes on. Asana's offset is good only beside the `start_at` (aware) that it was given for."""

    start_at: datetime
    offset: str | None

    @classmethod
    def read(cls, written: str | None) -> Self | None:
        """Read it as it was written; None where there is no place."""
        start_at, _, offset = (written or "").partition(" ")
        return cls(datetime.fromisoformat(start_at), offset) if offset else None

    def written(self) -> str | None:
        """Return it for the stream's row; None: from the end of what was covered."""
        return f"{self.start_at.isoformat()} {self.offset}" if self.offset is not None else None


@dataclass(frozen=True, slots=True)
class _Pull:
    """One pull of one stream: what it asks with, and the end of what it may claim."""

    piece: Slice
    client: AsanaClient
    organization_gid: str
    end: datetime

    def pages(
        self, begin: datetime, end: datetime | None = None, offset: str | None = None
    ) -> AsyncGenerator[audit_log.LogPage]:
        asked_at = self.piece.now()
        return audit_log.read(
            self.client, self.organization_gid, asked_at=asked_at, start_at=begin, end_at=end, offset=offset
        )


async def pull_stream(piece: Slice, asana: Asana) -> bool:
    """Bring the profile's audit log up to date; False if the slice is over first. Raises TryLater and Fenced."""
    run = piece.run
    assert run.started_at is not None
    async with piece.station.transaction() as connection:
        await piece.checkpoint(connection, run.cursor, run.counts)
        await streams.begin_pull(connection, run.profile_id, run.started_at)
        stream = await streams.get(connection, run.profile_id)
        look_back = await streams.look_back_of(connection, run.profile_id)
    end = run.started_at - AUDIT_LOG.lag
    begin = max(look_back, piece.now() - streams.RETENTION + MARGIN)
    if _failed_in_this_run(stream, run.started_at) or not missing(
        stream.covered if stream else [], begin, end, end - begin
    ):
        return True
    service = asana.opened.service
    if service is None:
        return await _settled(piece, "no service account is connected")
    try:
        return await _pull(_Pull(piece, service.client, asana.organization_gid, end), stream, begin)
    except TryLater:
        raise
    except (AsanaError, ConnectionIsLost) as error:
        return await _settled(piece, str(error))


def _failed_in_this_run(stream: Stream | None, started_at: datetime) -> bool:
    return stream is not None and stream.trouble is not None and stream.pulled_at >= started_at


async def _pull(pull: _Pull, stream: Stream | None, begin: datetime) -> bool:
    covered = stream.covered if stream else []
    newest = max((upper for _, upper in covered), default=begin)
    place = Place.read(stream.resume_offset if stream else None)
    if newest < pull.end - LONGEST_STREAM:  # as in a first pull: all but the last day is read side by side
        newest, place = max(begin, pull.end - DAY), None
    trouble = None
    days = missing(covered, begin, newest, DAY)
    for first in range(0, len(days), DAYS_AT_ONCE):
        trouble = await _fill(pull, days[first : first + DAYS_AT_ONCE]) or trouble
        if pull.piece.is_over():
            return False
    if not await _go_on(pull, newest, place):
        return False
    return await _settled(pull.piece, trouble)


async def _fill(pull: _Pull, windows: Sequence[Window]) -> str | None:
    """Read some days side by side and claim those that came whole; return why another did not."""
    asking = [asyncio.create_task(patiently(partial(_acts_of, pull, window))) for window in windows]
    failures: list[AsanaError] = []
    try:
        for window, task in zip(windows, asking, strict=True):
            try:
                acts = await task
            except (RateLimited, NotAuthorized, PlanTooLow, Forbidden):
                raise  # it concerns every day
            except AsanaError as error:
                failures.append(error)
            else:
                await _keep_window(pull, acts, window)
    finally:
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
    later = [error for error in failures if isinstance(error, TryLater)]
    if later:
        raise later[0]
    return str(failures[0]) if failures else None


async def _acts_of(pull: _Pull, window: Window) -> list[Found]:
    """Return the acts of one window, of each page the last of each person. Nothing is kept of a window that fails."""
    acts: dict[str, Found] = {}
    async with aclosing(pull.pages(*window)) as pages:
        async for page in pages:
            acts |= {one.user_gid: one for one in sorted(page.acts, key=lambda one: one.at)}
    return list(acts.values())


async def _go_on(pull: _Pull, begin: datetime, place: Place | None) -> bool:
    """Read the newest stretch from its place, or from `begin` where it is refused; False if the slice is over first."""
    if place is not None:
        try:
            return await patiently(lambda: _read_on(pull, begin, place))
        except (RestartListing, NotUnderstood):
            log.info("stream_begun_again", since=begin.isoformat())
    return await patiently(lambda: _read_on(pull, begin, Place(begin, None)))


async def _read_on(pull: _Pull, begin: datetime, place: Place) -> bool:
    seen = begin
    async with aclosing(pull.pages(place.start_at, offset=place.offset)) as pages:
        async for page in pages:
            seen = max(seen, page.up_to)
            if seen <= pull.end:  # a place behind what may be claimed would hide what shows late
                place = replace(place, offset=page.next_offset)
            await _keep_page(pull, page.acts, (begin, min(seen, pull.end)), place)
            if pull.piece.is_over():
                return False
    await _keep_page(pull, [], (begin, pull.end), place)
    return True


async def _keep_window(pull: _Pull, acts: Sequence[Found], window: Window) -> None:
    async with pull.piece.station.transaction() as connection:
        await _claim(connection, pull, acts, window)


async def _keep_page(pull: _Pull, acts: Sequence[Found], window: Window, place: Place) -> None:
    async with pull.piece.station.transaction() as connection:
        await _claim(connection, pull, acts, window)
        await streams.go_on_from(connection, pull.piece.run.profile_id, place.written())


async def _claim(connection: Connection, pull: _Pull, acts: Sequence[Found], window: Window) -> None:
    run = pull.piece.run
    assert run.started_at is not None
    await pull.piece.checkpoint(connection, run.cursor, run.counts)  # raises Fenced
    await streams.keep_acts(connection, run.profile_id, acts, pull.piece.now())
    await streams.claim(connection, run.profile_id, window, run.started_at)


async def _settled(piece: Slice, trouble: str | None) -> bool:
    """Keep how the pull ended, and say trouble once."""
    run = piece.run
    assert run.started_at is not None
    async with piece.station.transaction() as connection:
        await piece.checkpoint(connection, run.cursor, run.counts)
        await streams.settle(connection, run.profile_id, trouble, run.started_at)
        if trouble is not None:
            await streams.say_lost(connection, run, trouble, piece.now())
    if trouble is not None:
        log.warning("stream_lost", source=streams.SOURCE, why=trouble)
    return True


def missing(covered: Sequence[Window], begin: datetime, end: datetime, longest: timedelta) -> list[Window]:
    """Return what of `[begin, end)` is in none of the windows, oldest first, in pieces of at most `longest`."""
    gaps: list[Window] = []
    for lower, upper in [*sorted(covered), (end, end)]:
        if begin < min(lower, end):
            gaps.append((begin, min(lower, end)))
        begin = max(begin, upper)
    return [
        (lower + n * longest, min(lower + (n + 1) * longest, upper))
        for lower, upper in gaps
        for n in range(-((lower - upper) // longest))
    ]
