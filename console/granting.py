"""How an operator's consent becomes a credential: a token from a file, a pasted code, or the answer on our own page."""

import asyncio
import hashlib
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from asana_api import oauth
from asana_api.errors import GrantLost
from connections.sealing import Sealing, authorization_row
from console.errors import BadUse, CommandFailed, NotPermitted, Refused
from console.session import now, stoppable
from settings import CALLBACK
from store import authorizations
from store.authorizations import Answered
from store.connect import Connection
from store.connections import CredentialKind

IN_ALL = timedelta(minutes=10)
"""How long an answer is waited for."""
EVERY = 0.5
"""Seconds between two looks for it."""


@dataclass(frozen=True, slots=True)
class Granted:
    """A credential as Asana gave it. `expires_in` is in seconds."""

    kind: CredentialKind
    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_in: int | None = None


def content(file: Path, what: str) -> str:
    """Return the one word that a file holds, or the first line of stdin for `-`. Raises BadUse."""
    try:
        found = (_line() if str(file) == "-" else file.read_text(encoding="utf-8")).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadUse(f"the file with the {what} cannot be read: {error}") from None
    if not found or not found.isprintable() or " " in found:
        raise BadUse(f"the file with the {what} must hold it and nothing else, on one line")
    return found


def _line(prompt: str = "") -> str:
    with stoppable():
        sys.stderr.write(prompt)
        sys.stderr.flush()
        return sys.stdin.readline()


def read_token(file: Path, kind: Literal["personal_access_token", "service_account"]) -> Granted:
    """Return a token of a file as a credential."""
    what = "service account's token" if kind == "service_account" else "token"
    return Granted(kind, content(file, what))


async def by_pasting(site: str, app: oauth.App) -> Granted:
    """Print the address, and take the code that Asana shows there."""
    address, state, verifier = oauth.authorization_url(site, app.client_id)
    _say_address(address, oauth.OUT_OF_BAND)
    code = _code(_line("Paste the code that Asana shows: ").strip(), state)
    return await _exchanged(site, app, code, verifier, oauth.OUT_OF_BAND)


async def by_redirect(
    connection: Connection, seal: Sealing, alias: str, site: str, app: oauth.App, public_url: str
) -> Granted:
    """Print the address, and wait until Asana's answer came to the page of `seats serve`.

    Raises Refused for a refusal, CommandFailed when nothing came in time.
    """
    redirect = public_url + CALLBACK
    address, state, verifier = oauth.authorization_url(site, app.client_id, redirect)
    state_sha256 = hashlib.sha256(state.encode()).digest()
    async with _waiting(connection, state_sha256, alias):
        _say_address(address, redirect)
        answered = await _answer_to(connection, state_sha256)
    if answered.code_sealed is None:
        raise Refused(f'Asana says "{answered.refusal}"; nothing was connected. {_to_register(redirect)}')
    code = seal.open(answered.code_sealed, authorization_row(alias, state_sha256))
    return await _exchanged(site, app, code, verifier, redirect)


@asynccontextmanager
async def _waiting(connection: Connection, state_sha256: bytes, alias: str) -> AsyncIterator[None]:
    begun_at = now()
    await authorizations.begin(connection, state_sha256, alias, begun_at, begun_at + IN_ALL)
    try:
        yield
    finally:
        await authorizations.end(connection, state_sha256)


async def _answer_to(connection: Connection, state_sha256: bytes) -> Answered:
    tell = _progress(IN_ALL)
    async with _timeout():
        while (answered := await authorizations.take(connection, state_sha256)) is None:
            tell()
            await asyncio.sleep(EVERY)
    sys.stderr.write("\n" if sys.stderr.isatty() else "")
    return answered


@asynccontextmanager
async def _timeout() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(IN_ALL.total_seconds()):
            yield
    except TimeoutError:
        minutes = IN_ALL.total_seconds() / 60
        raise CommandFailed(f"no answer came within {minutes:.0f} minutes; is `./seats serve` running?") from None


def _progress(of: timedelta) -> Callable[[], None]:
    begun_at = now()
    sys.stderr.write("Waiting for Asana's answer on our page (`./seats serve`).\n")
    sys.stderr.flush()

    def tell() -> None:
        if sys.stderr.isatty():
            left = int((begun_at + of - now()).total_seconds())
            sys.stderr.write(f"\r{left // 60}:{left % 60:02} left ")
            sys.stderr.flush()

    return tell


async def _exchanged(site: str, app: oauth.App, code: str, verifier: str, redirect: str) -> Granted:
    try:
        grant = await oauth.exchange_code(site, app, code, verifier, redirect)
    except GrantLost as error:
        said = f' (Asana says "{error.said}")' if error.said else ""
        raise NotPermitted(
            f"Asana does not take this code{said}: it is wrong, was used, or is too old. Run the command again;"
            f" if that does not help, {_to_register(redirect)}"
        ) from None
    if grant.refresh_token is None:
        raise CommandFailed("Asana gave no refresh token, so the connection would end within the hour")
    return Granted("oauth", grant.access_token, grant.refresh_token, grant.expires_in)


def _say_address(address: str, redirect: str) -> None:
    sys.stderr.write(f"Open this address as an administrator of the organization, and allow the app:\n\n{address}\n\n")
    sys.stderr.write(f"If Asana does not know the redirect address: {_to_register(redirect)}.\n")
    sys.stderr.flush()


def _to_register(redirect: str) -> str:
    return f"register {redirect} in the app's OAuth settings, letter by letter"


def _code(pasted: str, state: str) -> str:
    """Read the code, or the whole address that it came back in: then its state must be the one that we sent."""
    if not pasted:
        raise CommandFailed("no code was given; run the command again")
    if "://" not in pasted:
        return pasted
    answer = parse_qs(urlsplit(pasted).query)
    if answer.get("state") != [state] or "code" not in answer:
        raise Refused("that address is not the answer to this request; run the command again")
    return answer["code"][0]
