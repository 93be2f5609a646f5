"""The way of every API call: counted, let in, answered, and on request spoiled.

The routes themselves are plain functions from a `Call` to the JSON of its answer; all HTTP is here.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from sandbox.asana import errors
from sandbox.asana.credentials import Credential
from sandbox.asana.errors import BadRequest, Broken, LookalikeError, NotFound, Unauthorized
from sandbox.asana.lookalike import LookAlike
from sandbox.asana.removals import Removal
from sandbox.asana.sending import JSON_TYPE, Answer, json_answer, read_body, send_through
from sandbox.asana.state import State

API = "/api/1.0"
REMOVE_USER = "/workspaces/{workspace_gid}/removeUser"
SEARCH = "/workspaces/{workspace_gid}/tasks/search"
TOO_MANY = "You've made too many requests and hit a rate limit. Please retry after the given amount of time."

log = logging.getLogger("sandbox.asana")


@dataclass(slots=True)
class Call:
    """What a route needs to know of a call."""

    look: LookAlike
    caller: Credential
    url: str  # the address below which the API's paths stand
    path: str  # the path below it, as called
    gids: dict[str, str]
    query: dict[str, str]
    body: bytes
    removal: Removal | None = None

    @property
    def state(self) -> State:
        return self.look.state

    def sent(self, name: str) -> str:
        """A string in the body's `data`; raises BadRequest."""
        value = in_body(self.body, name)
        if not isinstance(value, str) or not value:
            raise BadRequest(f"{name}: Missing input")
        return value


Respond = Callable[[Call], errors.Json]


class Endpoint:
    """One API route as an ASGI application. `route` is its template below `/api/1.0`."""

    def __init__(self, look: LookAlike, method: str, route: str, respond: Respond) -> None:
        self._look, self._method, self._route, self._respond = look, method, route, respond
        self._name = f"{method} {route}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        traffic, told = self._look.traffic, 0
        traffic.enter(self._name)
        try:
            told = await self._serve(scope, receive, send)
        finally:
            traffic.leave(told)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> int:
        call = _Incoming(scope, await read_body(receive) if scope["method"] == "POST" else b"")
        removal = self._noted(call) if self._route == REMOVE_USER else None
        try:
            caller = self._admit(call)
        except LookalikeError as refusal:
            answer = _refused(refusal)
            told = await self._send(call, send, lambda: answer)
        else:
            told = await self._within_limits(call, caller, removal, send)
        if removal:
            removal.status = told or None
        return told

    def _admit(self, call: "_Incoming") -> Credential:
        if call.method != self._method:
            raise NotFound("No matching route for request")
        return self._look.credentials.of(call.authorization)

    async def _within_limits(self, call: "_Incoming", caller: Credential, removal: Removal | None, send: Send) -> int:
        look = self._look
        look.traffic.by_credential[caller.name] += 1
        if removal:
            removal.by, removal.credential = caller.person.gid, caller.name
        seconds = look.limits.enter(caller.name, call.method, search=self._route == SEARCH)
        if seconds is not None:
            return await send_through(None, send, lambda: _too_many(seconds))
        try:
            if look.latency_ms:
                await asyncio.sleep(look.latency_ms / 1000)
            return await self._send(call, send, lambda: self._answer(call, caller, removal))
        finally:
            look.limits.leave(caller.name, call.method)

    async def _send(self, call: "_Incoming", send: Send, act: Callable[[], Answer]) -> int:
        faults = self._look.faults
        fault = faults.take(call.method, self._route, call.path, call.query) if faults else None
        return await send_through(fault, send, act)

    def _answer(self, call: "_Incoming", caller: Credential, removal: Removal | None) -> Answer:
        try:
            path = call.path.removeprefix(API)
            asked = Call(self._look, caller, call.url, path, call.gids, call.query, call.body, removal)
            return json_answer(self._respond(asked), pretty=call.query.get("opt_pretty", "false") != "false")
        except LookalikeError as refusal:
            return _refused(refusal)
        except Exception:
            log.exception("%s failed", self._name)
            return _refused(Broken("Server Error"))

    def _noted(self, call: "_Incoming") -> Removal:
        """A call of removeUser is on record before anything else can happen to it."""
        asked = in_body(call.body, "user")
        removal = Removal(
            self._look.clock.now(), None, None, call.gids["workspace_gid"], None if asked is None else str(asked)
        )
        self._look.removals.calls.append(removal)
        return removal


class _Incoming:
    """A request, taken apart as far as every route needs it."""

    __slots__ = ("authorization", "body", "gids", "method", "path", "query", "url")

    def __init__(self, scope: Scope, body: bytes) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.gids: dict[str, str] = scope["path_params"]
        self.query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        self.body = body
        headers = dict(scope["headers"])
        self.authorization = headers.get(b"authorization", b"").decode("latin-1")
        host = headers.get(b"host", b"localhost").decode("latin-1")
        self.url = f"{scope['scheme']}://{host}{API}"


def in_body(body: bytes, name: str) -> object:
    """What stands under a name in the `data` of a JSON body; None when there is no such thing."""
    try:
        found: object = json.loads(body)["data"][name]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return found


async def no_such_route(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - it is what ASGI wants
    """Answers for all paths that are none of ours."""
    if scope["type"] == "http":
        await send_through(None, send, lambda: _refused(NotFound("No matching route for request")))


def _refused(refusal: LookalikeError) -> Answer:
    answer = json_answer(refusal.body(), refusal.status)
    if isinstance(refusal, Unauthorized):
        answer.headers.append((b"www-authenticate", b'Bearer realm="Asana"'))
    return answer


def _too_many(seconds: int) -> Answer:
    answer = json_answer(errors.body(TOO_MANY), 429)
    return Answer(429, answer.body, [JSON_TYPE, (b"retry-after", str(seconds).encode())])
