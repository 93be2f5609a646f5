"""What `seats connect` is asked for, completed by what is known of the alias and of its parent already."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import typer

from asana_api import oauth
from asana_api.address import Base
from asana_api.errors import RefusedHere
from connections.sealing import Sealing, connection_row
from console.errors import BadUse, NotFound, Refused
from console.granting import content
from console.session import stoppable
from settings import read_secret
from store import connections, readings
from store.connect import Connection
from store.connections import AsanaConnection

ASANA = "https://app.asana.com"
USUAL_PACE = 1500
"""Requests a minute of a paid organization; Asana does not say which one it is."""
_ALIAS = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")
CLIENT_SECRET = "SEATKEEPER_CLIENT_SECRET"  # noqa: S105 - the name of a variable


@dataclass(frozen=True, slots=True)
class Wish:
    """The options of the command."""

    alias: str
    parent: str | None
    url: str | None
    client_id: str | None
    client_secret_file: Path | None
    token_file: Path | None
    service_token_file: Path | None
    pace: str | None
    paste: bool

    @property
    def is_for_the_service_account_alone(self) -> bool:
        """Whether a credential is added to what is there."""
        others = (self.parent, self.client_id, self.client_secret_file, self.token_file, self.pace)
        return self.service_token_file is not None and not any(others)


@dataclass(frozen=True, slots=True)
class Terms:
    """A wish completed by what is known of the alias already. `app` is None where its application stays as it is."""

    alias: str
    base: Base
    app: oauth.App | None
    parent: AsanaConnection | None
    pace: int | None
    known: AsanaConnection | None
    """What there was under the alias when the terms were completed."""


def check_alias(alias: str) -> None:
    """Raise BadUse for what can be no alias."""
    if not _ALIAS.fullmatch(alias):
        raise BadUse(
            "the name of a connection has 1 to 63 lower-case letters, digits, dots and hyphens, a letter or digit first"
        )


async def complete(connection: Connection, wish: Wish, seal: Sealing) -> Terms:
    """Complete the wish. Raises BadUse, NotFound and Refused."""
    known = await connections.get(connection, wish.alias)
    parent = await _parent(connection, wish, known)
    base = _address(wish.url or (known.base_url if known else parent.base_url if parent else ASANA))
    await check_address(connection, known, parent, base)
    pace = _pace(wish.pace, base) if wish.pace or not known else known.requests_per_minute
    if parent or wish.token_file:
        return Terms(wish.alias, base, None, parent, pace, known)
    client_id = wish.client_id or (known.client_id if known else None)
    if not client_id and wish.service_token_file:
        raise BadUse("a service account stands beside a person: give --client-id or --token-file of the person, too")
    if not client_id:
        raise BadUse("give --client-id of the app that you registered with Asana, or --token-file")
    secret = _client_secret(wish.client_secret_file) or _kept_secret(known, client_id, seal) or _ask_for_secret()
    return Terms(wish.alias, base, oauth.App(client_id, secret), None, pace, known)


async def beside_the_person(connection: Connection, wish: Wish) -> Terms:
    """Return the terms of the connection that a service account is added to. Raises BadUse and Refused."""
    known = await connections.get(connection, wish.alias)
    if known is None or await connections.credential_of(connection, known.id) is None:
        raise BadUse(
            f"connect a person first: `./seats connect {wish.alias} --client-id …` or `--token-file …`;"
            " a service account's token is added to that"
        )
    base = _address(known.base_url)
    if wish.url and _address(wish.url).url != base.url:
        raise Refused(f"{wish.alias} is at {base.url}: connect another Asana under another alias")
    return Terms(wish.alias, base, None, None, known.requests_per_minute, known)


async def _parent(connection: Connection, wish: Wish, known: AsanaConnection | None) -> AsanaConnection | None:
    """Return the connection whose app is used: the one that was named, or that of before."""
    name = wish.parent or (known.parent_alias if known else None)
    if name is None:
        return None
    if wish.client_id or wish.client_secret_file:
        raise BadUse(f"the app is that of {name}: a child has none of its own")
    parent = await connections.get(connection, name)
    if parent is None:
        raise NotFound(f"there is no connection {name}; see `./seats connections`")
    if parent.parent_alias or name == wish.alias:
        raise Refused(f"{name} has no app of its own: name the parent of {parent.parent_alias or 'another connection'}")
    if parent.client_id is None or parent.client_secret_sealed is None:
        raise Refused(f"{name} has no app: run `./seats connect {name} --client-id …` first")
    if known and await connections.children_of(connection, known.id):
        raise Refused(f"{wish.alias} is itself the parent of other connections")
    return parent


async def check_address(
    connection: Connection, known: AsanaConnection | None, parent: AsanaConnection | None, base: Base
) -> None:
    """Raise Refused if a connection would move to another Asana with what stands on it, or away from its app."""
    if parent and parent.base_url != base.url:
        raise Refused(f"the app of {parent.alias} is at {parent.base_url}")
    if known is None or known.base_url == base.url:
        return
    used_by = await readings.profiles_on(connection, known.id)
    children = await connections.children_of(connection, known.id)
    if used_by or children:
        what = f"profile {used_by[0]}" if used_by else f"connection {children[0]}"
        raise Refused(f"{what} stands on {known.base_url}: connect another Asana under another alias")


def _address(url: str) -> Base:
    try:
        base = Base(url)
    except RefusedHere as error:
        raise BadUse(f"--url: {error.particulars}") from None
    if urlsplit(base.url).path:
        raise BadUse(f"--url is the address of Asana itself, as {ASANA}, without a path")
    return base


def _pace(text: str | None, base: Base) -> int | None:
    if text is None:
        return USUAL_PACE
    if text == "unlimited":
        if not base.loopback:
            raise Refused("only a look-alike on this machine may be asked without a limit")
        return None
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 1_000_000:
        raise BadUse("--requests-per-minute is a number, or unlimited")
    return int(text)


def _client_secret(file: Path | None) -> str | None:
    return content(file, "client secret") if file else read_secret(CLIENT_SECRET)


def _kept_secret(known: AsanaConnection | None, client_id: str, seal: Sealing) -> str | None:
    if known is None or known.client_secret_sealed is None or known.client_id != client_id:
        return None
    return seal.open(known.client_secret_sealed, connection_row(known.alias, "client_secret"))


def _ask_for_secret() -> str:
    if not sys.stdin.isatty():
        raise BadUse(f"give the app's client secret with --client-secret-file or {CLIENT_SECRET}")
    with stoppable():
        secret: str = typer.prompt("Client secret", hide_input=True, err=True)
    return secret
