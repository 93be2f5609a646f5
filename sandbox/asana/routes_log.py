"""The audit log's route: a stream for service accounts, with the endless `next_page` that it has."""

import hashlib
from datetime import UTC, datetime, timedelta

from sandbox.asana.answering import Call
from sandbox.asana.errors import BadRequest, Forbidden, Json
from sandbox.asana.log import KEPT, Event
from sandbox.asana.moments import moment_of
from sandbox.asana.paging import limit_of
from sandbox.asana.routes_users import own_workspace

DEFAULT = 1000
"""Events in an answer without `limit`."""
PLANS = frozenset({"enterprise", "enterprise+"})
FILTERS = ("event_type", "actor_type", "actor_gid", "resource_gid")


def get_audit_log_events(call: Call) -> Json:
    """Events oldest first. Once anything matched, each answer has a `next_page`, also the empty one at the end.

    Who is no service account, or has a lower plan, is a 403: the document names no 402 on this route.
    """
    workspace = own_workspace(call, call.gids["workspace_gid"])
    if call.caller.kind != "service_account" or call.look.plan not in PLANS or not workspace.is_organization:
        raise Forbidden("Forbidden: Audit log events are available to service accounts of Enterprise organizations")
    limit = limit_of(call.query) or DEFAULT
    position = _position(call) if "offset" in call.query else None
    found = _page(call, position, limit)
    data = [event.as_json() for event in found]
    if not found:
        return {"data": data, "next_page": None if position is None else _way_on(call, call.query["offset"])}
    return {"data": data, "next_page": _way_on(call, _offset(call, found[-1]))}


def _page(call: Call, position: tuple[int, int] | None, limit: int) -> list[Event]:
    start, end = moment_of(call, "start_at"), moment_of(call, "end_at")
    oldest = call.look.clock.now() - KEPT
    page: list[Event] = []
    begin = max(start, oldest) if start else oldest
    if position is not None:
        begin = max(begin, datetime.fromtimestamp(position[0] / 1000, UTC))
    for event in call.look.log.since(begin):
        if (end is not None and event.at >= end) or event.at > call.look.clock.now() or len(page) == limit:
            break
        if (position is None or _key(event) > position) and _fits(call, event):
            page.append(event)
    return page


def _fits(call: Call, event: Event) -> bool:
    about = event.about or event.actor
    has = {
        "event_type": event.kind,
        "actor_type": "user" if event.actor else "asana",
        "actor_gid": event.actor.gid if event.actor else None,
        "resource_gid": about.gid if about else None,
    }
    return all(name not in call.query or call.query[name] == has[name] for name in FILTERS)


def _key(event: Event) -> tuple[int, int]:
    return int(event.at.timestamp() * 1000), int(event.gid)


def _offset(call: Call, last: Event) -> str:
    at, gid = _key(last)
    made = int(call.look.clock.now().timestamp())
    return f"log-{at:x}-{gid:x}-{made:x}-{_mark(call, at, gid, made)}"


def _mark(call: Call, at: int, gid: int, made: int) -> str:
    filters = " ".join(call.query.get(name, "") for name in ("start_at", "end_at", *FILTERS))
    text = f"{at} {gid} {made} {call.caller.name} {filters}"
    return hashlib.blake2b(text.encode(), digest_size=8, key=call.look.service_account_token.encode()[:32]).hexdigest()


def _position(call: Call) -> tuple[int, int]:
    try:
        word, *numbers, mark = call.query["offset"].split("-")
        at, gid, made = (int(number, 16) for number in numbers)
    except ValueError:
        raise BadRequest("offset: Your pagination token is invalid.") from None
    if word != "log" or mark != _mark(call, at, gid, made):
        raise BadRequest("offset: Your pagination token is invalid.")
    lifetime = call.look.log_offsets_expire
    if lifetime is not None and call.look.clock.now().timestamp() - made >= lifetime / timedelta(seconds=1):
        raise BadRequest("offset: Your pagination token has expired.")
    return at, gid


def _way_on(call: Call, offset: str) -> Json:
    path = f"{call.path}?offset={offset}"
    return {"offset": offset, "path": path, "uri": call.url + path}
