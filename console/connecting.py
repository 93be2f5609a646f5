"""`seats connect`: an operator lets Seatkeeper into Asana, by OAuth or with a personal access token."""

import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

import typer

from asana_api import oauth
from asana_api.address import Base
from asana_api.answers import Caller, Workspace
from asana_api.client import AsanaClient
from connections.opening import API
from connections.sealing import Sealing, connection_row, credential_row
from console.errors import BadUse, CommandFailed, Refused
from console.output import AsJson, Sheet, show
from console.session import database, now, run, sealing
from console.style import examples
from settings import read_secret
from store import connections, readings
from store.connect import Connection
from store.connections import AsanaConnection, SealedGrant

HELP = examples(
    "connect acme --client-id 1201234567890123 --client-secret-file secret.txt",
    "connect acme                                      (again, after the connection was lost)",
    "connect acme --token-file - < token.txt           (a personal access token)",
)
ASANA = "https://app.asana.com"
USUAL_PACE = 1500
"""Requests a minute of a paid organization; Asana does not say which one it is."""
CLIENT_SECRET = "SEATKEEPER_CLIENT_SECRET"  # noqa: S105 - the name of a variable


@dataclass(frozen=True, slots=True)
class _Wish:
    alias: str
    url: str | None
    client_id: str | None
    client_secret_file: Path | None
    token_file: Path | None
    pace: str | None


@dataclass(frozen=True, slots=True)
class _Plan:
    """A wish completed by what is known of the alias already."""

    alias: str
    base: Base
    client_id: str | None
    client_secret: str | None
    pace: int | None


@dataclass(frozen=True, slots=True)
class _Granted:
    kind: connections.CredentialKind
    access_token: str
    refresh_token: str | None
    expires_in: int | None


def connect(
    alias: Annotated[str, typer.Argument(help="A name for the connection; profiles refer to it.", show_default=False)],
    url: Annotated[str | None, typer.Option("--url", help="Where Asana is.", show_default=ASANA)] = None,
    client_id: Annotated[str | None, typer.Option(help="Client id of the app that you registered with Asana.")] = None,
    client_secret_file: Annotated[
        Path | None, typer.Option(help=f"File with the app's client secret; - reads it from stdin. Or {CLIENT_SECRET}.")
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="File with a personal access token instead of an app; - reads it from stdin.")
    ] = None,
    requests_per_minute: Annotated[
        str | None,
        typer.Option(help="What Asana allows: 1500, 150 on the free plan, or unlimited.", show_default=str(USUAL_PACE)),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Connect to Asana, by OAuth or with a token.

    Open the address that is printed as an administrator of the organization, allow the app, and paste the code that
    Asana shows.
    """
    wish = _Wish(alias, url, client_id, client_secret_file, token_file, requests_per_minute)
    document = run(_connect(wish))
    organizations = document["organizations"]
    assert isinstance(organizations, list)
    show(
        document,
        f"Connection {alias} works: you are {document['name']} ({document['user_gid']}).",
        Sheet(
            ("gid", "organization"),
            [(one["gid"], one["name"]) for one in organizations],
            empty="This account is in no organization: a profile needs one.",
        ),
        as_json=as_json,
    )


async def _connect(wish: _Wish) -> dict[str, object]:
    seal = sealing()
    async with database() as connection:
        plan = await _complete(connection, wish, seal)
        granted = _read_token(wish.token_file) if wish.token_file else await _ask_for_grant(plan)
        me, workspaces = await _look(plan.base, granted.access_token)
        await _keep(connection, plan, granted, me, seal)
    organizations = [{"gid": one.gid, "name": one.name} for one in workspaces if one.is_organization]
    return {
        "connection": plan.alias,
        "kind": granted.kind,
        "url": plan.base.url,
        "user_gid": me.gid,
        "name": me.name,
        "requests_per_minute": plan.pace,
        "organizations": organizations,
    }


async def _complete(connection: Connection, wish: _Wish, seal: Sealing) -> _Plan:
    known = await connections.get(connection, wish.alias)
    base = _address(wish.url or (known.base_url if known else ASANA))
    if known and known.base_url != base.url and (used_by := await readings.profiles_on(connection, known.id)):
        raise Refused(f"profile {used_by[0]} stands on {known.base_url}: connect another Asana under another alias")
    pace = _pace(wish.pace, base) if wish.pace or not known else known.requests_per_minute
    if wish.token_file:
        return _Plan(wish.alias, base, None, None, pace)
    client_id = wish.client_id or (known.client_id if known else None)
    if not client_id:
        raise BadUse("give --client-id of the app that you registered with Asana, or --token-file")
    secret = _client_secret(wish.client_secret_file) or _kept_secret(known, client_id, seal) or _ask_for_secret()
    return _Plan(wish.alias, base, client_id, secret, pace)


def _address(url: str) -> Base:
    base = Base(url)
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
    return _content(file, "client secret") if file else read_secret(CLIENT_SECRET)


def _kept_secret(known: AsanaConnection | None, client_id: str, seal: Sealing) -> str | None:
    if known is None or known.client_secret_sealed is None or known.client_id != client_id:
        return None
    return seal.open(known.client_secret_sealed, connection_row(known.alias, "client_secret"))


def _ask_for_secret() -> str:
    if not sys.stdin.isatty():
        raise BadUse(f"give the app's client secret with --client-secret-file or {CLIENT_SECRET}")
    secret: str = typer.prompt("Client secret", hide_input=True, err=True)
    return secret


def _content(file: Path, what: str) -> str:
    try:
        content = (sys.stdin.readline() if str(file) == "-" else file.read_text(encoding="utf-8")).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadUse(f"the file with the {what} cannot be read: {error}") from None
    if not content or not content.isprintable() or " " in content:
        raise BadUse(f"the file with the {what} must hold it and nothing else, on one line")
    return content


def _read_token(file: Path) -> _Granted:
    return _Granted("personal_access_token", _content(file, "token"), None, None)


async def _ask_for_grant(plan: _Plan) -> _Granted:
    assert plan.client_id is not None
    assert plan.client_secret is not None
    address, state, verifier = oauth.authorization_url(plan.base.url, plan.client_id)
    sys.stderr.write(f"Open this address as an administrator of the organization, and allow the app:\n\n{address}\n\n")
    sys.stderr.write("Paste the code that Asana shows: ")
    sys.stderr.flush()
    code = _code(sys.stdin.readline().strip(), state)
    app = oauth.App(plan.client_id, plan.client_secret)
    grant = await oauth.exchange_code(plan.base.url, app, code, verifier)
    if grant.refresh_token is None:
        raise CommandFailed("Asana gave no refresh token, so the connection would end within the hour")
    return _Granted("oauth", grant.access_token, grant.refresh_token, grant.expires_in)


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


async def _look(base: Base, token: str) -> tuple[Caller, list[Workspace]]:
    async def same() -> str:
        return token

    async with AsanaClient(base.url + API, same, reads=1, writes=1) as client:
        return await client.me(), await client.workspaces()


async def _keep(connection: Connection, plan: _Plan, granted: _Granted, me: Caller, seal: Sealing) -> None:
    secret = plan.client_secret
    async with connection.transaction():
        connection_id = await connections.save(
            connection,
            alias=plan.alias,
            base_url=plan.base.url,
            client_id=plan.client_id,
            client_secret_sealed=seal.seal(secret, connection_row(plan.alias, "client_secret")) if secret else None,
            requests_per_minute=plan.pace,
        )
        moment = now()
        access_row = credential_row(plan.alias, granted.kind, "access_token")
        refresh_row = credential_row(plan.alias, granted.kind, "refresh_token")
        grant = SealedGrant(
            kind=granted.kind,
            user_gid=me.gid,
            access_token=seal.seal(granted.access_token, access_row),
            refresh_token=seal.seal(granted.refresh_token, refresh_row) if granted.refresh_token else None,
            expires_at=moment + timedelta(seconds=granted.expires_in) if granted.expires_in else None,
        )
        await connections.keep_grant(connection, connection_id, plan.alias, grant, moment)
