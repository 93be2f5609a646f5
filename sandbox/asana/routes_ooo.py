"""Out-of-office entries: the days away that a membership has, as the route for one person gives them."""

from datetime import date

from sandbox.asana.answering import Call
from sandbox.asana.errors import BadRequest, Json
from sandbox.asana.routes_users import own_workspace, visible_person
from sandbox.asana.shapes import OOO_ENTRY


def get_ooo_entries(call: Call) -> Json:
    """One person's entries in a workspace, filtered by the days that they overlap."""
    for name in ("user", "workspace"):
        if name not in call.query:
            raise BadRequest(f"{name}: Missing input")
    workspace, person = own_workspace(call, call.query["workspace"]), visible_person(call, call.query["user"])
    begin, end = _day(call, "start_date"), _day(call, "end_date")
    membership = workspace.by_person.get(person.gid)
    found = [
        one
        for one in ([membership] if membership else [])
        if one.vacation and (begin is None or one.vacation[1] >= begin) and (end is None or one.vacation[0] <= end)
    ]
    listing = f"ooo {workspace.gid} {person.gid} {call.caller.name}"
    page, beside = call.look.pages.cut(found, call.query, listing, call.url, call.path)
    write = OOO_ENTRY.writer(call.query.get("opt_fields"))
    return {"data": [write(one, call.caller.person) for one in page], **beside}


def _day(call: Call, name: str) -> date | None:
    try:
        return date.fromisoformat(call.query[name]) if name in call.query else None
    except ValueError:
        raise BadRequest(f"{name}: Not a valid date: {call.query[name]}") from None
