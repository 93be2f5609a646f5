"""The fields of each resource, as the schemas of Asana's OpenAPI document name them."""

from operator import attrgetter

from sandbox.asana.clock import written
from sandbox.asana.fields import ABSENT, Shape
from sandbox.asana.model import Actor, Agent, Membership, Person, Story, Task, Workspace

WORKSPACE = Shape[Workspace](
    "workspace",
    attrgetter("gid"),
    compact="name",
    full="name,email_domains,is_organization",
    plain={
        "name": attrgetter("name"),
        "email_domains": attrgetter("email_domains"),
        "is_organization": attrgetter("is_organization"),
    },
)

USER = Shape[Actor](
    "user",
    attrgetter("gid"),
    compact="name",
    full="name,email,photo,workspaces.resource_type,workspaces.name",
    plain={
        "name": attrgetter("name"),
        # The document has no null here: somebody without an address has no such field.
        "email": lambda user: (user.email or ABSENT) if isinstance(user, Person) else ABSENT,
        "photo": lambda _: None,
        "custom_fields": lambda _: [],
    },
)


def shared_workspaces(user: Actor, asker: Person | None) -> list[Workspace]:
    """The workspaces in which both are active: nobody learns of another's further ones."""
    if isinstance(user, Agent):
        return []
    return [
        one.workspace
        for gid, one in user.memberships.items()
        if one.is_active and (asker is None or (gid in asker.memberships and asker.memberships[gid].is_active))
    ]


USER.nest("workspaces", shared_workspaces, WORKSPACE)

AGENT = Shape[Agent](
    "agent",
    attrgetter("gid"),
    compact="name,resource_subtype",
    plain={"name": attrgetter("name"), "resource_subtype": lambda _: "asana_teammate"},
)

TASK_LIST = Shape[Membership](
    "user_task_list",
    attrgetter("task_list_gid"),
    compact="name,owner.resource_type,owner.name,workspace.resource_type,workspace.name",
    plain={"name": lambda one: f"My tasks in {one.workspace.name}"},
)
TASK_LIST.nest("owner", lambda one, _: one.person, USER)
TASK_LIST.nest("workspace", lambda one, _: one.workspace, WORKSPACE)


def _vacation(one: Membership) -> object:
    """The days away as the document has them, or null."""
    return one.vacation and {"start_on": one.vacation[0].isoformat(), "end_on": one.vacation[1].isoformat()}


MEMBERSHIP = Shape[Membership](
    "workspace_membership",
    attrgetter("gid"),
    compact="user.resource_type,user.name,workspace.resource_type,workspace.name",
    full="user.resource_type,user.name,workspace.resource_type,workspace.name,user_task_list.resource_type,"
    "user_task_list.name,user_task_list.owner,user_task_list.workspace,"
    "created_at,is_active,is_admin,is_guest,is_view_only,vacation_dates",
    plain={
        "created_at": lambda one: written(one.created_at),
        "is_active": attrgetter("is_active"),
        "is_admin": attrgetter("is_admin"),
        "is_guest": attrgetter("is_guest"),
        "is_view_only": attrgetter("is_view_only"),
        "vacation_dates": _vacation,
    },
)
MEMBERSHIP.nest("user", lambda one, _: one.person, USER)
MEMBERSHIP.nest("workspace", lambda one, _: one.workspace, WORKSPACE)
MEMBERSHIP.nest("user_task_list", lambda one, _: one, TASK_LIST)

OOO_ENTRY = Shape[Membership](
    "ooo_entry",
    attrgetter("gid"),
    compact="start_date,end_date,user.resource_type,user.name",
    plain={
        "start_date": lambda one: one.vacation and one.vacation[0].isoformat(),
        "end_date": lambda one: one.vacation and one.vacation[1].isoformat(),
    },
)
OOO_ENTRY.nest("user", lambda one, _: one.person, USER)
OOO_ENTRY.nest("created_by", lambda one, _: one.person, USER)

STORY = Shape[Story](
    "story",
    attrgetter("gid"),
    compact="created_at,created_by.resource_type,created_by.name,resource_subtype,text",
    plain={
        "created_at": lambda story: written(story.created_at),
        "resource_subtype": attrgetter("subtype"),
        "text": attrgetter("text"),
        "type": lambda story: "comment" if story.subtype == "comment_added" else "system",
    },
)
STORY.nest("created_by", lambda story, _: story.created_by, USER)

TASK = Shape[Task](
    "task",
    attrgetter("gid"),
    compact="name,resource_subtype",
    full="name,resource_subtype,created_at,modified_at,completed,completed_at,due_on,due_at,start_on,notes,"
    "num_likes,liked,assignee.resource_type,assignee.name,followers.resource_type,followers.name,"
    "workspace.resource_type,workspace.name",
    plain={
        "name": attrgetter("name"),
        "resource_subtype": lambda _: "default_task",
        "created_at": lambda task: written(task.created_at),
        "modified_at": lambda task: written(task.modified_at),
        "completed": lambda task: task.completed_at is not None,
        "completed_at": lambda task: task.completed_at and written(task.completed_at),
        "due_on": lambda _: None,
        "due_at": lambda _: None,
        "start_on": lambda _: None,
        "notes": lambda _: "",
        "num_likes": lambda _: 0,
        "liked": lambda _: False,
        "likes": lambda _: [],
        "custom_fields": lambda _: [],
        "permalink_url": lambda task: f"https://app.asana.com/0/0/{task.gid}",
    },
)
TASK.nest("assignee", lambda task, _: task.assignee, USER)
TASK.nest("created_by", lambda task, _: task.created_by, USER)
TASK.nest("assigned_by", lambda task, _: task.assigned_by, USER)
TASK.nest("completed_by", lambda task, _: task.completed_by, USER)
TASK.nest("followers", lambda task, _: list(task.followers.values()), USER)
TASK.nest("workspace", lambda task, _: task.workspace, WORKSPACE)
