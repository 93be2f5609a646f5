"""The source `search`: the tasks that a person follows or made, and who of many moved at all.

Whoever comments becomes a follower, so `followers.any` finds tasks of others that a person worked on. All facts on the
search are from Asana's page on it (paid plans; 402 on free): it shows what this account may see, answers at most 100
tasks without pages and in no stable order, and its index is 10 to 60 seconds behind. So:
- an answer that is full is asked for again in halves of its time, see `sources.windows`;
- claims end `SEARCH.lag` before `until`;
- whether the ends of a time belong to it is not said: each is asked for a second wider.
What `assigned_by.any` finds was assigned by one of them at some time: only the `assigned` story has who and when.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from asana_api.answers import FoundTask
from asana_api.client import AsanaClient
from asana_api.errors import AsanaError, ListingCut, NotAuthorized, NotUnderstood, PlanTooLow, TryLater
from asana_api.searching import FULL, Relation, Sought
from rules.evidence import SEARCH
from sources.acts import CLOCKS, Latest, look_through, once_each, stories_of
from sources.contract import Asked, Findings, Found
from sources.windows import WIDER, all_modified_since

AT_ONCE = 25
"""People in one search: their gids are in its address. Asana names no limit."""


@dataclass(frozen=True, slots=True)
class Watched:
    """Who of many moved: of anybody else, no task that `tasks` or a deep look could see was modified in the window.

    `acts` were seen on the way. The window ends at `seen_until`.
    """

    moved: frozenset[str]
    seen_until: datetime
    acts: list[Found] = field(default_factory=list)


async def deep_look(client: AsanaClient, organization_gid: str, asked: Asked, *, until: datetime) -> Findings:
    """Return the latest act on tasks that the person follows or made, and the window that was seen, less the lag.

    `until` (aware) must have passed. Only tasks modified after the best act that is known are searched. Raises
    TryLater and NotAuthorized; any other refusal, too many tasks, and whatever is odd is a trouble.
    """
    seen_until = until - SEARCH.lag
    found, latest = Findings("search"), Latest(asked, seen_until)
    try:
        await look_through(client, await _tasks_of(client, organization_gid, asked, until), latest)
    except (TryLater, NotAuthorized):
        raise
    except AsanaError as error:
        found.troubles[asked.user_gid] = str(error)
    else:
        found.covered[asked.user_gid] = (asked.since, max(asked.since, seen_until))
    found.acts += latest.acts
    return found


async def _tasks_of(client: AsanaClient, organization_gid: str, asked: Asked, until: datetime) -> list[FoundTask]:
    since = max(asked.since, asked.best_known or asked.since)
    tasks: list[FoundTask] = []
    relations: tuple[Relation, ...] = ("followers", "created_by")
    for relation in relations:

        async def search(
            after: datetime, before: datetime | None, relation: Relation = relation
        ) -> Sequence[FoundTask]:
            sought = Sought(relation, [asked.user_gid], modified_after=after, modified_before=before)
            return await client.search_page(organization_gid, sought)

        tasks += await all_modified_since(search, since, until)
    return tasks


async def watch(
    client: AsanaClient, organization_gid: str, gids: Sequence[str], *, since: datetime, until: datetime
) -> Watched:
    """Return who of these moved since `since`: whoever is the assignee, a follower or the maker of a modified task.

    `until` (aware) must have passed. Who cannot be told from others counts as moved, and so does everybody whose
    question is refused. Raises PlanTooLow, TryLater and NotAuthorized.
    """
    moved: set[str] = set()
    acts: list[Found] = []
    for first in range(0, len(gids), AT_ONCE):
        quiet = list(dict.fromkeys(gids[first : first + AT_ONCE]))
        relations: tuple[Relation, ...] = ("assignee", "followers", "created_by")
        for relation in relations:
            movers = await _movers(client, organization_gid, relation, quiet, since)
            moved |= movers
            quiet = [one for one in quiet if one not in movers]
        acts += await _assigning(client, organization_gid, quiet, since, until)
    return Watched(frozenset(moved), until - SEARCH.lag, acts)


async def _movers(
    client: AsanaClient, organization_gid: str, relation: Relation, gids: Sequence[str], since: datetime
) -> set[str]:
    """Return who of these has that relation to a task that was modified since.

    A full answer may hide people who are not in it: they are asked about again without those who are. A task that has
    nobody of them (its people changed while the index was behind) could be anybody's: then all of them moved.
    """
    moved: set[str] = set()
    rest = list(gids)
    while rest:
        try:
            tasks = await client.search_page(organization_gid, Sought(relation, rest, modified_after=since - WIDER))
        except (PlanTooLow, TryLater, NotAuthorized):
            raise
        except AsanaError as error:
            if len(rest) == 1 or not _concerns_the_number(error):
                return moved | set(rest)
            middle = len(rest) // 2
            moved |= await _movers(client, organization_gid, relation, rest[:middle], since)
            return moved | await _movers(client, organization_gid, relation, rest[middle:], since)
        named = [_people_of(task, relation) & set(rest) for task in tasks]
        if not all(named):
            return moved | set(rest)
        moved |= set().union(*named)
        rest = [one for one in rest if one not in moved] if len(tasks) >= FULL else []
    return moved


def _concerns_the_number(error: AsanaError) -> bool:
    """Whether fewer people could be understood: a 400, or an address that is too long for something on the way."""
    return isinstance(error, NotUnderstood | ListingCut) or error.status in (413, 414)


def _people_of(task: FoundTask, relation: Relation) -> set[str]:
    match relation:
        case "assignee":
            return {task.assignee.gid} if task.assignee is not None else set()
        case "followers":
            return {one.gid for one in task.followers}
        case _:
            return {task.created_by_gid} if task.created_by_gid is not None else set()


async def _assigning(
    client: AsanaClient, organization_gid: str, gids: Sequence[str], since: datetime, until: datetime
) -> list[Found]:
    """Return the latest act of each of these on tasks that they assigned to somebody. No window stands on it."""
    if not gids:
        return []
    people = {one: Latest(Asked(one, since), until) for one in gids}
    try:
        sought = Sought("assigned_by", gids, modified_after=since - WIDER)
        for task in once_each(await client.search_page(organization_gid, sought)):
            for story in await stories_of(client, task.gid):
                one = people.get(story.created_by_gid or "")
                if one is not None and story.created_at >= since:
                    one.see(story.created_at, story.resource_subtype, f"task/{task.gid}/story/{story.gid}")
    except (TryLater, NotAuthorized, PlanTooLow):
        raise
    except AsanaError:
        pass  # what was seen stands, and nothing is claimed of the rest
    return [act for one in people.values() for act in one.acts]


async def seen_making(
    client: AsanaClient, organization_gid: str, people: Sequence[Asked], *, until: datetime
) -> Findings:
    """Return the latest task that each of these made since they were asked about, and no window for anybody.

    Who made something is left out of the next question, so that a few questions are enough for many people who work.
    Raises PlanTooLow, TryLater and NotAuthorized; any other refusal ends the questions about a group.
    """
    found = Findings("search")
    for first in range(0, len(people), AT_ONCE):
        group = {one.user_gid: Latest(one, until) for one in people[first : first + AT_ONCE]}
        try:
            await _makers(client, organization_gid, group)
        except (PlanTooLow, TryLater, NotAuthorized):
            raise
        except AsanaError:
            pass  # whoever was found stands, and the others are asked otherwise
        found.acts += [act for one in group.values() for act in one.acts]
    return found


async def _makers(client: AsanaClient, organization_gid: str, group: dict[str, Latest]) -> None:
    rest, before = list(group), None
    since = min(one.asked.since for one in group.values())
    while rest:
        sought = Sought("created_by", rest, created_after=since - WIDER, created_before=before)
        tasks = await client.search_page(organization_gid, sought, sort_by="created_at")
        for task in tasks:
            if (one := group.get(task.created_by_gid or "")) is not None:
                one.see(task.created_at, "task_created", f"task/{task.gid}")
        makers = {task.created_by_gid for task in tasks}
        left = [one for one in rest if one not in makers]
        if len(tasks) < FULL or len(left) == len(rest):
            return
        rest, before = left, min(task.created_at for task in tasks) + CLOCKS
