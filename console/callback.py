"""The page that Asana sends a browser back to after somebody allowed (or refused) the app.

It takes an answer only for a request that `seats connect` has open, once, and keeps the code sealed for that request.
The code alone is worth nothing: what proves that it is ours stays with the command that waits. Neither the page nor a
line of output repeats anything that came in the address.
"""

import asyncio
import hashlib
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape

import psycopg
import uvicorn
from psycopg_pool import PoolTimeout
from starlette.applications import Starlette
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from connections.sealing import Sealing, authorization_row
from console.session import now
from settings import CALLBACK
from store import authorizations
from store.authorizations import Answered
from store.connect import DatabaseUnfit, Pool, check_version

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_STATE = re.compile(r"[A-Za-z0-9_-]{16,128}", re.ASCII)
_CODE = re.compile(r"[\x21-\x7e]{1,2048}", re.ASCII)
_ERROR = re.compile(r"[a-z_]{1,64}", re.ASCII)
_GO_BACK = "Run `seats connect` again, and open the address that it prints."


class Callback:
    """Takes Asana's answers."""

    def __init__(self, pool: Pool, seal: Sealing) -> None:
        """The pool's role must be the console's."""
        self._pool, self._seal = pool, seal

    async def answer(self, request: Request) -> Response:
        """Keep a code or a refusal for whoever waits for it, and say so to the person."""
        if request.method != "GET":  # a look at the address is no answer
            return _page(405, "Not here", "This page only takes Asana's answer.")
        answer = _read(request.query_params)
        if answer is None:
            return _page(400, "No answer", f"This address is not an answer of Asana. {_GO_BACK}")
        try:
            alias = await self._keep(answer)
        except (psycopg.OperationalError, PoolTimeout):
            return _page(503, "Not now", "The database does not answer. Load this page again in a moment.")
        return _told(alias, answer.refusal)

    async def _keep(self, answer: "_Answer") -> str | None:
        async with self._pool.connection() as connection:
            moment = now()
            alias = await authorizations.alias_waiting(connection, answer.state_sha256, moment)
            if alias is None:
                return None
            row = authorization_row(alias, answer.state_sha256)
            sealed = self._seal.seal(answer.code, row) if answer.code else None
            kept = await authorizations.answer(
                connection, answer.state_sha256, Answered(sealed, answer.refusal), moment
            )
            return alias if kept else None

    async def health(self, _: Request) -> Response:
        """Say whether an answer could be kept."""
        try:
            async with self._pool.connection(timeout=5) as connection:
                await check_version(connection)
        except (psycopg.OperationalError, PoolTimeout, DatabaseUnfit):
            return JSONResponse({"database": "away"}, 503, HEADERS)
        return JSONResponse({"database": "ok"}, 200, HEADERS)


def make_app(pool: Pool, seal: Sealing) -> Starlette:
    """Return the page as an ASGI application."""
    callback = Callback(pool, seal)
    return Starlette(
        routes=[
            Route(CALLBACK, callback.answer, methods=["GET"]),
            Route("/health", callback.health, methods=["GET"]),
        ]
    )


@dataclass(frozen=True, slots=True)
class _Answer:
    state_sha256: bytes
    code: str | None = field(repr=False)
    refusal: str | None


def _read(query: QueryParams) -> _Answer | None:
    """Read what Asana adds to the address: one state, and either a code or an error."""
    states, codes, errors = (query.getlist(name) for name in ("state", "code", "error"))
    if len(states) != 1 or len(codes) + len(errors) != 1 or not _STATE.fullmatch(states[0]):
        return None
    if codes and not _CODE.fullmatch(codes[0]):
        return None
    state_sha256 = hashlib.sha256(states[0].encode()).digest()
    return _Answer(state_sha256, codes[0], None) if codes else _Answer(state_sha256, None, _refusal(errors[0]))


def _told(alias: str | None, refusal: str | None) -> Response:
    if alias is None:
        sys.stderr.write("an answer was refused: nobody waits for it\n")
        return _page(400, "Too late, or not ours", f"Nobody waits for this answer (any more). {_GO_BACK}")
    sys.stderr.write(f"an answer came for connection {alias}\n")
    if refusal:
        return _page(200, "Not connected", f"Asana says: {refusal}. Nothing was connected.")
    return _page(200, "Allowed", f"Connection {alias} goes on in the terminal. You can close this page.")


def _refusal(error: str) -> str:
    if error == "access_denied":
        return "access was denied"
    return error if _ERROR.fullmatch(error) else "the app was refused"


def _page(status: int, title: str, sentence: str) -> Response:
    text = (
        f"<!doctype html><html lang=en><title>{escape(title)}</title><h1>{escape(title)}</h1><p>{escape(sentence)}</p>"
    )
    return HTMLResponse(text, status, HEADERS)


def make_server(pool: Pool, seal: Sealing) -> uvicorn.Server:
    """Return a quiet server of the page, which ends when its `should_exit` is set."""
    config = uvicorn.Config(
        make_app(pool, seal),
        lifespan="off",
        ws="none",
        proxy_headers=False,
        log_config=None,
        access_log=False,
        server_header=False,
        h11_max_incomplete_event_size=16 * 1024,
        limit_concurrency=64,
        timeout_graceful_shutdown=5,
    )
    return _Server(config)


class _Server(uvicorn.Server):
    """Ends well on a signal, with exit code 0: uvicorn would raise the signal anew."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take both signals in the loop."""
        for one in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(one, self._end)
        yield

    def _end(self) -> None:
        self.should_exit = True
