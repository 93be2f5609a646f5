"""The activity source "tasks": a person's last act of work, from the tasks assigned to them and those tasks' stories.

What it sees: tasks created, tasks completed, and every story (comments, assigning, moving, ...) by the person on tasks
that are assigned to them now and visible to this account. What it cannot see: comments on other people's tasks, tasks
made for others, private tasks, reading. *Not seen* is therefore not *inactive*.

Which stories count: all that Asana says the person made. What Asana does by itself (a due date that has come) has no
`created_by`, and counts for nobody. A rule's deed in somebody's name counts for them: we keep a seat rather than guess.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from asana_api.answers import Task
from asana_api.client import AsanaClient
from asana_api.paging import whole_listing


@dataclass(frozen=True, slots=True)
class Act:
    """One act of work. `at` is aware; `story_gid` is None and `subtype` empty unless the kind is "story"."""

    at: datetime
    kind: Literal["task_created", "task_completed", "story"]
    task_gid: str
    story_gid: str | None = None
    subtype: str = ""


async def last_act_from_tasks(
    client: AsanaClient, workspace_gid: str, user_gid: str, modified_since: datetime, best_known: Act | None
) -> Act | None:
    """The later of `best_known` and the last act that this source can see; None if no act was ever seen.

    Complete or an error (any AsanaError), never a part: all pages of the person's tasks modified since, then the
    stories of those modified after the best act known, newest first. A story moves its task's `modified_at` to its own
    time or later (published OpenAPI document, Task.modified_at), so an older task cannot hold a later act. The act can
    be older than `modified_since`: somebody else may have modified a task that the person made long ago.
    """
    tasks = await whole_listing(lambda offset: client.task_page(user_gid, workspace_gid, modified_since, offset))
    best = _latest(best_known, (act for task in tasks for act in _own_acts(task, user_gid)))
    for task in sorted(tasks, key=lambda task: task.modified_at, reverse=True):
        if best is not None and task.modified_at <= best.at:
            break
        best = _latest(best, await _own_stories(client, task.gid, user_gid))
    return best


def _own_acts(task: Task, user_gid: str) -> Iterator[Act]:
    if task.created_by_gid == user_gid:
        yield Act(task.created_at, "task_created", task.gid)
    if task.completed_by_gid == user_gid and task.completed_at is not None:
        yield Act(task.completed_at, "task_completed", task.gid)


async def _own_stories(client: AsanaClient, task_gid: str, user_gid: str) -> list[Act]:
    stories = await whole_listing(lambda offset: client.story_page(task_gid, offset))
    return [
        Act(story.created_at, "story", task_gid, story.gid, story.resource_subtype)
        for story in stories
        if story.created_by_gid == user_gid
    ]


def _latest(best: Act | None, acts: Iterable[Act]) -> Act | None:
    for act in acts:
        if best is None or act.at > best.at:
            best = act
    return best
