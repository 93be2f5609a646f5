"""An audit log that a test writes, and a pull of it: what Asana's endpoint promises, and how it fails."""

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import cast
from uuid import UUID

from asana_api.client import AsanaClient
from asana_api.errors import AsanaError, RestartListing
from connections.opening import OpenedService
from messages.commands import PullActivity
from sources.audit_log import LogPage, refuse_the_future
from sources.contract import Found
from store import slices, streams
from store.streams import Stream
from tests.workers.actor_stage import Stage
from workers.slicing import Slice
from workers.stream import pull_stream

PAGE = 2


@dataclass
class Log:
    """Events by time, in pages of two. `refused` says what happens to who asks from a time, or from a place.

    A place is good for the question that it was given for: it names that one's beginning and end.
    """

    events: list[Found] = field(default_factory=list)
    refused: dict[datetime | str, AsanaError] = field(default_factory=dict)
    everything: AsanaError | None = None
    given: dict[str, tuple[datetime, datetime | None]] = field(default_factory=dict)
    asked: list[tuple[datetime, datetime | None, str | None]] = field(default_factory=list)

    def act(self, user_gid: str, at: datetime) -> None:
        """Write an event; one that is late stands before others all the same."""
        self.events.append(Found(user_gid, at, "user_login_succeeded", f"audit_log_event/{len(self.events) + 1}"))
        self.events.sort(key=lambda event: event.at)

    async def read(
        self,
        _client: AsanaClient,
        _organization_gid: str,
        *,
        asked_at: datetime,
        start_at: datetime,
        end_at: datetime | None = None,
        offset: str | None = None,
    ) -> AsyncGenerator[LogPage, None]:
        """Answer as sources.audit_log.read does: pages until there is nothing more."""
        self.asked.append((start_at, end_at, offset))
        await asyncio.sleep(0)
        error = self.everything or self.refused.get(offset or start_at)
        if error is not None:
            raise error
        if offset is not None and self.given.get(offset) != (start_at, end_at):
            raise RestartListing("the token is of another question")
        first = int(offset.partition("-")[2]) if offset is not None else 0
        found = [one for one in self.events[first:] if one.at >= start_at and (end_at is None or one.at < end_at)]
        for first in range(0, len(found), PAGE):
            page = found[first : first + PAGE]
            place = f"place-{self.events.index(page[-1]) + 1}"
            self.given[place] = (start_at, end_at)
            for act in page:
                refuse_the_future(act.at, asked_at)
            yield LogPage(acts=page, next_offset=place, up_to=page[-1].at)


@dataclass
class Pulls:
    """Pulls of one profile's stream, one slice after another."""

    stage: Stage
    run_id: UUID | None = None

    async def begin(self) -> None:
        """Order an activity run; its slices are taken by hand."""
        self.run_id = await self.stage.order("activity")
        await self.stage.take_a(PullActivity)

    async def slice(self, *, seconds: float = 60, fenced: bool = False) -> bool:
        """Take a slice of the run, and pull the stream in it; `fenced` if another worker takes it meanwhile."""
        assert self.run_id is not None
        run = await self.stage.read(self.run_id)
        command = PullActivity(run_id=run.id, slice=run.slice, correlation_id=run.correlation_id)
        async with self.stage.worker.transaction() as connection:
            taken = await slices.take(connection, command, self.stage.now)
        assert taken is not None
        if fenced:
            await self.stage.owner.execute("UPDATE run SET fence = fence + 1 WHERE id = %s", [run.id])
        piece = Slice(self.stage.worker, command, taken, time.monotonic() + seconds)
        asana = await self.stage.worker.asana("acme")
        person = asana.opened
        service = OpenedService(person.client, person.permits, person.own_gid, person.credential_id)
        return await pull_stream(piece, replace(asana, opened=replace(person, service=service)))

    async def end(self) -> None:
        """End the run, so that the next one may begin."""
        await self.stage.owner.execute(
            "UPDATE run SET state = 'finished', ended_at = started_at WHERE id = %s", [self.run_id]
        )

    async def pull(self, **later: float) -> bool:
        """Move the clock and pull the stream in a run of its own."""
        self.stage.later(**later)
        await self.begin()
        whole = await self.slice()
        await self.end()
        return whole

    async def stream(self) -> Stream:
        """Return the stream as it is kept."""
        stream = await streams.get(self.stage.owner, self.stage.profile_id)
        assert stream is not None
        return stream

    async def last_acts(self) -> dict[str, datetime]:
        """Return the last act that the stream saw of each person."""
        rows = await self.stage.rows(
            """SELECT s.user_gid, max(o.acted_at) AS at
                 FROM observation o JOIN subscription s ON s.id = o.subscription_id
                WHERE o.source = 'audit_log' GROUP BY 1"""
        )
        return {str(row["user_gid"]): cast("datetime", row["at"]) for row in rows}
