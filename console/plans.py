"""`seats plan`, `seats approve` and `seats plans`: the dry run, read by anybody, approved by its hash."""

import re
from datetime import timedelta
from typing import Annotated

import typer

from console.errors import BadUse
from console.finding import Limit, OneProfile, ProfileName, profile_of, the_plan, the_profile, zone_of
from console.output import AsJson, Sheet, at, facts, named, show
from console.session import By, database, now, run
from console.style import examples, group
from store import plans
from store.connect import Connection
from store.plans import Plan, PlanItem

HELP = examples("plan acme", "plan acme --limit 10 --due-in 24h --json")
HELP_APPROVE = examples("approve 3f9a2c41 --by 'Mara Lind'")
app = group("Plans of removals, and what became of them.")

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
PlanHash = Annotated[str, typer.Argument(metavar="HASH", help="A plan's hash, or its beginning.", show_default=False)]
Read = tuple[Plan, list[PlanItem], str]


def plan(
    profile: ProfileName,
    limit: Annotated[
        int | None, typer.Option(min=1, max=10_000, help="At most so many people, longest idle first.")
    ] = None,
    due_in: Annotated[str, typer.Option(help="Not carried out before so long: 30m, 24h, 7d.")] = "0h",
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Write the dry run of everybody who is ready.

    It removes nobody: it has to be approved by its hash.
    """
    wait = _duration(due_in)

    async def work() -> Read:
        async with database() as connection, connection.transaction():
            found = await the_profile(connection, profile)
            made = await plans.make(connection, profile_id=found.id, made_by=by, now=now(), due_in=wait, limit=limit)
            return await _read(connection, made)

    made = run(work())
    show(
        _document(*made[:2]),
        *_told(*made),
        f"Approve it with: ./seats approve {made[0].hash[:12]} --by NAME",
        as_json=as_json,
    )


def approve(
    plan_hash: PlanHash,
    by: Annotated[str, typer.Option("--by", help="The person who approves, by name.")],
    as_json: AsJson = False,
) -> None:
    """Approve exactly the plan with this hash. It is carried out by the next reclaim, if the profile is unleashed."""
    if not by.strip():
        raise BadUse("--by is the name of the person who approves")

    async def work() -> tuple[Read, bool]:
        async with database() as connection, connection.transaction():
            found = await the_plan(connection, plan_hash)
            approved = await plans.approve(connection, found.hash, by=by.strip(), now=now())
            profile = await the_profile(connection, approved.profile)
            return await _read(connection, approved), profile.leashed

    (approved, items, zone), leashed = run(work())
    leash = f"Profile {approved.profile} is leashed: nobody is removed until ./seats profile unleash {approved.profile}"
    show(
        _document(approved, items) | {"leashed": leashed},
        f"Plan {approved.hash[:12]} for {named(approved.people, 'person', 'people')} is approved by"
        f" {approved.approved_by}; due {at(approved.due_at, zone)}, expires {at(approved.expires_at, zone)}.",
        leash
        if leashed
        else f"Carry it out with: ./seats run reclaim {approved.profile} --plan {approved.hash[:12]} --wait",
        as_json=as_json,
    )


@app.command("list", epilog=examples("plans list", "plans list --profile acme"))
def list_(profile: OneProfile = None, limit: Limit = 20, as_json: AsJson = False) -> None:
    """List the newest plans."""

    async def read() -> tuple[list[Plan], str]:
        async with database() as connection:
            zone = await zone_of(connection, profile)
            return await plans.recent(connection, profile, limit), zone

    found, zone = run(read())
    rows = [
        (
            one.hash[:12],
            one.profile,
            state_of(one),
            one.people,
            one.settled,
            at(one.made_at, zone),
            at(one.expires_at, zone),
        )
        for one in found
    ]
    columns = ("plan", "profile", "state", "people", "settled", "made", "expires")
    sheet = Sheet(columns, rows, empty="There is no plan.", numbers=frozenset({"people", "settled"}))
    show({"plans": [_head(one) for one in found]}, sheet, as_json=as_json)


@app.command("show", epilog=examples("plans show 3f9a2c41"))
def show_(plan_hash: PlanHash, as_json: AsJson = False) -> None:
    """Show a plan: each person, why, and what became of it."""

    async def read() -> Read:
        async with database() as connection:
            return await _read(connection, await the_plan(connection, plan_hash))

    found = run(read())
    show(_document(*found[:2]), *_told(*found), as_json=as_json)


async def _read(connection: Connection, found: Plan) -> Read:
    profile = await profile_of(connection, found.profile_id)
    return found, await plans.items(connection, found.hash), profile.time_zone


def _told(found: Plan, items: list[PlanItem], zone: str) -> tuple[Sheet, Sheet]:
    head = facts(
        {
            "plan": found.hash,
            "profile": found.profile,
            "state": state_of(found),
            "made": f"{at(found.made_at, zone)} by {found.made_by}",
            "approved": found.approved_at and f"{at(found.approved_at, zone)} by {found.approved_by}",
            "due": at(found.due_at, zone),
            "expires": at(found.expires_at, zone),
        }
    )
    rows = [
        (one.position, one.name or one.user_gid, one.email, one.outcome, one.why or one.planned_because)
        for one in items
    ]
    return head, Sheet(("", "person", "e-mail", "outcome", "why"), rows, numbers=frozenset({""}))


def state_of(found: Plan) -> str:
    """Say in a word where a plan stands."""
    if found.carried_out_at is not None:
        return "carried out"
    if found.expired_at is not None or found.expires_at <= now():
        return "expired"
    return "approved" if found.approved_at is not None else "not approved"


def _duration(text: str) -> timedelta:
    match = re.fullmatch(r"([0-9]{1,4})([mhd])", text)
    if not match:
        raise BadUse("--due-in is a number and m, h or d, as 24h")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _head(found: Plan) -> dict[str, object]:
    names = (
        "hash profile made_by made_at due_at expires_at approved_by approved_at carried_out_at expired_at people"
        " settled"
    )
    return {name: getattr(found, name) for name in names.split()} | {"state": state_of(found)}


def _document(found: Plan, items: list[PlanItem]) -> dict[str, object]:
    names = "position subscription_id candidate_id user_gid name email planned_because outcome why settled_at joined_at"
    return _head(found) | {"items": [{name: getattr(one, name) for name in names.split()} for one in items]}
