"""Saving what Asana granted: only if nothing that was checked has changed while the command waited for a person.

Between the checks and the answer lie up to ten minutes, in which somebody else may connect the same alias elsewhere and
make a profile on it. So the transaction that saves lets nobody else connect, and looks at everything once more.
"""

import hmac
from datetime import timedelta

from connections.sealing import SealBroken, Sealing, connection_row, credential_row
from console.connection_terms import Terms, check_address
from console.errors import Refused
from console.granting import Granted
from console.session import now
from console.standing import Standing
from store import connections, reconnecting
from store.connect import Connection
from store.connections import AsanaConnection, SealedGrant


async def save_person(
    connection: Connection, terms: Terms, granted: Granted, standing: Standing, seal: Sealing
) -> list[str]:
    """Save the connection and the person's credential; return warnings. Raises Refused, and then nothing is saved."""
    async with connection.transaction():
        known = await _as_it_was(connection, terms)
        if known is not None:
            await _check_organizations(connection, known, standing)
        shared = await _who_has_it_too(connection, terms, granted, seal)
        connection_id = await _save(connection, terms, seal)
        await _keep(connection, connection_id, terms.alias, granted, standing.me.gid, seal)
    return shared


async def save_service(
    connection: Connection, terms: Terms, granted: Granted, standing: Standing, seal: Sealing
) -> list[str]:
    """Save the service account's credential beside the person's; return warnings. Raises Refused."""
    async with connection.transaction():
        known = await _as_it_was(connection, terms)
        if known is None:
            raise Refused(f"there is no connection {terms.alias} any more; nothing was saved")
        person = await connections.credential_of(connection, known.id)
        if standing.is_ordinary() or (person is not None and person.user_gid == standing.me.gid):
            who = f"this token is {standing.me.name}'s, who is no service account"
            raise Refused(f"{who}; make one in the admin console")
        if standing.organizations:  # what Asana answers to every service account here is written nowhere
            await _check_organizations(connection, known, standing)
        shared = await _who_has_it_too(connection, terms, granted, seal)
        await _keep(connection, known.id, terms.alias, granted, standing.me.gid, seal)
    return shared


async def _as_it_was(connection: Connection, terms: Terms) -> AsanaConnection | None:
    """Return the connection, locked; raise Refused unless it and its parent are what the checks saw."""
    await reconnecting.let_nobody_else_connect(connection)
    known = await connections.get(connection, terms.alias, lock=True)
    parent = await connections.get(connection, terms.parent.alias) if terms.parent else None
    for before, after in ((terms.known, known), (terms.parent, parent)):
        if _what_counts(before) != _what_counts(after):
            one = before or after
            alias = one.alias if one else terms.alias
            raise Refused(
                f"somebody else connected or changed {alias} while this command waited; nothing was saved. See"
                " `./seats connections`, and run the command again if it is still wanted"
            )
    await check_address(connection, known, parent, terms.base)
    if known and parent and await connections.children_of(connection, known.id):
        raise Refused(f"{terms.alias} is itself the parent of other connections; nothing was saved")
    return known


def _what_counts(one: AsanaConnection | None) -> tuple[object, ...] | None:
    return None if one is None else (one.id, one.base_url, one.client_id, one.parent_alias, one.requests_per_minute)


async def _check_organizations(connection: Connection, known: AsanaConnection, standing: Standing) -> None:
    """Raise Refused unless the account is in the organization of each living profile on the connection."""
    there = {one.gid for one in standing.organizations}
    for profile, gid, name in await reconnecting.organizations_on(connection, known.id):
        if gid not in there:
            raise Refused(
                f"profile {profile} stands on {known.alias} for organization {gid} ({name}), and {standing.me.name} is"
                " not in it: nothing was saved; connect that account under another alias"
            )


async def _who_has_it_too(connection: Connection, terms: Terms, granted: Granted, seal: Sealing) -> list[str]:
    """Return a warning if another connection, no parent or child of this one, has the same token."""
    family = {terms.alias, terms.parent.alias if terms.parent else terms.alias}
    for one in await reconnecting.tokens_at(connection, terms.base.url):
        if one.alias in family or one.app_alias in family:
            continue
        try:
            token = seal.open(one.sealed, credential_row(one.alias, one.kind, "access_token"))
        except SealBroken:
            continue
        if hmac.compare_digest(token.encode(), granted.access_token.encode()):
            warning = (
                f"connection {one.alias} has this same token: Asana counts the calls of both together, and Seatkeeper"
                " counts them apart, so Asana will refuse both for a while when both are busy; use one connection for"
                " all profiles, or a token for each"
            )
            return [warning]
    return []


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
