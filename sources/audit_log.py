"""The source `audit_log`: whoever logged in or changed something, from the organization's own log of 90 days.

Facts are from Asana's OpenAPI document (getAuditLogEvents, AuditLogEvent) and its page on the audit log: a service
account asks; events come oldest first and no other way; once anything matched, each answer has a `next_page`, so the
end of what there is is an empty page; the log has no reading, commenting, making or completing of tasks.

An act is the actor's, never that of the person it is about, and only a person's own: of a user, from the web, the
desktop, a phone, an e-mail, or the API with a session or an app's OAuth. What rules, support and tokens did, and logins
that failed, count for nobody. A place that Asana named after this was written counts: we keep a seat rather than guess.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta

from asana_api.answers import moment
from asana_api.client import AsanaClient
from asana_api.errors import BadAnswer
from asana_api.log_answers import AuditPage, LogEvent
from sources.contract import Found

NOT_BY_A_PERSON = frozenset({"asana", "asana_support"})
"""Where an event came from, if nobody in the organization was at work."""
TOKENS = frozenset({"personal_access_token", "service_account"})
"""How something asked the API that acts while its owner sleeps."""
AHEAD = timedelta(days=1)
"""More than clocks ever differ."""
NO_USE = frozenset({"user_login_failed"})


@dataclass(frozen=True, slots=True)
class LogPage:
    """One page: its acts, where to ask from next, and that all events before `up_to` (aware) were seen."""

    acts: list[Found]
    next_offset: str | None
    up_to: datetime


async def read(
    client: AsanaClient,
    organization_gid: str,
    *,
    asked_at: datetime,
    start_at: datetime,
    end_at: datetime | None = None,
    offset: str | None = None,
) -> AsyncGenerator[LogPage]:
    """Yield page after page, oldest first, until Asana has no more; only then was all seen up to `end_at`, or to now.

    A page comes once the next one has arrived and goes on in time, so that no wrong time at its end is believed.
    From an `offset` it goes on where that was given, which may be before `start_at`. Raises any AsanaError: BadAnswer
    if events are out of order, of another time than was asked for, or of the future (seen from `asked_at`, aware), or
    if the log goes round in a circle; RestartListing if the offset is not known any more.
    """
    order = _Order(start_at if offset is None else None, end_at)
    waiting: LogPage | None = None
    async with aclosing(_pages(client, organization_gid, start_at, end_at, offset)) as pages:
        async for page in pages:
            order.check(page.events)
            if waiting is not None:
                yield waiting
            refuse_the_future(page.events[-1].created_at, asked_at)  # they are in order: the last is the latest
            waiting = LogPage(acts_of(page.events), page.next_offset, page.events[-1].created_at)
    if waiting is not None:
        yield waiting


async def _pages(
    client: AsanaClient, organization_gid: str, start_at: datetime, end_at: datetime | None, offset: str | None
) -> AsyncGenerator[AuditPage]:
    asked: set[str | None] = set()
    while True:
        if offset in asked:
            raise BadAnswer("the audit log goes round in a circle")
        asked.add(offset)
        page = await client.audit_page(organization_gid, start_at=start_at, end_at=end_at, offset=offset)
        if not page.events:
            return
        yield page
        offset = page.next_offset


class _Order:
    """Holds Asana to its word: events in the order of time, and within what was asked for."""

    def __init__(self, start_at: datetime | None, end_at: datetime | None) -> None:
        self._last = start_at.replace(microsecond=start_at.microsecond // 1000 * 1000) if start_at else None
        self._end = end_at

    def check(self, events: list[LogEvent]) -> None:
        for event in events:
            if self._last is not None and event.created_at < self._last:
                raise BadAnswer(f"{_proof(event)} is out of order, or before {moment(self._last)}")
            if self._end is not None and event.created_at >= self._end:
                raise BadAnswer(f"{_proof(event)} is not before {moment(self._end)}")
            self._last = event.created_at


def refuse_the_future(at: datetime, asked_at: datetime) -> None:
    """Raise BadAnswer for an event that has not happened yet: it would keep its person for good."""
    if at > asked_at + AHEAD:
        raise BadAnswer(f"the audit log has an event of the future, {moment(at)}")


def acts_of(events: list[LogEvent]) -> list[Found]:
    """Return the acts among these events. BadAnswer for an act of a user without a gid: it could be anybody's."""
    return [
        Found(_gid(event), event.created_at, event.event_type, _proof(event))
        for event in events
        if is_a_person_s(event)
    ]


def is_a_person_s(event: LogEvent) -> bool:
    """Whether a person of the organization did this, at that moment."""
    context = event.context
    if event.actor.actor_type != "user" or event.event_type in NO_USE or context.by_rule or context.on_behalf:
        return False
    return context.context_type not in NOT_BY_A_PERSON and context.api_authentication_method not in TOKENS


def _gid(event: LogEvent) -> str:
    if event.actor.gid is None:
        raise BadAnswer(f"{_proof(event)} is by a user without a gid")
    return event.actor.gid


def _proof(event: LogEvent) -> str:
    return f"audit_log_event/{event.gid}"
