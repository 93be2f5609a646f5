"""What every actor does around its own work: take the slice, keep to its time, and end the run for a reason.

Fenced           another worker has the run: what this one did is rolled back, the message is acknowledged
TryLater         Asana could not answer just now: the slice is retried with back-off, from its last checkpoint
other AsanaError asking again changes nothing: the run fails with the sentence that the error carries
anything else    is retried; when the retries are used up, the run fails with it (`give_up`)
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import structlog

from asana_api.errors import AsanaError, RateLimited, TryLater
from connections.sealing import SealBroken
from connections.tokens import ConnectionIsLost, NotConnected
from messages.commands import Command
from store import endings, reconciliation, runs, slices
from store.connect import Connection
from store.endings import Fenced
from store.runs import Run
from workers.retrying import RetryLater
from workers.station import Station

log = structlog.get_logger(__name__)


class RunRefused(Exception):
    """The run cannot have its result; the sentence is its reason."""


@dataclass(frozen=True)
class Slice:
    """One slice of a run, taken by this worker until its time is up."""

    station: Station
    command: Command
    run: Run
    ends_at: float

    def is_over(self) -> bool:
        """Say whether the slice's time is used up, and the rest should be handed on."""
        return time.monotonic() >= self.ends_at

    def now(self) -> datetime:
        """Return the station's time."""
        return self.station.now()

    def next_command(self) -> Command:
        """Return the command that carries the run on."""
        return self.command.model_copy(update={"slice": self.run.slice + 1})

    async def checkpoint(self, connection: Connection, cursor: dict[str, object], counts: dict[str, int]) -> None:
        """Keep how far the slice came, in the caller's transaction."""
        await slices.checkpoint(connection, self.run, cursor=cursor, counts=counts, now=self.now())


C = TypeVar("C", bound=Command)


async def correlated(carry_out: Callable[[Station, C], Awaitable[None]], station: Station, command: C) -> None:
    """Carry out a command with its run and correlation id in every line that is logged on the way."""
    run = {"run_id": str(command.run_id), "correlation_id": str(command.correlation_id), "actor": command.actor}
    with structlog.contextvars.bound_contextvars(**run):
        await carry_out(station, command)


async def in_slice(station: Station, command: Command, work: Callable[[Slice], Awaitable[None]]) -> None:
    """Take the slice that `command` names and do `work` on it; end the run where the work cannot go on."""
    try:
        run = await _taken(station, command)
        if run is None:
            log.info("slice_dropped", slice=command.slice)
            return
        piece = Slice(station, command, run, time.monotonic() + station.settings.slice_seconds)
        await _carried_out(piece, work)
    except Fenced as fenced:
        log.info("slice_fenced", why=str(fenced))


async def _taken(station: Station, command: Command) -> Run | None:
    """Take the slice; RetryLater where the run that stood in its way ended in the very moment of being looked at."""
    try:
        async with station.transaction() as connection:
            return await slices.take(connection, command, station.now())
    except Fenced as fenced:
        raise RetryLater(str(fenced), seconds=1) from fenced


async def _carried_out(piece: Slice, work: Callable[[Slice], Awaitable[None]]) -> None:
    began = time.monotonic()
    try:
        await work(piece)
    except TryLater as error:
        log.warning("slice_put_off", why=str(error))
        if isinstance(error, RateLimited):
            raise RetryLater(str(error), seconds=error.retry_after) from error
        raise
    except (AsanaError, ConnectionIsLost, NotConnected, SealBroken, RunRefused) as error:
        await fail_run(piece, str(error))
    else:
        log.info("slice_done", slice=piece.run.slice, seconds=round(time.monotonic() - began, 3))


async def fail_run(piece: Slice, reason: str) -> None:
    """End the run without its result, with what it counted so far."""
    now = piece.now()
    async with piece.station.transaction() as connection:
        current = await runs.get(connection, piece.run.id, lock=True)
        counts = current.counts if current is not None else {}
        await endings.fail(connection, piece.run, counts=counts, reason=reason, now=now)
        if piece.run.kind == "reconcile":
            await reconciliation.say_failed(connection, piece.run, reason, now)
    log.warning("run_failed", kind=piece.run.kind, why=reason)


async def give_up(station: Station, command: Command, error: BaseException) -> None:
    """Fail the run whose message is about to be dead-lettered, with the error as its reason."""
    now = station.now()
    reason = str(error) if isinstance(error, AsanaError) else f"unexpected trouble: {type(error).__name__}: {error}"
    async with station.transaction() as connection:
        if not await endings.give_up(connection, command.run_id, command.slice, reason, now):
            return
        run = await runs.get(connection, command.run_id)
        if run is not None and run.kind == "reconcile":
            await reconciliation.say_failed(connection, run, reason, now)
    log.error("run_given_up", actor=command.actor, run_id=str(command.run_id), why=reason)
