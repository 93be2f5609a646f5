"""Requests: what came in on the edge, once each, and what was refused.

A request's row, its run, the run's command and the answering event are written in one transaction, and the message is
acknowledged after it. So the same message again finds the row and changes nothing.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from messages.errors import RequestError
from messages.events import RequestAccepted, RequestRefused
from messages.requests import LARGEST_BODY, Request
from rules.switches import why_off
from store import cycles
from store.accepting import accept_at_once
from store.connect import Connection
from store.outbox import say
from store.runs import Order

LATEST = timedelta(days=366)
"""How far ahead a request may lie."""
_REPEAT = timedelta(hours=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The run that a request asked for; `again` if it was accepted before."""

    run_id: UUID
    again: bool


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One refused message."""

    id: int
    received_at: datetime
    request_id: UUID | None
    reason: str
    body: bytes
    body_bytes: int


def body_sha256(request: Request) -> bytes:
    """Return the hash of what a request asks for, whatever the order of its keys, its spaces or its time zone."""
    fields = request.model_dump(mode="json", exclude={"at"})
    fields["at"] = None if request.at is None else (request.at - _EPOCH) // timedelta(microseconds=1)
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).digest()


async def take(connection: Connection, request: Request, now: datetime) -> Accepted:
    """Accept a request in a transaction of its own, committed when this returns; raises what `accept` raises."""
    if (run_id := await accept_at_once(connection, request, body_sha256(request), now)) is not None:
        return Accepted(run_id, again=False)
    async with connection.transaction():
        return await accept(connection, request, now)


async def accept(connection: Connection, request: Request, now: datetime) -> Accepted:
    """Order the run that a request asks for, in the caller's transaction, and say RequestAccepted.

    Raises RequestError with the reason for a person. May raise store.endings.Fenced: then try again.
    """
    if request.at is not None and request.at > now + LATEST:
        raise RequestError(f"at: more than {LATEST.days} days ahead", str(request.id), request.profile)
    body = body_sha256(request)
    profile_id = await _looked_up(connection, request, body)
    if isinstance(profile_id, Accepted):
        return profile_id
    if request.plan is not None:
        await _check_plan(connection, request, profile_id, now)
    order = Order(
        profile_id=profile_id,
        kind=request.kind,
        requested_by=request.requested_by,
        correlation_id=request.id,
        plan_hash=request.plan,
        not_before=request.at if request.at is not None and request.at > now else None,
    )
    run_id = await cycles.add(connection, order, now)
    await connection.execute(
        """INSERT INTO request (id, body_sha256, profile_id, kind, requested_by, received_at, run_id)
           VALUES (%s, %s, %s, %s, %s, %s, %s)""",
        [request.id, body, profile_id, request.kind, request.requested_by, now, run_id],
    )
    event = RequestAccepted(request_id=request.id, run_id=run_id, kind=request.kind, profile=request.profile)
    await say(
        connection,
        event,
        subject=f"request/{request.id}",
        profile_id=profile_id,
        correlation_id=request.id,
        now=now,
    )
    return Accepted(run_id, again=False)


async def _looked_up(connection: Connection, request: Request, body: bytes) -> Accepted | int:
    """Return what the same request was answered, else the number of its published profile.

    Whoever brings the same id at this moment waits here.
    """
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"request/{request.id}"])
    cursor = await connection.execute(
        """SELECT q.body_sha256, q.run_id, p.id, p.status, p.activity_enabled, p.reclaim_enabled
             FROM (SELECT) AS asked LEFT JOIN request q ON q.id = %s
             LEFT JOIN profile p ON p.name = %s AND p.status <> 'deleted'""",
        [request.id, request.profile],
    )
    row = await cursor.fetchone()
    assert row is not None
    known_body, run_id, profile_id, status, activity_enabled, reclaim_enabled = row
    wrong = None
    if known_body is not None:
        if known_body == body:
            return Accepted(run_id, again=True)
        wrong = "this id was used before for another request"
    elif profile_id is None:
        wrong = f"there is no profile {request.profile}"
    elif status != "published":
        wrong = f"the profile {request.profile} is not published"
    else:
        wrong = why_off(request.kind, activity_enabled=activity_enabled, reclaim_enabled=reclaim_enabled)
    if wrong is not None:
        raise RequestError(wrong, str(request.id), request.profile)
    return int(profile_id)


async def _check_plan(connection: Connection, request: Request, profile_id: int, now: datetime) -> None:
    cursor = await connection.execute(
        """SELECT CASE WHEN carried_out_at IS NOT NULL THEN 'was carried out already'
                       WHEN expired_at IS NOT NULL OR expires_at <= %s THEN 'has expired'
                       WHEN approved_at IS NULL THEN 'is not approved' END
             FROM plan WHERE hash = %s AND profile_id = %s""",
        [now, request.plan, profile_id],
    )
    row = await cursor.fetchone()
    wrong = "does not exist for this profile" if row is None else row[0]
    if wrong is not None:
        raise RequestError(f"the plan {request.plan} {wrong}", str(request.id), request.profile)


async def refuse(
    connection: Connection, body: bytes, error: RequestError, now: datetime, *, redelivered: bool = False
) -> int:
    """Keep a refused body and say RequestRefused, in the caller's transaction; return its number in the quarantine.

    A body that RabbitMQ delivers again, because its first acknowledgement was lost, is kept once.
    """
    reason, kept = printable(error.reason), body[:LARGEST_BODY]
    request_id = UUID(error.request_id) if error.request_id else None
    if redelivered and (known := await _kept_before(connection, kept, reason, now)) is not None:
        return known
    cursor = await connection.execute(
        """INSERT INTO quarantine (received_at, request_id, reason, body, body_bytes)
           VALUES (%s, %s, %s, %s, %s) RETURNING id""",
        [now, request_id, reason, kept, len(body)],
    )
    row = await cursor.fetchone()
    assert row is not None
    quarantine_id = int(row[0])
    await say(
        connection,
        RequestRefused(request_id=request_id, quarantine_id=quarantine_id, reason=reason),
        subject=f"request/{request_id}" if request_id else f"quarantine/{quarantine_id}",
        profile_id=await _profile_named(connection, error.profile),
        correlation_id=request_id or uuid4(),
        now=now,
    )
    return quarantine_id


async def _profile_named(connection: Connection, name: str | None) -> int | None:
    """Return the profile that a refused request meant, so that whoever binds its events hears of the refusal."""
    cursor = await connection.execute("SELECT id FROM profile WHERE name = %s AND status <> 'deleted'", [name])
    row = await cursor.fetchone()
    return None if row is None else int(row[0])


async def _kept_before(connection: Connection, kept: bytes, reason: str, now: datetime) -> int | None:
    cursor = await connection.execute(
        "SELECT id FROM quarantine WHERE body = %s AND reason = %s AND received_at > %s ORDER BY id DESC LIMIT 1",
        [kept, reason, now - _REPEAT],
    )
    row = await cursor.fetchone()
    return None if row is None else int(row[0])


def printable(text: str) -> str:
    """Return text that Postgres, a log and a terminal can show: no NUL, no half of a surrogate pair, no control."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


async def quarantined(connection: Connection, *, limit: int = 100) -> list[Quarantined]:
    """Return the newest refused messages first."""
    cursor = await connection.execute(
        """SELECT id, received_at, request_id, reason, body, body_bytes FROM quarantine ORDER BY id DESC LIMIT %s""",
        [limit],
    )
    return [Quarantined(*row) for row in await cursor.fetchall()]


async def quarantined_one(connection: Connection, quarantine_id: int) -> Quarantined | None:
    """Return one refused message."""
    cursor = await connection.execute(
        "SELECT id, received_at, request_id, reason, body, body_bytes FROM quarantine WHERE id = %s", [quarantine_id]
    )
    row = await cursor.fetchone()
    return None if row is None else Quarantined(*row)
