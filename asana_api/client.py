"""The client: the calls that Seatkeeper makes, all through one `_request`.

It asks for a permit and for the token before each request, sends only to the configured base URL, and believes only
whole answers of the right shape. It hides no retries: `patience.patiently` is there for callers who want a few.
"""

import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from types import TracebackType
from typing import Self, TypeVar

from pydantic import TypeAdapter

from asana_api import address
from asana_api.answers import (
    Arrived,
    Caller,
    Empty,
    Listing,
    Membership,
    Page,
    Single,
    Story,
    Task,
    User,
    Workspace,
    moment,
    read,
)
from asana_api.errors import BadAnswer, NotAuthorized, OutcomeUnknown, RateLimited, RefusedHere
from asana_api.paging import whole_listing
from asana_api.permits import NoLimits, Permits
from asana_api.refusals import certain_refusal, refusal
from asana_api.searching import ActivityReads
from asana_api.sending import Answer, Bounds, Call, Lanes, OpenTransport, ask, change, open_transport, request_for
from asana_api.window import CallWindow

T = TypeVar("T")

MEMBERSHIP_FIELDS = (
    "user,user.name,is_active,is_admin,is_guest,is_view_only,created_at,"
    "vacation_dates,vacation_dates.start_on,vacation_dates.end_on"
)
TASK_FIELDS = "created_at,created_by,completed_at,completed_by,modified_at,assignee"
STORY_FIELDS = "created_at,created_by,resource_subtype"

_ME = TypeAdapter(Single[Caller])
_WORKSPACES = TypeAdapter(Listing[Workspace])
_MEMBERSHIPS = TypeAdapter(Listing[Membership])
_USERS = TypeAdapter(Listing[User])
_TASKS = TypeAdapter(Listing[Task])
_STORIES = TypeAdapter(Listing[Story])
_NOTHING = TypeAdapter(Single[Empty])
_ADDED = TypeAdapter(Single[dict[str, object]])


class AsanaClient(ActivityReads):
    """Asana, for one credential. Close it with `aclose`, or use it in an `async with`.

    `token` gives the access token before each request. When a read gets a 401, `renew` (if given) is called once with
    the token that failed and its new one is tried once; a change is never sent twice for any reason.
    `bounds` hold for each HTTP exchange; waiting for a permit and for a free lane is not part of its deadline.
    """

    def __init__(
        self,
        base_url: str,
        token: Callable[[], Awaitable[str]],
        permits: Permits | None = None,
        *,
        renew: Callable[[str], Awaitable[str]] | None = None,
        reads: int = 20,
        writes: int = 2,
        bounds: Bounds = Bounds(),  # noqa: B008 - frozen
        open_transport: OpenTransport = open_transport,
    ) -> None:
        """RefusedHere if the base URL (".../api/1.0") is neither https nor this machine."""
        self._base = address.Base(base_url)
        self._token, self._renew = token, renew
        self._permits = permits if permits is not None else NoLimits()
        self._bounds = bounds
        self._reads, self._writes = Lanes(reads, open_transport), Lanes(writes, open_transport)

    def __repr__(self) -> str:
        return f"AsanaClient({self._base.url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._reads.aclose()
        await self._writes.aclose()

    # Reads. All raise AsanaError; none returns a value that Asana did not give whole.

    async def me(self) -> Caller:
        """Whose token this is."""
        call = Call("GET", "/users/me", "opt_fields=name%2Cemail")
        return read(_ME, await self._request(call), call.name).data

    async def workspaces(self) -> list[Workspace]:
        """Every workspace and organization that this account is in."""
        query = {"opt_fields": "name,is_organization"}
        return await whole_listing(lambda offset: self._page(_WORKSPACES, "/workspaces", query, offset))

    async def membership_page(self, workspace_gid: str, offset: str | None = None) -> Arrived[Membership]:
        """Up to 100 seats, former members among them (`is_active` false)."""
        path = f"/workspaces/{address.gid(workspace_gid, 'workspace')}/workspace_memberships"
        return await self._arrived(_MEMBERSHIPS, path, {"opt_fields": MEMBERSHIP_FIELDS}, offset)

    async def membership_of(self, workspace_gid: str, user_gid: str) -> Membership | None:
        """One person's seat as it is now; None only if Asana proves that there is none.

        Proof is an empty and complete list, asked of a workspace that we may see and filtered by this person. A 404
        is none: Asana also says 404 for what this account may not see, so it is raised as NotThere. An answer about
        anybody else, or about several people, is a BadAnswer (a filter that was not applied looks like that).
        """
        path = f"/workspaces/{address.gid(workspace_gid, 'workspace')}/workspace_memberships"
        query = {"user": address.gid(user_gid, "user"), "opt_fields": MEMBERSHIP_FIELDS}
        page = await self._page(_MEMBERSHIPS, path, query, None)
        if page.next_offset is not None or len(page.items) > 1:
            raise BadAnswer("more than one membership for one person", call=f"GET {path}", status=200)
        if not page.items:
            return None
        if page.items[0].user_gid != user_gid:
            raise BadAnswer("the membership of another person", call=f"GET {path}", status=200)
        return page.items[0]

    async def user_page(self, workspace_gid: str, offset: str | None = None) -> Arrived[User]:
        """Up to 100 people with names and e-mail addresses. (The listing below /workspaces stops at 2,000 people.)"""
        query = {"workspace": address.gid(workspace_gid, "workspace"), "opt_fields": "name,email"}
        return await self._arrived(_USERS, "/users", query, offset)

    async def task_page(
        self, assignee_gid: str, workspace_gid: str, modified_since: datetime, offset: str | None = None
    ) -> Page[Task]:
        """Up to 100 tasks assigned to a person, visible to this account, and modified by anybody since a time."""
        query = {
            "assignee": address.gid(assignee_gid, "assignee"),
            "workspace": address.gid(workspace_gid, "workspace"),
            "modified_since": moment(modified_since),
            "opt_fields": TASK_FIELDS,
        }
        return await self._page(_TASKS, "/tasks", query, offset)

    async def story_page(self, task_gid: str, offset: str | None = None) -> Page[Story]:
        """Up to 100 lines of a task's history."""
        path = f"/tasks/{address.gid(task_gid, 'task')}/stories"
        return await self._page(_STORIES, path, {"opt_fields": STORY_FIELDS}, offset)

    # Changes. OutcomeUnknown says that it may have been made; every other error, that it certainly was not.

    async def remove_user(self, workspace_gid: str, user_gid: str, *, own_gid: str, call_before: float) -> None:
        """Remove a person from an organization. It cannot be undone whole, has no idempotency key, is sent once.

        `call_before` is on time.monotonic(): nothing is sent after it, and the call has ended by then. Refused
        unless the base URL is this machine, and for anything but another person's numeric gid.
        """
        path = f"/workspaces/{address.gid(workspace_gid, 'workspace')}/removeUser"
        address.gid(user_gid, "user")
        if int(user_gid) == int(address.gid(own_gid, "own gid")):
            raise RefusedHere("the account would remove itself", call=f"POST {path}")
        if not self._base.loopback:
            raise RefusedHere("removals go only to this machine (127.0.0.0/8, ::1, localhost)", call=f"POST {path}")
        call = Call("POST", path, body=_naming(user_gid), window=CallWindow(call_before, f"POST {path}"))
        answer = await self._request(call)
        _expect(_NOTHING, answer, call)

    async def add_user(self, workspace_gid: str, user_gid: str) -> None:
        """Invite a person back: a part of an undo. What a removal took from them does not come back with it."""
        path = f"/workspaces/{address.gid(workspace_gid, 'workspace')}/addUser"
        call = Call("POST", path, body=_naming(address.gid(user_gid, "user")))
        answer = await self._request(call)
        _expect(_ADDED, answer, call)

    # The one way out.

    async def _request(self, call: Call) -> bytes:
        """The body of a 200; an error for everything else."""
        answer, token = await self._answer(call)
        if answer.status == 200:
            return answer.body
        error = certain_refusal(answer, call, token) if call.changes else refusal(answer, call, token)
        if isinstance(error, RateLimited):
            await self._permits.slow_down(error.retry_after, call.kind)
        raise error

    async def _answer(self, call: Call) -> tuple[Answer, str]:
        """What came back, and the token that it was asked with."""
        lanes = self._writes if call.changes else self._reads
        async with lanes.lane() as transport, self._permits.in_flight(call.kind) as place:
            await self._permits.take(call.kind)
            token = _printable(await self._token())
            await place.confirm()
            if call.changes:
                return await change(transport, request_for(self._base, call, token), call, self._bounds), token
            answer = await ask(transport, request_for(self._base, call, token), call.name, self._bounds)
            if answer.status == 401 and self._renew is not None:
                token = _printable(await self._renew(token))
                await self._permits.take(call.kind)
                await place.confirm()
                answer = await ask(transport, request_for(self._base, call, token), call.name, self._bounds)
            return answer, token


def _naming(user_gid: str) -> bytes:
    return json.dumps({"data": {"user": user_gid}}).encode()


def _expect(shape: TypeAdapter[T], body: bytes, call: Call) -> None:
    """A 200 that says something else than it should leaves the change unknown."""
    try:
        read(shape, body, call.name)
    except BadAnswer as error:
        raise OutcomeUnknown(error.particulars, call=call.name, status=200) from None


def _printable(token: str) -> str:
    """A token that cannot be a header would be quoted by the HTTP library's error: refuse it without quoting it."""
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise NotAuthorized("the stored token is empty or not printable")
    return token
