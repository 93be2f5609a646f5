"""Events of requests, and of the runs that they ask for."""

from typing import Literal
from uuid import UUID

from messages.events.base import Event
from messages.kinds import RunKind


class RequestAccepted(Event):
    """A request was read and its run exists."""

    request_id: UUID
    run_id: UUID
    kind: RunKind
    profile: str


class RequestRefused(Event):
    """A request was put into the quarantine; `reason` says what to mend."""

    request_id: UUID | None
    quarantine_id: int
    reason: str


class _OfRun(Event):
    run_id: UUID
    kind: RunKind
    profile: str
    cycle_id: UUID | None


class RunStarted(_OfRun):
    """A run began its work."""


class RunFinished(_OfRun):
    """A run ended without failure: finished, coalesced into another active run, or not run (the reason says why)."""

    outcome: Literal["finished", "coalesced", "not_run"]
    counts: dict[str, int]
    reason: str | None
    coalesced_into: UUID | None = None


class RunFailed(_OfRun):
    """A run ended without its result; nobody became a candidate or is gone because of it."""

    counts: dict[str, int]
    reason: str
