"""The plain case of accepting a request, in one statement: a step, now, for a published profile, under a new id.

Whoever drops a request waits for it, so this takes one trip to the database instead of ten. What it writes is what
`requests.accept` writes through `runs` and `outbox`; a test holds the two against each other. Whatever is not plain
leaves nothing behind here, and `requests.accept` decides what becomes of it and says so.
"""

from datetime import datetime
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from messages.commands import COMMAND_OF
from messages.events import RequestAccepted
from messages.requests import Request
from store.connect import Connection

_ACCEPT = b"""
WITH profile_meant AS (
    -- The same lock as in `requests.accept`; a repeat that waited here is found by its key below.
    SELECT p.id
      FROM pg_advisory_xact_lock(hashtextextended(%(subject)s, 0)), profile p
     WHERE p.name = %(profile)s AND p.status = 'published'
       AND (p.activity_enabled OR %(kind)s NOT IN ('activity', 'candidates')) -- a reclaim has a plan and is not plain
), new_request AS (
    INSERT INTO request (id, body_sha256, profile_id, kind, requested_by, received_at, run_id)
    SELECT %(id)s, %(body_sha256)s, id, %(kind)s, %(requested_by)s, %(now)s, %(run_id)s FROM profile_meant
    ON CONFLICT (id) DO NOTHING
    RETURNING profile_id
), new_run AS (
    INSERT INTO run (id, profile_id, kind, correlation_id, requested_by, created_at)
    SELECT %(run_id)s, profile_id, %(kind)s, %(id)s, %(requested_by)s, %(now)s FROM new_request
), subject AS (
    INSERT INTO event_subject AS s (subject, sequence)
    SELECT %(subject)s, 1 FROM new_request
    ON CONFLICT (subject) DO UPDATE SET sequence = s.sequence + 1
    RETURNING sequence
), outgoing AS (
    INSERT INTO outbox (channel, name, profile_id, subject, sequence, payload, correlation_id, occurred_at)
    SELECT 'command', %(actor)s, profile_id, NULL, NULL, %(command)s, %(id)s, %(now)s FROM new_request
     UNION ALL
    SELECT 'event', 'RequestAccepted', profile_id, %(subject)s, sequence, %(event)s, %(id)s, %(now)s
      FROM new_request, subject
)
SELECT FROM new_request
"""


async def accept_at_once(connection: Connection, request: Request, body_sha256: bytes, now: datetime) -> UUID | None:
    """Order the run that a plain request asks for and commit it, outside of any transaction; return the run's id.

    None when the request is not plain, was accepted before, or names no published profile: nothing was written.
    """
    if request.kind == "cycle" or request.plan is not None or request.at is not None:
        return None
    run_id = uuid4()
    command = COMMAND_OF[request.kind](run_id=run_id, slice=0, correlation_id=request.id)
    event = RequestAccepted(request_id=request.id, run_id=run_id, kind=request.kind, profile=request.profile)
    cursor = await connection.execute(
        _ACCEPT,
        {
            "subject": f"request/{request.id}",
            "profile": request.profile,
            "id": request.id,
            "body_sha256": body_sha256,
            "kind": request.kind,
            "requested_by": request.requested_by,
            "now": now,
            "run_id": run_id,
            "actor": command.actor,
            "command": Jsonb(command.model_dump(mode="json")),
            "event": Jsonb(event.model_dump(mode="json")),
        },
    )
    return run_id if cursor.rowcount == 1 else None
