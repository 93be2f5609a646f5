"""Users: who there is, by gid and name. What place they have in a workspace is told by their memberships."""

from sandbox.asana.answering import Call
from sandbox.asana.errors import BadRequest, Forbidden, Json, unknown
from sandbox.asana.model import Person, Workspace
from sandbox.asana.shapes import AGENT, USER, shared_workspaces

TRAP = 2000
"""Where `/workspaces/{gid}/users` stops without a word."""


def named_person(call: Call, name: str, what: str = "user") -> Person:
    """The person that a gid, an address or "me" means.

    Raises BadRequest for what cannot be a gid, and NotFound for one that nobody has.
    """
    if name == "me":
        return call.caller.person
    person = call.state.find_person(name)
    if person:
        return person
    if "@" in name or (name.isascii() and name.isdigit()):
        raise unknown(what, name)
    raise BadRequest(f"{what}: Not a recognized ID: {name}")


def visible_person(call: Call, name: str, what: str = "user") -> Person:
    """The same, but somebody who shares no workspace with the caller is not known to them."""
    person = named_person(call, name, what)
    if call.caller.kind != "service_account" and not shared_workspaces(person, call.caller.person):
        raise unknown(what, name)
    return person


def own_workspace(call: Call, gid: str) -> Workspace:
    """A workspace that the caller belongs to; raises NotFound or Forbidden."""
    workspace = call.state.workspaces.get(gid)
    if workspace is None:
        if not gid.isdigit():
            raise BadRequest(f"workspace: Not a recognized ID: {gid}")
        raise unknown("workspace", gid)
    if not call.caller.belongs_to(workspace):
        raise Forbidden("Forbidden: You do not have access to this workspace")
    return workspace


def get_users(call: Call) -> Json:
    """Everybody in the workspace asked for, or in all of the caller's; by gid."""
    if "team" in call.query:
        raise unknown("team", call.query["team"])  # there are no teams here
    if "workspace" in call.query:
        people = call.state.members(own_workspace(call, call.query["workspace"]))
    else:
        own = [one for one in call.state.workspaces.values() if call.caller.belongs_to(one)]
        everybody = {person.gid: person for workspace in own for person in call.state.members(workspace)}
        people = sorted(everybody.values(), key=lambda person: int(person.gid))
    listing = f"users {call.query.get('workspace')} {call.caller.name}"
    page, beside = call.look.pages.cut(people, call.query, listing, call.url, call.path)
    write = USER.writer(call.query.get("opt_fields"))
    return {"data": [write(person, call.caller.person) for person in page], **beside}


def get_user(call: Call) -> Json:
    person = visible_person(call, call.gids["user_gid"])
    return {"data": USER.writer(call.query.get("opt_fields"), full=True)(person, call.caller.person)}


def get_users_of_workspace(call: Call) -> Json:
    """The trap: alphabetical, cut at 2,000 without a word, and no `next_page` ever (so no offset is good either)."""
    people = call.state.members_by_name(own_workspace(call, call.gids["workspace_gid"]))
    if "offset" in call.query:
        raise BadRequest("offset: Your pagination token is invalid.")
    write = USER.writer(call.query.get("opt_fields"))
    return {"data": [write(person, call.caller.person) for person in people[:TRAP]]}


def get_agents(call: Call) -> Json:
    """AI teammates: they act, but are no people and hold no seats."""
    workspace = own_workspace(call, call.gids["workspace_gid"])
    listing = f"agents {workspace.gid} {call.caller.name}"
    page, beside = call.look.pages.cut(workspace.agents, call.query, listing, call.url, call.path)
    write = AGENT.writer(call.query.get("opt_fields"))
    return {"data": [write(agent, call.caller.person) for agent in page], **beside}
