"""Tasks and their stories, as far as the caller may see them."""

from sandbox.asana.answering import Call
from sandbox.asana.errors import BadRequest, Forbidden, Json, unknown
from sandbox.asana.model import Task
from sandbox.asana.moments import moment_of
from sandbox.asana.routes_users import own_workspace, visible_person
from sandbox.asana.shapes import STORY, TASK


def get_tasks(call: Call) -> Json:
    """The tasks now assigned to a person in a workspace, in no order that says anything about their dates."""
    query = call.query
    if "assignee" not in query or "workspace" not in query:
        raise BadRequest("You should specify one of workspace and assignee, or project, or tag, or section")
    workspace = own_workspace(call, query["workspace"])
    person = visible_person(call, query["assignee"], "assignee")
    modified_since, completed_since = moment_of(call, "modified_since"), moment_of(call, "completed_since")
    found = [
        task
        for task in person.assigned.values()
        if task.workspace is workspace
        and (modified_since is None or task.modified_at >= modified_since)
        and (completed_since is None or task.completed_at is None or task.completed_at >= completed_since)
        and call.caller.sees(task)
    ]
    filters = f"{query.get('modified_since')} {query.get('completed_since')}"
    listing = f"tasks {workspace.gid} {person.gid} {filters} {call.caller.name}"
    page, beside = call.look.pages.cut(found, query, listing, call.url, call.path)
    write = TASK.writer(query.get("opt_fields"))
    return {"data": [write(task, call.caller.person) for task in page], **beside}


def get_task(call: Call) -> Json:
    task = _visible_task(call)
    return {"data": TASK.writer(call.query.get("opt_fields"), full=True)(task, call.caller.person)}


def get_stories(call: Call) -> Json:
    """Everything that was done to a task, oldest first."""
    task = _visible_task(call)
    listing = f"stories {task.gid} {call.caller.name}"
    page, beside = call.look.pages.cut(task.stories, call.query, listing, call.url, call.path)
    write = STORY.writer(call.query.get("opt_fields"))
    return {"data": [write(story, call.caller.person) for story in page], **beside}


def _visible_task(call: Call) -> Task:
    """The task asked for. One that the caller may not see is a 403, as the document says of lacking access."""
    gid = call.gids["task_gid"]
    task = call.state.tasks.get(gid)
    if task is None:
        raise unknown("task", gid)
    if not call.caller.sees(task):
        raise Forbidden("Forbidden: You do not have access to this task")
    return task
