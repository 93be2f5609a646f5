"""`seats profile create|list|show`: integration profiles, one for each organization."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

import psycopg
import typer

from asana_api.answers import Workspace
from connections.opening import open_asana
from console.errors import BadUse, NotFound, Refused
from console.finding import ProfileName, the_profile
from console.output import AsJson, Sheet, at, facts, show
from console.session import connect, database, now, run, sealing
from console.style import examples, group
from store import connections, profiles, readings
from store.connections import AsanaConnection
from store.profiles import Draft, Profile

app = group("Integration profiles, one organization each.")

AsanaPlan = Literal["free", "starter", "advanced", "enterprise", "enterprise+"]
FREE_PACE = 150
"""Requests a minute that Asana allows a free organization."""
USUAL_DAYS = 60


@app.command(
    "create",
    epilog=examples(
        "profile create acme --connection acme --plan advanced --time-zone Europe/Berlin --currency EUR",
        "profile create acme-labs --connection labs --organization 1201234567890123 --plan free",
    ),
)
def create(
    name: Annotated[str, typer.Argument(help="Lower-case letters, digits and hyphens.", show_default=False)],
    connection: Annotated[str, typer.Option(help="Alias of the connection.")],
    plan: Annotated[AsanaPlan, typer.Option(help="The organization's Asana plan; it decides limits and sources.")],
    organization: Annotated[
        str | None, typer.Option(help="The organization's gid.", show_default="the only one of the account")
    ] = None,
    display_name: Annotated[
        str | None, typer.Option(help="A name for people.", show_default="the organization's name")
    ] = None,
    time_zone: Annotated[str, typer.Option(help="The zone of the schedule and of times that are shown.")] = "UTC",
    currency: Annotated[str, typer.Option(help="Three letters; all amounts of the profile are in it.")] = "USD",
    analyze_activity_from: Annotated[
        str, typer.Option(help="From when activity is analyzed: a date (2026-10-01), or days back (60d).")
    ] = f"{USUAL_DAYS}d",
    removal_cap: Annotated[int, typer.Option(min=1, max=10_000, help="Most removals in any 24 hours.")] = 25,
    provisioned_by_scim: Annotated[
        bool, typer.Option("--provisioned-by-scim", help="People come and go by SCIM: removals are refused here.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a draft of a profile. Nothing runs for it until it is published."""
    zone, moment = _zone(time_zone), now()
    given: dict[str, object] = {
        "name": _matching(
            name, r"[a-z0-9][a-z0-9-]{0,62}", "a profile's name has lower-case letters, digits and hyphens"
        ),
        "plan": plan,
        "time_zone": time_zone,
        "currency": _matching(currency, r"[A-Z]{3}", "a currency has three capital letters, as EUR"),
        "analyze_activity_from": _from_when(analyze_activity_from, moment, zone),
        "removal_cap": removal_cap,
        "provisioned_by_scim": provisioned_by_scim,
    }
    profile, remarks = run(_create(connection, organization, display_name, given))
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
                await profiles.create(connection, draft)
        except psycopg.errors.UniqueViolation:
            raise Refused(f"there is a profile {draft.name} already; see `./seats profile show {draft.name}`") from None
        return await the_profile(connection, draft.name), _remarks(known, draft)


def _chosen(workspaces: list[Workspace], gid: str | None) -> Workspace:
    if gid is not None:
        named = [one for one in workspaces if one.gid == gid]
        if not named:
            raise NotFound(f"the account of this connection is in no organization {gid}")
        return named[0]
    organizations = [one for one in workspaces if one.is_organization]
    if not organizations:
        raise NotFound("the account of this connection is in no organization")
    if len(organizations) > 1:
        several = ", ".join(f"{one.gid} ({one.name})" for one in organizations)
        raise BadUse(f"the account is in several organizations; choose one with --organization: {several}")
    return organizations[0]


def _remarks(known: AsanaConnection, draft: Draft) -> list[str]:
    pace = known.requests_per_minute
    if draft.plan == "free" and pace is not None and pace > FREE_PACE:
        again = f"./seats connect {known.alias} --requests-per-minute {FREE_PACE}"
        return [f"Asana allows {FREE_PACE} requests a minute on the free plan, the connection asks {pace}: {again}"]
    return []


@app.command("list", epilog=examples("profile list", "profile list --json"))
def list_(as_json: AsJson = False) -> None:
    """List the profiles."""

    async def read() -> list[Profile]:
        async with database() as connection:
            return await profiles.all_of(connection)

    found = run(read())
    rows = [(one.name, one.status, one.organization_name, one.connection, one.plan, brakes_of(one)) for one in found]
    columns = ("profile", "status", "organization", "connection", "plan", "removals")
    empty = "There is no profile yet. Next: ./seats connect ALIAS, then ./seats profile create"
    show({"profiles": [described(one) for one in found]}, Sheet(columns, rows, empty=empty), as_json=as_json)


@app.command("show", epilog=examples("profile show acme", "profile show acme --json"))
def show_(name: ProfileName, as_json: AsJson = False) -> None:
    """Show a profile with its rule, its schedule and its connection's state."""
    document, profile = run(_read(name))
    zone = profile.time_zone
    told: dict[str, object] = {
        "profile": f"{profile.name} ({profile.display_name})",
        "status": profile.status,
        "organization": f"{profile.organization_name} ({profile.organization_gid})",
        "connection": f"{profile.connection}: {document['connection_state']}",
        "plan": profile.plan,
        "activity from": at(profile.analyze_activity_from, zone),
        "removals": brakes_of(profile),
        "most in 24 hours": profile.removal_cap,
        "work goes to": profile.work_goes_to,
    }
    rule, schedule = document["rule"], document["schedule"]
    if isinstance(rule, dict):
        told["rule"] = f"no {rule['evidence']} for {rule['threshold_days']} days"
    if isinstance(schedule, dict) and schedule["enabled"]:
        told["cycle"] = f"{schedule['cron']} {schedule['time_zone']}, next {at(schedule['next_due_at'], zone)}"
    show(document, facts(told), as_json=as_json)


async def _read(name: str) -> tuple[dict[str, object], Profile]:
    async with database() as connection:
        profile = await the_profile(connection, name)
        credential = await connections.credential_of(connection, profile.connection_id)
        document = described(profile) | {
            "connection_state": credential.state if credential else "not_connected",
            "connection_lost_because": credential.lost_reason if credential else None,
            "rule": await readings.rule_of(connection, profile.id),
            "schedule": await readings.schedule_of(connection, profile.id),
        }
    return document, profile


def described(profile: Profile) -> dict[str, object]:
    """Return a profile as it stands in a JSON document."""
    names = (
        "name display_name status connection organization_gid organization_name plan time_zone currency"
        " analyze_activity_from leashed removal_cap provisioned_by_scim work_goes_to reclaim_stopped_at"
        " reclaim_stopped_by reclaim_stopped_why created_at published_at"
    )
    return {name: getattr(profile, name) for name in names.split()}


def brakes_of(profile: Profile) -> str:
    """Say in words what holds the removals of a profile back."""
    if profile.provisioned_by_scim:
        return "refused here: provisioned by SCIM"
    if profile.reclaim_stopped_at is not None:
        return f"stopped by {profile.reclaim_stopped_by}: {profile.reclaim_stopped_why}"
    return "leashed: dry run" if profile.leashed else "unleashed"


def _zone(name: str) -> ZoneInfo:
    if name not in available_timezones():
        raise BadUse(f"there is no time zone {name!r}; give one as Europe/Berlin")
    return ZoneInfo(name)


def _matching(value: str, pattern: str, sentence: str) -> str:
    if not re.fullmatch(pattern, value):
        raise BadUse(f"{sentence}, not {value!r}")
    return value


def _from_when(text: str, moment: datetime, zone: ZoneInfo) -> datetime:
    if re.fullmatch(r"[0-9]{1,4}d", text):
        return moment - timedelta(days=int(text[:-1]))
    try:
        begin = datetime.fromisoformat(text)
    except ValueError:
        raise BadUse("--analyze-activity-from is a date as 2026-10-01, or days back as 60d") from None
    begin = begin if begin.tzinfo else begin.replace(tzinfo=zone)
    if begin > moment:
        raise BadUse("--analyze-activity-from lies in the future")
    return begin.astimezone(UTC)
