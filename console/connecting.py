"""`seats connect`: an operator lets Seatkeeper into Asana, by OAuth, with a token, or for a service account."""

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import typer

from asana_api import oauth
from asana_api.errors import Unreachable
from connections.sealing import Sealing, connection_row
from console import granting
from console.connection_saving import save_person, save_service
from console.connection_terms import (
    ASANA,
    CLIENT_SECRET,
    USUAL_PACE,
    Terms,
    Wish,
    beside_the_person,
    check_alias,
    complete,
)
from console.errors import BadUse, Unanswered
from console.granting import Granted
from console.output import AsJson, Sheet, show
from console.session import database, run, sealing
from console.standing import Standing, look, sheet_of
from console.style import examples
from settings import read_settings
from store import connections
from store.connect import Connection

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
    warnings: list[str] = field(default_factory=list)

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
    for warning in connected.warnings:
        sys.stderr.write(f"Careful: {warning}.\n")
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
    check_alias(wish.alias)
    if wish.parent is not None:
        check_alias(wish.parent)
    if "-" == str(wish.token_file) == str(wish.service_token_file):
        raise BadUse("only one of the two tokens can come from stdin")
    seal = sealing()
    async with database() as connection:
        if wish.is_for_the_service_account_alone:
            connected = _Connected(await beside_the_person(connection, wish))
        else:
            connected = _Connected(await complete(connection, wish, seal))
            await _connect_person(connection, wish, connected, seal)
        if wish.service_token_file:
            await _connect_service(connection, wish.service_token_file, connected, seal)
    return connected


async def _connect_person(connection: Connection, wish: Wish, connected: _Connected, seal: Sealing) -> None:
    terms = connected.terms
    if wish.token_file:
        granted = granting.read_token(wish.token_file, "personal_access_token")
    else:
        granted = await _ask_for_grant(connection, terms, seal, paste=wish.paste)
    standing = await _look(terms, granted)
    connected.standings.append(standing)
    connected.warnings += await save_person(connection, terms, granted, standing, seal)
    if granted.kind == "personal_access_token" and standing.is_likely_a_service_account():
        connected.warnings.append(
            f"this token seems to be a service account's ({standing.me.name}): it was taken as a person's, and removed"
            " people's work would go to whom Asana's console names. Give it with --service-account-token-file, beside a"
            " person's credential; docs/connect-asana.md says who receives what"
        )
    connected.terms = replace(terms, known=await connections.get(connection, terms.alias))


async def _look(terms: Terms, granted: Granted) -> Standing:
    try:
        return await look(terms.base, granted.access_token, granted.kind)
    except Unreachable:
        raise Unanswered(
            f"Asana could not be reached at {terms.base.url}, or did not answer in time; nothing was saved"
        ) from None


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
    standing = await _look(connected.terms, granted)
    connected.warnings += await save_service(connection, connected.terms, granted, standing, seal)
    connected.standings.append(standing)
