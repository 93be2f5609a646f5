"""Workspaces, and the two calls that change who belongs to one."""

from sandbox.asana.answering import Call
from sandbox.asana.errors import BadRequest, Forbidden, Json, unknown
from sandbox.asana.model import Membership, Person, Workspace
from sandbox.asana.routes_users import named_person, own_workspace
from sandbox.asana.shapes import USER, WORKSPACE


def get_workspaces(call: Call) -> Json:
    """The caller's own workspaces, the organization among them."""
    own = [one for one in call.state.workspaces.values() if call.caller.belongs_to(one)]
    listing = f"workspaces {call.caller.name}"
    page, beside = call.look.pages.cut(own, call.query, listing, call.url, call.path)
    write = WORKSPACE.writer(call.query.get("opt_fields"))
    return {"data": [write(one, call.caller.person) for one in page], **beside}


def get_workspace(call: Call) -> Json:
    workspace = own_workspace(call, call.gids["workspace_gid"])
    return {"data": WORKSPACE.writer(call.query.get("opt_fields"), full=True)(workspace, call.caller.person)}


def remove_user(call: Call) -> Json:
    """End a membership.

    With a personal or OAuth token the person's tasks go to the caller, with a service account's to the admin named for
    that. Asana's behaviour for its last admin is not documented: here it is removed like anybody, so that a client
    which relies on being stopped is found out. Somebody who is no member (any more) is a 404.
    """
    workspace = own_workspace(call, call.gids["workspace_gid"])
    if not call.caller.is_admin_of(workspace):
        raise Forbidden("Forbidden: You must be an admin of the workspace to remove users")
    name = call.sent("user")
    person = named_person(call, name)
    assert call.removal
    call.removal.person = person.gid
    membership = workspace.by_person.get(person.gid)
    if membership is None or not membership.is_active:
        raise unknown("user", name)
    _hand_over(call, person, workspace)
    _end(call, membership)
    call.removal.accepted = True
    return {"data": {}}


def _hand_over(call: Call, person: Person, workspace: Workspace) -> None:
    """The person's tasks lose their assignee; the receiver follows them from now on, as their new keeper.

    A private task that no other member can see stays that way: it is lost.
    """
    removal, state = call.removal, call.state
    assert removal
    by_service = call.caller.kind == "service_account"
    receiver = call.look.receiving_admin() if by_service else call.caller.person
    removal.given_to = receiver.gid
    for task in [task for task in person.assigned.values() if task.workspace is workspace]:
        state.assign(task, None)
        task.modified_at = call.look.clock.now()
        seers = {task.created_by.gid, *task.followers} - {person.gid}
        if task.is_private and not any(gid in workspace.by_person for gid in seers):
            removal.lost.append(task.gid)
        else:
            state.follow(task, receiver)
            removal.given.append(task.gid)


def _end(call: Call, membership: Membership) -> None:
    """The membership goes from all listings, and a look-up of it is a 404.

    The document has inactive memberships ("currently associated with the workspace") but does not say who gets one;
    `removed_stay_listed` plays the other reading: the row stays, inactive.
    """
    if call.look.removed_stay_listed:
        membership.is_active = membership.is_admin = False
        membership.workspace.revision += 1
    else:
        call.state.leave(membership)


def add_user(call: Call) -> Json:
    """Invite somebody, anew or for the first time: a new membership, created now, with no special role.

    Who is a member already stays as they are.
    """
    workspace = own_workspace(call, call.gids["workspace_gid"])
    own = workspace.by_person.get(call.caller.person.gid)
    if own is None or own.is_guest:
        raise Forbidden("Forbidden: You may not invite users to this workspace")
    person = _invited(call, call.sent("user"))
    membership = workspace.by_person.get(person.gid)
    if membership is None or not membership.is_active:
        state = call.state
        domain = (person.email or "").lower().rpartition("@")[2]
        state.join(
            Membership(
                state.new_gid(),
                person,
                workspace,
                call.look.clock.now(),
                is_guest=bool(workspace.email_domains) and bool(domain) and domain not in workspace.email_domains,
                task_list_gid=state.new_gid(),
            )
        )
    fields = call.query.get("opt_fields") or "resource_type,name,email,photo"
    return {"data": USER.writer(fields)(person, call.caller.person)}


def _invited(call: Call, name: str) -> Person:
    """The person meant; an address that nobody has makes a new one, who has not come yet."""
    if "@" not in name or call.state.find_person(name):
        return named_person(call, name)
    local, _, domain = name.partition("@")
    if not local or not domain or " " in name:
        raise BadRequest(f"user: Not a valid email address: {name}")
    return call.state.add_person(Person(call.state.new_gid(), local, name, "invited"))
