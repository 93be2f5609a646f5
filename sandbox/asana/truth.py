"""The two truths that a client's findings are measured by.

*What happened*: each person's last use of any kind, and last act of work wherever it was done.
*What each source could see*. First `tasks`: for a caller and a window, the last own act that a perfect client finds in
`GET /tasks?assignee=…&modified_since=…` and in the stories of what that lists. Such a client sees a listed task whole,
so acts from before the window count as well; it sees nothing of tasks that are assigned to others, that the caller may
not read, or that nobody modified in the window. A client that stops early, once no task was modified after the best
act it knows, comes to the same result.

What `search` could see is the same for tasks that the person follows or made, whoever has them; `audit_log`, the last
event of the window that is a person's use; `export`, the day of the last use of any kind.

Everything is computed anew from the state, by going through all of it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime

from sandbox.asana.clock import written
from sandbox.asana.credentials import Credential
from sandbox.asana.log import KEPT
from sandbox.asana.lookalike import LookAlike
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
    seen_by_search: Act | None
    seen_by_audit_log: Act | None
    seen_by_export: date | None

    @property
    def last_work_at(self) -> datetime | None:
        return self.last_work.at if self.last_work else None

    @property
    def last_work_seen_by_tasks_at(self) -> datetime | None:
        return self.seen_by_tasks.at if self.seen_by_tasks else None


def truth(look: LookAlike, caller: Credential, since: datetime) -> dict[str, PersonTruth]:
    """Both truths about everybody who ever was in the organization, by gid; `since` is aware, and itself counts."""
    state = look.state
    work = latest_acts(act for task in state.tasks.values() for act in acts_of(task))
    by_tasks = latest_acts((actor, act) for task, actor, act in _listed(look, caller, since) if actor is task.assignee)
    by_search = latest_acts(
        (actor, act)
        for task, actor, act in _listed(look, caller, since)
        if actor is task.created_by or actor.gid in task.followers
    )
    logged = latest_acts(_logged(look, since))
    return {
        gid: _about(person, (work.get(gid), by_tasks.get(gid), by_search.get(gid), logged.get(gid)))
        for gid, person in state.people.items()
    }


def last_use_of(person: Person, last_work: Act | None) -> datetime | None:
    """When a person last used Asana in any way."""
    return _later(person.last_read_at, person.last_logged_at, last_work.at if last_work else None)


def _listed(look: LookAlike, caller: Credential, since: datetime) -> Iterator[tuple[Task, Actor, Act]]:
    """All acts on tasks that the caller may read and that were modified since then; made anew, since they are many."""
    for task in look.state.tasks.values():
        if task.workspace is look.state.company and task.modified_at >= since and caller.sees(task):
            yield from ((task, actor, act) for actor, act in acts_of(task))


def _about(person: Person, acts: tuple[Act | None, Act | None, Act | None, Act | None]) -> PersonTruth:
    work, by_tasks, by_search, logged = acts
    used = last_use_of(person, work)
    return PersonTruth(person, used, work, by_tasks, by_search, logged, used.date() if used else None)


def _logged(look: LookAlike, since: datetime) -> Iterator[tuple[Actor, Act]]:
    for event in look.log.since(max(since, look.clock.now() - KEPT)):
        if event.is_use and event.actor is not None and event.at <= look.clock.now():
            yield event.actor, Act(event.at, event.kind, "", event.gid)


def acts_of(task: Task) -> Iterator[tuple[Actor, Act]]:
    """All acts of work on a task, each with who did it."""
    yield task.created_by, Act(task.created_at, "created", task.gid)
    if task.completed_by and task.completed_at:
        yield task.completed_by, Act(task.completed_at, "completed", task.gid)
    for story in task.stories:
        yield story.created_by, Act(story.created_at, story.subtype, task.gid, story.gid)


def latest_acts(acts: Iterable[tuple[Actor, Act]]) -> dict[str, Act]:
    """The last act of each actor, by gid; of several at once the first one named."""
    last: dict[str, Act] = {}
    for actor, act in acts:
        known = last.get(actor.gid)
        if known is None or act.at > known.at:
            last[actor.gid] = act
    return last


def _later(*moments: datetime | None) -> datetime | None:
    return max((at for at in moments if at), default=None)


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
        "seen_by_search": row.seen_by_search and row.seen_by_search.as_json(),
        "seen_by_audit_log": row.seen_by_audit_log and row.seen_by_audit_log.as_json(),
        "seen_by_export": row.seen_by_export and row.seen_by_export.isoformat(),
    }
