"""A person's latest act among some tasks: made, completed, or any story of theirs, newest first and no further.

Stories count that Asana says the person made. What Asana does by itself (a due date that has come) has no `created_by`,
and counts for nobody. A rule's deed in somebody's name counts for them: we keep a seat rather than guess.

A story moves its task's `modified_at` to its own time or later (Asana's OpenAPI document, Task.modified_at), so a task
that was not modified since the best act that is known cannot hold a later one. Where an answer breaks what this stands
on, it is a BadAnswer: nothing may be claimed of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from asana_api.answers import Story, Task
from asana_api.client import AsanaClient
from asana_api.errors import BadAnswer
from asana_api.paging import whole_listing
from sources.contract import Asked, Found

CLOCKS = timedelta(seconds=1)
"""How far Asana's own times may be apart before we say that they contradict each other."""
AHEAD = timedelta(days=2)
"""How long after its start a pull may still see acts, by any clock; later ones are of the future."""

Seen = TypeVar("Seen", bound=Task)


@dataclass(slots=True)
class Latest:
    """The latest act of one person so far. `whole_until`: what happened up to then is in the answers."""

    asked: Asked
    whole_until: datetime
    act: Found | None = None

    @property
    def at(self) -> datetime | None:
        """When it was; None if no act is known."""
        return self.act.at if self.act is not None else self.asked.best_known

    @property
    def acts(self) -> list[Found]:
        """What was found and not known before: one act or none."""
        return [self.act] if self.act is not None else []

    def could_be_after(self, modified_at: datetime) -> bool:
        """Whether a task that was modified last then may hold a later act."""
        return self.at is None or modified_at > self.at

    def see(self, at: datetime, act: str, proof: str) -> None:
        """Take note of an act of the person's. BadAnswer for one of the future, which would hide all that follow."""
        if at > self.whole_until + AHEAD:
            raise BadAnswer(f"{proof} is of the future")
        if self.at is None or at > self.at:
            self.act = Found(self.asked.user_gid, at, act, proof)


async def look_through(client: AsanaClient, tasks: Iterable[Task], latest: Latest) -> None:
    """Bring `latest` up to date with these tasks, each whole. Raises any AsanaError; what was seen before it stands."""
    found = list(tasks)
    each = once_each(found)
    for task in found:
        see_own_acts(task, latest)
    for task in sorted(each, key=lambda task: task.modified_at, reverse=True):
        if not latest.could_be_after(task.modified_at):
            break
        await see_own_stories(client, task, latest)


def once_each(tasks: Iterable[Seen]) -> list[Seen]:
    """Return each task once, as modified last: pages are no snapshot. BadAnswer if two contradict each other."""
    latest: dict[str, Seen] = {}
    for task in tasks:
        if task.modified_at < task.created_at - CLOCKS:
            raise BadAnswer(f"task/{task.gid} was modified before it was made")
        other = latest.setdefault(task.gid, task)
        if (other.created_at, other.created_by_gid) != (task.created_at, task.created_by_gid):
            raise BadAnswer(f"task/{task.gid} comes twice, made at different times or by different people")
        if task.modified_at > other.modified_at:
            latest[task.gid] = task
    return list(latest.values())


def see_own_acts(task: Task, latest: Latest) -> None:
    """Take note of the making and the completing of a task, if the person did it."""
    if task.created_by_gid == latest.asked.user_gid:
        latest.see(task.created_at, "task_created", f"task/{task.gid}")
    if task.completed_by_gid == latest.asked.user_gid and task.completed_at is not None:
        latest.see(task.completed_at, "task_completed", f"task/{task.gid}")


async def see_own_stories(client: AsanaClient, task: Task, latest: Latest) -> None:
    """Take note of the person's stories on a task, whose listing is read to its end."""
    for story in await stories_of(client, task.gid):
        if story.created_by_gid != latest.asked.user_gid:
            continue
        proof = f"task/{task.gid}/story/{story.gid}"
        latest.see(story.created_at, story.resource_subtype, proof)
        if story.created_at < task.created_at - CLOCKS:
            raise BadAnswer(f"{proof} is older than its task")
        if task.modified_at + CLOCKS < story.created_at <= latest.whole_until:
            raise BadAnswer(f"{proof} did not move its task's modified_at")


async def stories_of(client: AsanaClient, task_gid: str) -> Sequence[Story]:
    """Return a task's whole history, each line once. BadAnswer if a line comes twice and differs."""
    lines: dict[str, Story] = {}
    for story in await whole_listing(lambda offset: client.story_page(task_gid, offset)):
        other = lines.setdefault(story.gid, story)
        if (other.created_at, other.created_by_gid) != (story.created_at, story.created_by_gid):
            raise BadAnswer(f"task/{task_gid}/story/{story.gid} comes twice, at different times or of different people")
    return list(lines.values())
