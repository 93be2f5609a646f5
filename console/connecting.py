"""`seats connect`: an operator lets Seatkeeper into Asana, by OAuth, with a token, or for a service account."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from asana_api import oauth
from asana_api.address import Base
from connections.sealing import Sealing, connection_row, credential_row
from console import granting
from console.connection_terms import ASANA, CLIENT_SECRET, USUAL_PACE, Terms, Wish, complete
from console.errors import BadUse, Refused
from console.granting import Granted
from console.output import AsJson, Sheet, show
from console.session import database, now, run, sealing
from console.standing import Standing, look, sheet_of
from console.style import examples
from settings import read_settings
from store import connections
from store.connect import Connection
from store.connections import SealedGrant

HELP = examples(
    "connect acme --client-id 1201234567890123 --client-secret-file secret.txt",
    "connect acme                                      (again, after the connection was lost)",
    "connect acme-emea --parent acme                   (a child: acme's app, a grant of its own)",
    "connect acme --token-file - < token.txt           (a personal access token)",
    "connect acme --service-account-token-file s.txt   (beside it: audit log, private work)",
)


@dataclass(slots=True)
class _Connected:
    terms: Terms
    standings: list[Standing] = field(default_factory=list)

    def document(self) -> dict[str, object]:
        first = self.standings[0]
        return {
            "connection": self.terms.alias,
            "kind": first.kind,
            "url": self.terms.base.url,
            "parent": self.terms.parent.alias if self.terms.parent else None,
            "user_gid": first.me.gid,
            "name": first.me.name,
            "requests_per_minute": self.terms.pace,
            "organizations": [
                {"gid": one.gid, "name": one.name, "role": one.role, "is_admin": one.role == "admin"}
                for one in first.organizations
            ],
            "credentials": [one.document() for one in self.standings],
        }


def connect(
    alias: Annotated[str, typer.Argument(help="A name for the connection; profiles refer to it.", show_default=False)],
    url: Annotated[str | None, typer.Option("--url", help="Where Asana is.", show_default=ASANA)] = None,
    parent: Annotated[
        str | None, typer.Option(help="The connection whose app this one uses; its own are the credentials alone.")
    ] = None,
    client_id: Annotated[str | None, typer.Option(help="Client id of the app that you registered with Asana.")] = None,
    client_secret_file: Annotated[
        Path | None, typer.Option(help=f"File with the app's client secret; - reads it from stdin. Or {CLIENT_SECRET}.")
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="File with a personal access token instead of an app; - reads it from stdin.")
    ] = None,
    service_account_token_file: Annotated[
        Path | None, typer.Option(help="File with a service account's token, kept beside the other credential.")
    ] = None,
    requests_per_minute: Annotated[
        str | None,
        typer.Option(help="What Asana allows: 1500, 150 on the free plan, or unlimited.", show_default=str(USUAL_PACE)),
    ] = None,
    paste: Annotated[
        bool, typer.Option("--paste", help="Ask for the code, though SEATKEEPER_PUBLIC_URL is set.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Connect to Asana, by OAuth or with a token.

    Open the address that is printed as an administrator of the organization, allow the app, and paste the code that
    Asana shows. With SEATKEEPER_PUBLIC_URL the answer comes to the page of `seats serve` instead.
    """
    wish = Wish(
        alias,
        parent,
        url,
        client_id,
        client_secret_file,
        token_file,
        service_account_token_file,
        requests_per_minute,
        paste,
    )
    connected = run(_connect(wish))
    first = connected.standings[0]
    show(
        connected.document(),
        f"Connection {alias} works: you are {first.me.name} ({first.me.gid}).",
        Sheet(
            ("gid", "organization", "your role"),
            [(one.gid, one.name, one.role or "not told") for one in first.organizations],
            empty="This account is in no organization: a profile needs one.",
        ),
        sheet_of(connected.standings),
        as_json=as_json,
    )


async def _connect(wish: Wish) -> _Connected:
    seal = sealing()
    if "-" == str(wish.token_file) == str(wish.service_token_file):
        raise BadUse("only one of the two tokens can come from stdin")
    async with database() as connection:
        if wish.is_for_the_service_account_alone and await _has_person(connection, wish.alias):
            known = await connections.get(connection, wish.alias)
            assert known is not None
            connected = _Connected(Terms(wish.alias, Base(known.base_url), None, None, known.requests_per_minute))
        else:
            connected = _Connected(await complete(connection, wish, seal))
            await _connect_person(connection, wish, connected, seal)
        if wish.service_token_file:
            await _connect_service(connection, wish.service_token_file, connected, seal)
    return connected


async def _has_person(connection: Connection, alias: str) -> bool:
    known = await connections.get(connection, alias)
    return known is not None and await connections.credential_of(connection, known.id) is not None


async def _connect_person(connection: Connection, wish: Wish, connected: _Connected, seal: Sealing) -> None:
    terms = connected.terms
    if wish.token_file:
        granted = granting.read_token(wish.token_file, "personal_access_token")
    else:
        granted = await _ask_for_grant(connection, terms, seal, paste=wish.paste)
    connected.standings.append(await look(terms.base, granted.access_token, granted.kind))
    async with connection.transaction():
        connection_id = await _save(connection, terms, seal)
        await _keep(connection, connection_id, terms.alias, granted, connected.standings[0].me.gid, seal)


async def _ask_for_grant(connection: Connection, terms: Terms, seal: Sealing, *, paste: bool) -> Granted:
    app, public_url = terms.app or _app_of_parent(terms, seal), read_settings().public_url
    if public_url is None or paste:
        return await granting.by_pasting(terms.base.url, app)
    return await granting.by_redirect(connection, seal, terms.alias, terms.base.url, app, public_url)


def _app_of_parent(terms: Terms, seal: Sealing) -> oauth.App:
    assert terms.parent is not None
    assert terms.parent.client_id is not None
    assert terms.parent.client_secret_sealed is not None
    secret = seal.open(terms.parent.client_secret_sealed, connection_row(terms.parent.alias, "client_secret"))
    return oauth.App(terms.parent.client_id, secret)


async def _connect_service(connection: Connection, file: Path, connected: _Connected, seal: Sealing) -> None:
    granted = granting.read_token(file, "service_account")
    standing = await look(connected.terms.base, granted.access_token, "service_account")
    known = await connections.get(connection, connected.terms.alias)
    assert known is not None
    person = await connections.credential_of(connection, known.id)
    if standing.is_ordinary() or (person is not None and person.user_gid == standing.me.gid):
        raise Refused(f"this token is {standing.me.name}'s, who is no service account; make one in the admin console")
    connected.standings.append(standing)
    async with connection.transaction():
        await _keep(connection, known.id, known.alias, granted, standing.me.gid, seal)


async def _save(connection: Connection, terms: Terms, seal: Sealing) -> int:
    row = connection_row(terms.alias, "client_secret")
    return await connections.save(
        connection,
        alias=terms.alias,
        base_url=terms.base.url,
        client_id=terms.app.client_id if terms.app else None,
        client_secret_sealed=seal.seal(terms.app.client_secret, row) if terms.app else None,
        requests_per_minute=terms.pace,
        parent_id=terms.parent.id if terms.parent else None,
        keep_app=terms.app is None and terms.parent is None,
    )


async def _keep(
    connection: Connection, connection_id: int, alias: str, granted: Granted, user_gid: str, seal: Sealing
) -> None:
    moment = now()
    access_row = credential_row(alias, granted.kind, "access_token")
    refresh_row = credential_row(alias, granted.kind, "refresh_token")
    grant = SealedGrant(
        kind=granted.kind,
        user_gid=user_gid,
        access_token=seal.seal(granted.access_token, access_row),
        refresh_token=seal.seal(granted.refresh_token, refresh_row) if granted.refresh_token else None,
        expires_at=moment + timedelta(seconds=granted.expires_in) if granted.expires_in else None,
    )
    await connections.keep_grant(connection, connection_id, alias, grant, moment)
