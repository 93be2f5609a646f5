"""The task search: paid plans only, no pages, an index that is behind, and only what the caller may see."""

from collections.abc import Callable, Iterable
from datetime import datetime

from sandbox.asana.answering import Call
from sandbox.asana.errors import BadRequest, Json, PaymentRequired
from sandbox.asana.model import Task
from sandbox.asana.moments import moment_of
from sandbox.asana.paging import limit_of
from sandbox.asana.routes_users import own_workspace, visible_person
from sandbox.asana.shapes import TASK

RELATIONS = ("assignee", "followers", "created_by", "assigned_by")
TIMES = {"created_at": "created_at", "completed_at": "completed_at", "modified_at": "modified_at"}
SORTED_BY = {"modified_at", "created_at", "completed_at", "likes", "relevance"}
UNSORTED = {"likes", "relevance"}


def search_tasks(call: Call) -> Json:
    """Tasks that fit every parameter, at most 100. The ends of a time do not belong to it."""
    workspace = own_workspace(call, call.gids["workspace_gid"])
    if call.look.plan == "free":
        raise PaymentRequired("Search is only available to premium users.")
    if "offset" in call.query:
        raise BadRequest("offset: This endpoint does not paginate")
    limit = limit_of(call.query) or 20
    indexed = call.look.clock.now() - call.look.search_lag
    fits = _times(call, indexed)
    found = [
        task
        for task in _related(call)
        if task.workspace is workspace and task.created_at <= indexed and fits(task) and call.caller.sees(task)
    ]
    write = TASK.writer(call.query.get("opt_fields"))
    return {"data": [write(task, call.caller.person) for task in _sorted(call, found)[:limit]]}


def _related(call: Call) -> Iterable[Task]:
    """The tasks with one of the people in each relation that is named; all tasks if none is."""
    found: dict[str, Task] | None = None
    for relation in RELATIONS:
        named = call.query.get(f"{relation}.any")
        if named is None:
            continue
        tasks: dict[str, Task] = {}
        for gid in _people(call, f"{relation}.any", named):
            tasks |= call.state.related(relation, gid)
        found = tasks if found is None else {gid: task for gid, task in found.items() if gid in tasks}
    return call.state.tasks.values() if found is None else found.values()


def _people(call: Call, name: str, named: str) -> list[str]:
    people = [visible_person(call, one, name).gid for one in named.split(",") if one]
    if len(people) > call.look.most_in_search:
        raise BadRequest(f"{name}: Too many values, at most {call.look.most_in_search}")
    return people


def _times(call: Call, indexed: datetime) -> Callable[[Task], bool]:
    bounds = [
        (field, moment_of(call, f"{name}.after"), moment_of(call, f"{name}.before")) for name, field in TIMES.items()
    ]

    def fits(task: Task) -> bool:
        for field, after, before in bounds:
            if after is None and before is None:
                continue
            at = _modified_by(task, indexed) if field == "modified_at" else getattr(task, field)
            if at is None or (after is not None and at <= after) or (before is not None and at >= before):
                return False
        return True

    return fits


def _modified_by(task: Task, indexed: datetime) -> datetime:
    """When the task was modified last, as far as the index knows: what came since it shows as it was before."""
    if task.modified_at <= indexed:
        return task.modified_at
    known = [task.created_at, task.completed_at, *(story.created_at for story in task.stories)]
    return max(at for at in known if at is not None and at <= indexed)


def _sorted(call: Call, found: list[Task]) -> list[Task]:
    by = call.query.get("sort_by", "modified_at")
    if by not in SORTED_BY:
        raise BadRequest(f"sort_by: Not a recognized value: {by}")
    if by in UNSORTED:
        return found
    ascending = call.query.get("sort_ascending", "false") == "true"
    dated = [task for task in found if getattr(task, by) is not None]
    undated = [task for task in found if getattr(task, by) is None]
    return sorted(dated, key=lambda task: (getattr(task, by), task.gid), reverse=not ascending) + undated
