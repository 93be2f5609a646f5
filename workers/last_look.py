"""The last look at a person before a removal: what they did since, then their membership, close to the call.

Every task source of the plan is asked, whatever the one before it said, each up to the moment at which the look began.
The search's index is behind by its lag, so what happened in its last moments shows in the tasks alone, which are read
as they are; what only the search can see is seen up to the lag. Where the rule stands on the
audit log, that is read on, too.
"""

import time
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta

from asana_api.errors import AsanaError, NotAuthorized, TryLater
from rules.evidence import AsanaPlan, task_sources
from rules.removal import Membership
from sources.contract import Findings, Found
from store import asking
from store.asking import Person
from store.removals import Item
from workers.last_log import LogSeen, end_of_stream, read_log
from workers.looking import Question, look
from workers.slicing import Slice
from workers.station import Asana

PERMITS_FOR_A_SOURCE = 12
"""A page of tasks, the stories of several, and what is asked besides."""
SEARCHES = 2
"""Of a deep look at one person: of a second's worth each, so they are waited for before the look begins."""


@dataclass(frozen=True)
class Look:
    """What the last look saw, and when its last byte came."""

    person: Person
    findings: list[Findings]
    membership: Membership | None
    trouble: str | None
    began_at: datetime
    at: datetime
    at_monotonic: float
    log: LogSeen | None = None
    """What the audit log says since the pull, where the rule stands on it."""

    @property
    def trouble_with_activity(self) -> str | None:
        """Say why a source told nothing of the person; None if all of them did."""
        troubles = [why for found in self.findings for why in found.troubles.values()]
        if self.log is not None and self.log.trouble is not None:
            troubles.append(self.log.trouble)
        return next(iter(troubles), None)

    @property
    def all_findings(self) -> list[Findings]:
        """What is kept of the look."""
        return self.findings if self.log is None else [*self.findings, self.log.findings()]

    def evidence(self) -> dict[str, object]:
        """Return it as it is kept with the intent: no names."""
        act = self._last_act()
        return {
            "reason": "last_look",
            "at": self.at.isoformat(),
            "activity_since": self.person.tasks_since.isoformat(),
            "sources": [found.source for found in self.all_findings],
            "act": act.act if act else None,
            "acted_at": act.at.isoformat() if act else None,
        }

    def _last_act(self) -> Found | None:
        acts = [act for found in self.all_findings for act in found.acts if act.user_gid == self.person.user_gid]
        return max(acts, key=lambda act: act.at, default=None)


def permits_for(plan: AsanaPlan) -> int:
    """Return how many permits a look takes at most, as a rule; whoever needs more waits for them."""
    return PERMITS_FOR_A_SOURCE * len(task_sources(plan))


def searches_for(plan: AsanaPlan) -> int:
    """Return how many searches a look makes, as a rule."""
    return SEARCHES if "search" in task_sources(plan) else 0


async def look_at(piece: Slice, asana: Asana, person: Item) -> Look | None:
    """Read the person's activity, then their membership; None if they are no active paid seat any more."""
    began_at = piece.now()
    async with piece.station.pool.connection() as connection:
        known = await asking.people(
            connection, person.profile_id, [person.subscription_id], threshold=timedelta(0), now=began_at
        )
        log_since = await end_of_stream(connection, asana, person.profile_id)
    if not known:
        return None
    never_settled = timedelta(0)  # as if no act were recent enough: the search is asked whatever the tasks say
    question = Question(asana.reader, asana.organization_gid, asana.plan, never_settled, began_at)
    async with _permits_to_read(asana):
        findings = await look(question, known[0])
        log = await _log(asana, person, log_since, began_at)
    membership, trouble = await _membership(asana, person.user_gid)
    return Look(known[0], findings, membership, trouble, began_at, piece.now(), time.monotonic(), log)


async def _log(asana: Asana, person: Item, since: datetime | None, began_at: datetime) -> LogSeen | None:
    service = asana.opened.service
    if since is None or service is None:
        return None
    return await read_log(service, asana.organization_gid, person.user_gid, since=since, until=began_at)


def _permits_to_read(asana: Asana) -> AbstractAsyncContextManager[None]:
    """Put permits of the service account aside, where activity is read with it; the caller has those of the person."""
    service = asana.opened.service
    if service is None:
        return nullcontext()
    return service.permits.reserved(permits_for(asana.plan), searches=searches_for(asana.plan))


async def _membership(asana: Asana, user_gid: str) -> tuple[Membership | None, str | None]:
    """Return the membership as it is now, or why Asana would not say: one person's unknown, and no one else's."""
    try:
        answer = await asana.client.membership_of(asana.organization_gid, user_gid)
    except (TryLater, NotAuthorized):
        raise
    except AsanaError as error:
        return None, str(error)
    if answer is None:
        return None, None
    seat = (answer.gid, answer.is_active, answer.is_admin, answer.is_guest, answer.is_view_only, answer.created_at)
    return Membership(*seat), None
