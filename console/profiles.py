"""`seats profile create|list|show`: integration profiles, one for each organization."""

from collections.abc import Mapping
from typing import Annotated

import psycopg
import typer

from asana_api.answers import Workspace
from connections.opening import open_asana
from console.errors import BadUse, NotFound, Refused
from console.finding import ProfileName, a_profile, the_profile
from console.output import AsJson, Sheet, at, facts, show
from console.profile_facts import brakes_of, described, named, told, whole
from console.profile_rule import too_short
from console.profile_terms import (
    USUAL_DAYS,
    Activity,
    AnalyzeFrom,
    Beyond,
    Plan,
    Reclaim,
    RemovalCap,
    TimeZone,
    WhomToAsk,
    matching,
    moment_from,
    name_for_people,
    zone_named,
)
from console.session import connect, database, now, run, sealing
from console.style import examples, group
from rules.pace import requests_a_minute
from store import connections, profiles
from store.connections import AsanaConnection
from store.profiles import Draft, Profile

app = group("Integration profiles, one organization each.")


@app.command(
    "create",
    epilog=examples(
        "profile create acme --connection acme --plan advanced --time-zone Europe/Berlin --currency EUR",
        "profile create acme-labs --connection labs --organization 1201234567890123 --plan free --no-reclaim",
    ),
)
def create(
    name: Annotated[str, typer.Argument(help="Lower-case letters, digits and hyphens.", show_default=False)],
    connection: Annotated[str, typer.Option(help="Alias of the connection.")],
    plan: Plan,
    organization: Annotated[
        str | None, typer.Option(help="The organization's gid.", show_default="the only one of the account")
    ] = None,
    display_name: Annotated[
        str | None, typer.Option(help="A name for people.", show_default="the organization's name")
    ] = None,
    time_zone: TimeZone = "UTC",
    currency: Annotated[str, typer.Option(help="Three letters; all amounts of the profile are in it.")] = "USD",
    activity: Activity = True,
    reclaim: Reclaim = True,
    analyze_activity_from: AnalyzeFrom = f"{USUAL_DAYS}d",
    beyond: Beyond = False,
    sweep: WhomToAsk = "economical",
    removal_cap: RemovalCap = 25,
    provisioned_by_scim: Annotated[
        bool, typer.Option("--provisioned-by-scim", help="People come and go by SCIM: removals are refused here.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a draft of a profile. Nothing runs for it until it is published."""
    zone = zone_named(time_zone)
    given: dict[str, object] = {
        "name": matching(
            name, r"[a-z0-9][a-z0-9-]{0,62}", "a profile's name has lower-case letters, digits and hyphens"
        ),
        "plan": plan,
        "time_zone": time_zone,
        "currency": matching(currency, r"[A-Z]{3}", "a currency has three capital letters, as EUR"),
        "activity_enabled": activity,
        "reclaim_enabled": reclaim,
        "analyze_activity_from": moment_from(analyze_activity_from, now(), zone, beyond=beyond),
        "sweep": sweep,
        "removal_cap": removal_cap,
        "provisioned_by_scim": provisioned_by_scim,
    }
    shown_name = None if display_name is None else name_for_people(display_name)
    profile, remarks = run(_create(connection, organization, shown_name, given))
    show(
        described(profile) | {"remarks": remarks},
        f"Profile {name} is a draft for {profile.organization_name}. Next: ./seats profile publish {name}",
        *remarks,
        as_json=as_json,
    )


async def _create(
    alias: str, organization: str | None, display_name: str | None, given: Mapping[str, object]
) -> tuple[Profile, list[str]]:
    async with database() as connection:
        known = await connections.get(connection, alias)
        if known is None:
            raise NotFound(f"there is no connection {alias}; make it with `./seats connect {alias}`")
        before = await connections.credential_of(connection, known.id)
        async with open_asana(connect(), known.id, sealing()) as asana:
            chosen = _chosen(await asana.client.workspaces(), organization)
        draft = Draft(
            display_name=display_name or chosen.name,
            connection_id=known.id,
            organization_gid=chosen.gid,
            organization_name=chosen.name,
            **given,  # type: ignore[arg-type] # checked one by one where they were read
        )
        try:
            async with connection.transaction():
                await connections.get(connection, alias, lock=True)  # nobody connects it until this is committed
                after = await connections.credential_of(connection, known.id)
                if before and after and before.connected_at != after.connected_at:
                    raise Refused(f"somebody connected {alias} again meanwhile; run the command again")
                await profiles.create(connection, draft)
        except psycopg.errors.UniqueViolation:
            raise Refused(f"there is a profile {draft.name} already; see `./seats profile show {draft.name}`") from None
        remarks = _remarks(known, draft) + too_short(draft.analyze_activity_from, USUAL_DAYS, now())
        return await the_profile(connection, draft.name), remarks


def _chosen(workspaces: list[Workspace], gid: str | None) -> Workspace:
    if gid is not None:
        named_so = [one for one in workspaces if one.gid == gid]
        if not named_so:
            raise NotFound(f"the account of this connection is in no organization {gid}")
        return named_so[0]
    organizations = [one for one in workspaces if one.is_organization]
    if not organizations:
        raise NotFound("the account of this connection is in no organization")
    if len(organizations) > 1:
        several = ", ".join(f"{one.gid} ({one.name})" for one in organizations)
        raise BadUse(f"the account is in several organizations; choose one with --organization: {several}")
    return organizations[0]


def _remarks(known: AsanaConnection, draft: Draft) -> list[str]:
    pace, allowed = known.requests_per_minute, requests_a_minute(draft.plan)
    if draft.plan == "free" and pace is not None and pace > allowed:
        again = f"./seats connect {known.alias} --requests-per-minute {allowed}"
        return [f"Asana allows {allowed} requests a minute on the free plan, the connection asks {pace}: {again}"]
    return []


@app.command("list", epilog=examples("profile list", "profile list --deleted", "profile list --json"))
def list_(
    deleted: Annotated[bool, typer.Option("--deleted", help="Those that were deleted, by name and number.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the profiles."""

    async def read() -> list[Profile]:
        async with database() as connection:
            return await (profiles.deleted(connection) if deleted else profiles.all_of(connection))

    found = run(read())
    document = {"profiles": [described(one) | {"named": named(one)} for one in found]}
    if deleted:
        gone = [(named(one), at(one.deleted_at, one.time_zone), one.organization_name, one.connection) for one in found]
        columns: tuple[str, ...] = ("profile", "deleted", "organization", "connection")
        show(document, Sheet(columns, gone, empty="No profile was deleted."), as_json=as_json)
        return
    rows = [(one.name, one.status, one.organization_name, one.connection, one.plan, brakes_of(one)) for one in found]
    columns = ("profile", "status", "organization", "connection", "plan", "removals")
    empty = "There is no profile yet. Next: ./seats connect ALIAS, then ./seats profile create"
    show(document, Sheet(columns, rows, empty=empty), as_json=as_json)


@app.command("show", epilog=examples("profile show acme", "profile show acme --json", "profile show acme@7"))
def show_(name: ProfileName, as_json: AsJson = False) -> None:
    """Show a profile: its form, its switches, what its plan decides, its rule, schedule and connection."""

    async def read() -> tuple[Profile, dict[str, object]]:
        async with database() as connection:
            profile = await a_profile(connection, name)
            return profile, await whole(connection, profile)

    profile, document = run(read())
    show(document, facts(told(profile, document)), as_json=as_json)
