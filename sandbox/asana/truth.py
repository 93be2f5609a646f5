"""The two truths that a client's findings are measured by.

*What happened*: each person's last use of any kind, and last act of work wherever it was done.
*What the source `tasks` could see*: for a caller and a window, the last own act that a perfect client finds in
`GET /tasks?assignee=…&modified_since=…` and in the stories of what that lists. Such a client sees a listed task whole,
so acts from before the window count as well; it sees nothing of tasks that are assigned to others, that the caller may
not read, or that nobody modified in the window. A client that stops early, once no task was modified after the best
act it knows, comes to the same result.

Everything is computed anew from the state, by going through all of it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sandbox.asana.clock import written
from sandbox.asana.credentials import Credential
from sandbox.asana.model import Actor, Person, Task
from sandbox.asana.state import State


@dataclass(frozen=True, slots=True)
class Act:
    """Something that a person did: `created`, `completed`, or the subtype of the story that it left."""

    at: datetime
    kind: str
    task: str
    story: str | None = None

    def as_json(self) -> dict[str, object]:
        return {"at": written(self.at), "act": self.kind, "task": self.task, "story": self.story}


@dataclass(frozen=True, slots=True)
class PersonTruth:
    """Both truths about one person; None stands for never."""

    person: Person
    last_use_at: datetime | None
    last_work: Act | None
    seen_by_tasks: Act | None

    @property
    def last_work_at(self) -> datetime | None:
        return self.last_work.at if self.last_work else None

    @property
    def last_work_seen_by_tasks_at(self) -> datetime | None:
        return self.seen_by_tasks.at if self.seen_by_tasks else None


def truth(state: State, caller: Credential, since: datetime) -> dict[str, PersonTruth]:
    """Both truths about everybody who ever was in the organization, by gid; `since` is aware, and itself counts."""
    work = _latest(act for task in state.tasks.values() for act in acts_of(task))
    seen = _latest(
        (actor, act)
        for task in state.tasks.values()
        if task.workspace is state.company and task.modified_at >= since and caller.sees(task)
        for actor, act in acts_of(task)
        if actor is task.assignee
    )
    return {
        gid: PersonTruth(person, _later(person.last_read_at, work.get(gid)), work.get(gid), seen.get(gid))
        for gid, person in state.people.items()
    }


def acts_of(task: Task) -> Iterator[tuple[Actor, Act]]:
    """All acts of work on a task, each with who did it."""
    yield task.created_by, Act(task.created_at, "created", task.gid)
    if task.completed_by and task.completed_at:
        yield task.completed_by, Act(task.completed_at, "completed", task.gid)
    for story in task.stories:
        yield story.created_by, Act(story.created_at, story.subtype, task.gid, story.gid)


def _latest(acts: Iterable[tuple[Actor, Act]]) -> dict[str, Act]:
    """The last act of each actor, by gid; of several at once the first one named."""
    last: dict[str, Act] = {}
    for actor, act in acts:
        known = last.get(actor.gid)
        if known is None or act.at > known.at:
            last[actor.gid] = act
    return last


def _later(read: datetime | None, work: Act | None) -> datetime | None:
    return max((at for at in (read, work and work.at) if at), default=None)


def as_json(row: PersonTruth, state: State) -> dict[str, object]:
    """One person's row, for the control surface."""
    person = row.person
    membership = state.company.by_person.get(person.gid)
    return {
        "gid": person.gid,
        "name": person.name,
        "email": person.email,
        "archetype": person.archetype,
        "traits": sorted(person.traits),
        "is_member": bool(membership and membership.is_active),
        "is_admin": bool(membership and membership.is_admin),
        "is_guest": bool(membership and membership.is_guest),
        "is_view_only": bool(membership and membership.is_view_only),
        "joined_at": membership and written(membership.created_at),
        "last_use_at": row.last_use_at and written(row.last_use_at),
        "last_work_at": row.last_work_at and written(row.last_work_at),
        "last_work": row.last_work and row.last_work.as_json(),
        "last_work_seen_by_tasks_at": row.last_work_seen_by_tasks_at and written(row.last_work_seen_by_tasks_at),
        "seen_by_tasks": row.seen_by_tasks and row.seen_by_tasks.as_json(),
    }
