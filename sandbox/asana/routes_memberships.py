"""Workspace memberships: the list of seats."""

from collections.abc import Sequence

from sandbox.asana.answering import Call
from sandbox.asana.errors import Json, unknown
from sandbox.asana.model import Membership
from sandbox.asana.routes_users import named_person, own_workspace, visible_person
from sandbox.asana.shapes import MEMBERSHIP


def get_memberships_of_workspace(call: Call) -> Json:
    """All memberships, inactive ones too; with `user`, that person's only, or none."""
    workspace = own_workspace(call, call.gids["workspace_gid"])
    rows: Sequence[Membership]
    if "user" in call.query:
        found = workspace.by_person.get(named_person(call, call.query["user"]).gid)
        rows = [found] if found else []
    else:
        rows = call.state.memberships_of(workspace)
    return _listed(call, rows, f"memberships {workspace.gid} {call.query.get('user')}")


def get_memberships_of_user(call: Call) -> Json:
    """A person's memberships in those workspaces that the caller belongs to."""
    person = visible_person(call, call.gids["user_gid"])
    rows = [one for one in person.memberships.values() if call.caller.belongs_to(one.workspace)]
    return _listed(call, rows, f"memberships of {person.gid}")


def get_membership(call: Call) -> Json:
    gid = call.gids["workspace_membership_gid"]
    membership = call.state.memberships.get(gid)
    if membership is None or not call.caller.belongs_to(membership.workspace):
        raise unknown("workspace_membership", gid)
    return {"data": MEMBERSHIP.writer(call.query.get("opt_fields"), full=True)(membership, call.caller.person)}


def _listed(call: Call, rows: Sequence[Membership], listing: str) -> Json:
    page, beside = call.look.pages.cut(rows, call.query, f"{listing} {call.caller.name}", call.url, call.path)
    write = MEMBERSHIP.writer(call.query.get("opt_fields"))
    return {"data": [write(one, call.caller.person) for one in page], **beside}
