"""The three OAuth addresses, in HTTP. What they decide is in `oauth`."""

from collections.abc import Callable
from urllib.parse import parse_qsl

from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from sandbox.asana.lookalike import LookAlike
from sandbox.asana.oauth import BadAuthorization, Form, OAuthError
from sandbox.asana.sending import Answer, json_answer, read_body, send_through

HTML = (b"content-type", b"text/html; charset=utf-8")
PLAIN = (b"content-type", b"text/plain; charset=utf-8")
NOT_KEPT = (b"cache-control", b"no-store")


class _Endpoint:
    """One OAuth address as an ASGI application: counted, and spoiled by faults, like a route of the API."""

    def __init__(self, look: LookAlike, path: str, answers: dict[str, Callable[[Form], Answer]]) -> None:
        self._look, self._path, self._answers = look, path, answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        sent = await read_body(receive) if method == "POST" else scope["query_string"]
        form = dict(parse_qsl(sent.decode("utf-8", "replace"), keep_blank_values=True))
        answer = self._answers.get(method)
        self._look.traffic.enter(f"{method} {self._path}")
        told = 0
        try:
            fault = self._look.faults.take(method, self._path, scope["path"], form)
            told = await send_through(fault, send, lambda: answer(form) if answer else _not_allowed())
        finally:
            self._look.traffic.leave(told)


def oauth_routes(look: LookAlike) -> list[BaseRoute]:
    """The routes below `/-/`."""

    def page(query: Form) -> Answer:
        try:
            return Answer(200, look.oauth.page(query).encode(), [HTML])
        except BadAuthorization as refusal:
            return Answer(400, str(refusal).encode(), [PLAIN])

    def decide(form: Form) -> Answer:
        try:
            target, shown = look.oauth.decide(form)
        except BadAuthorization as refusal:
            return Answer(400, str(refusal).encode(), [PLAIN])
        return Answer(302, b"", [(b"location", target.encode())]) if target else Answer(200, shown.encode(), [HTML])

    def token(form: Form) -> Answer:
        return _granted(lambda: look.oauth.token(form))

    def revoke(form: Form) -> Answer:
        return _granted(lambda: look.oauth.revoke(form))

    table: dict[str, dict[str, Callable[[Form], Answer]]] = {
        "/-/oauth_authorize": {"GET": page, "POST": decide},
        "/-/oauth_token": {"POST": token},
        "/-/oauth_revoke": {"POST": revoke},
    }
    return [Route(path, _Endpoint(look, path, answers)) for path, answers in table.items()]


def _granted(grant: Callable[[], dict[str, object]]) -> Answer:
    try:
        answer = json_answer(grant())
    except OAuthError as refusal:
        answer = json_answer({"error": refusal.error, "error_description": str(refusal)}, refusal.status)
    answer.headers.append(NOT_KEPT)
    return answer


def _not_allowed() -> Answer:
    return Answer(405, b"Method not allowed", [PLAIN])
