"""Settling claims about activity by reading: tasks, stories, searches and the audit log.

Few reads: some tasks of the last week with their stories, three searches, and some pages of the log.
"""

from datetime import datetime, timedelta

from asana_api.answers import Story, Task
from asana_api.client import AsanaClient
from asana_api.errors import Forbidden, NotUnderstood, PlanTooLow, RestartListing
from asana_api.searching import Relation, Sought
from console.probe_seats import PAGES, SeatTrials, Seen, outcome_of, told_of

TASKS, PEOPLE = 5, 25
LOOKED_BACK = timedelta(days=7)
LAG = timedelta(minutes=2)


class NoServiceAccount(Exception):
    """The connection has no service account."""


class ActivityTrials:
    """The trials of activity in one organization; `service` asks as its service account, if it has one."""

    def __init__(
        self,
        client: AsanaClient,
        service: AsanaClient | None,
        organization_gid: str,
        seats: SeatTrials,
        *,
        own_gid: str,
        now: datetime,
    ) -> None:
        self._client, self._service, self._gid, self._seats = client, service, organization_gid, seats
        self._own, self._now = own_gid, now
        self._tasks: dict[str, list[Story]] = {}

    async def search(self) -> list[Seen]:
        people = list(dict.fromkeys([self._own, *(one.user_gid for one in self._seats.people)]))[:PEOPLE]
        try:
            found = await self._client.search_page(self._gid, self._sought("created_by", people))
        except PlanTooLow as error:
            return [("search-needs-a-plan", "confirmed", told_of(error))]
        except NotUnderstood as error:
            return [("search-of-25-people", "refuted", f"{len(people)} people: {told_of(error)}")]
        enough = outcome_of(against=False, in_favour=len(people) == PEOPLE)
        return [
            ("search-needs-a-plan", "unsettled", "the search works, so the organization is paid for"),
            ("search-of-25-people", enough, f"{len(found)} tasks for {len(people)} people"),
        ]

    async def stories(self) -> list[Seen]:
        tasks = await self._recent_tasks()
        late = sum(task.modified_at < max((one.created_at for one in self._tasks[task.gid]), default=task.modified_at)
                   for task in tasks)  # fmt: skip
        with_stories = sum(bool(self._tasks[task.gid]) for task in tasks)
        outcome = outcome_of(against=late > 0, in_favour=with_stories > 0)
        return [("stories-move-tasks", outcome, f"{late} of {with_stories} tasks have a story after modified_at")]

    async def commenters(self) -> list[Seen]:
        found = await self._client.search_page(self._gid, self._sought("followers", self._gids()))
        comments = away = 0
        for task in found[:TASKS]:
            followers = {one.gid for one in task.followers}
            for story in (await self._client.story_page(task.gid)).items:
                if story.resource_subtype == "comment_added" and story.created_by_gid is not None:
                    comments += 1
                    away += story.created_by_gid not in followers
        outcome = outcome_of(against=away > 0, in_favour=comments > 0)
        return [("commenters-follow", outcome, f"{away} of {comments} comments are by people who do not follow")]

    async def lag(self) -> list[Seen]:
        since, until = self._now - timedelta(hours=1), self._now - LAG
        changed: dict[str, str] = {}
        for gid in self._gids()[:TASKS]:
            page = await self._client.task_page(gid, self._gid, since)
            changed |= {task.gid: gid for task in page.items if since < task.modified_at < until}
        if not changed:
            return [("search-lags-a-minute", "unsettled", "nothing was changed between an hour and two minutes ago")]
        sought = Sought("assignee", sorted(set(changed.values())), modified_after=since)
        missing = set(changed) - {one.gid for one in await self._client.search_page(self._gid, sought)}
        told = f"{len(missing)} of {len(changed)} changed tasks are not in the search"
        return [("search-lags-a-minute", "refuted" if missing else "confirmed", told)]

    async def log_refused(self) -> list[Seen]:
        try:
            await self._client.audit_page(self._gid, start_at=self._now - timedelta(hours=1))
        except (Forbidden, PlanTooLow) as error:
            return [("log-is-for-service-accounts", "confirmed", told_of(error))]
        return [("log-is-for-service-accounts", "refuted", "the log answers the account's own token")]

    async def log(self) -> list[Seen]:
        page = await self._asked_as_service().audit_page(self._gid, start_at=self._now - timedelta(days=120))
        times = [one.created_at for one in page.events]
        if not times:
            return [(one, "unsettled", "the log is empty") for one in ("log-ascends", "log-keeps-90-days")]
        days = (self._now - times[0]).days
        return [
            ("log-ascends", "confirmed" if times == sorted(times) else "refuted", f"{len(times)} events"),
            ("log-keeps-90-days", "refuted" if days > 91 else "confirmed" if days > 85 else "unsettled",
             f"the first event is {days} days old"),
        ]  # fmt: skip

    async def log_goes_on(self) -> list[Seen]:
        service, since = self._asked_as_service(), self._now - timedelta(hours=1)
        page, seen = await service.audit_page(self._gid, start_at=since), set[str]()
        for _ in range(PAGES):
            seen |= {one.gid for one in page.events}
            if page.next_offset is None:
                return [("log-goes-on", "unsettled", "nothing happened in the last hour")]
            try:
                page = await service.audit_page(self._gid, start_at=since, offset=page.next_offset)
            except RestartListing as error:
                return [("log-goes-on", "refuted", told_of(error))]
            if seen & {one.gid for one in page.events}:
                return [("log-goes-on", "refuted", "an event came twice")]
            if not page.events:
                break
        return [("log-goes-on", "confirmed", f"{len(seen)} events, none twice")]

    def _asked_as_service(self) -> AsanaClient:
        if self._service is None:
            raise NoServiceAccount
        return self._service

    def _gids(self) -> list[str]:
        return [one.user_gid for one in self._seats.people if one.is_active][:PEOPLE] or [self._own]

    def _sought(self, relation: Relation, people: list[str]) -> Sought:
        return Sought(relation, people, modified_after=self._now - LOOKED_BACK)

    async def _recent_tasks(self) -> list[Task]:
        """Read some tasks, and then their stories: a story that came in between is after `modified_at` by right."""
        chosen: list[Task] = []
        for gid in self._gids():
            page = await self._client.task_page(gid, self._gid, self._now - LOOKED_BACK)
            chosen += page.items[: TASKS - len(chosen)]
            if len(chosen) >= TASKS:
                break
        for task in chosen:
            stories = (await self._client.story_page(task.gid)).items
            self._tasks[task.gid] = [one for one in stories if one.created_at <= self._now - LAG]
        return chosen
