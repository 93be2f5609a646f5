"""`seats exempt`: people who are never to be removed."""

from datetime import UTC, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from console.errors import BadUse, NotFound
from console.finding import PersonName, ProfileName, a_profile, the_person, the_profile
from console.output import AsJson, Sheet, at, show
from console.session import By, database, now, run
from console.style import examples, group
from store import exemptions
from store.exemptions import Exemption
from store.profiles import Profile

app = group("People who are never to be removed.")


@app.command("add", epilog=examples("exempt add acme mara@example.com --reason 'on leave' --until 2027-03-01"))
def add(
    profile: ProfileName,
    person: PersonName,
    reason: Annotated[str, typer.Option(help="Why, for whoever reads it later.")],
    until: Annotated[str | None, typer.Option(help="The last day, as 2027-03-01.", show_default="for good")] = None,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Exempt a person. An open candidate of theirs is closed by the next candidates run."""
    if not reason.strip():
        raise BadUse("--reason says why")

    async def work() -> str:
        async with database() as connection, connection.transaction():
            found = await the_profile(connection, profile)
            gid = await the_person(connection, found, person)
            end = _end_of(until, found.time_zone) if until else None
            await exemptions.add(connection, found.id, gid, reason=reason.strip(), until=end, by=by, now=now())
            return gid

    gid = run(work())
    show({"profile": profile, "user_gid": gid, "reason": reason.strip()}, f"{person} is exempt.", as_json=as_json)


@app.command("remove", epilog=examples("exempt remove acme mara@example.com"))
def remove(profile: ProfileName, person: PersonName, as_json: AsJson = False) -> None:
    """End an exemption."""

    async def work() -> str:
        async with database() as connection, connection.transaction():
            found = await the_profile(connection, profile)
            gid = await the_person(connection, found, person)
            if not await exemptions.remove(connection, found.id, gid):
                raise NotFound(f"{person} is not exempt; see `./seats exempt list {profile}`")
            return gid

    show({"profile": profile, "user_gid": run(work())}, f"{person} is not exempt any more.", as_json=as_json)


@app.command("list", epilog=examples("exempt list acme"))
def list_(profile: ProfileName, as_json: AsJson = False) -> None:
    """List who is exempt and why."""

    async def read() -> tuple[Profile, list[Exemption]]:
        async with database() as connection:
            found = await a_profile(connection, profile)
            return found, await exemptions.of_profile(connection, found.id)

    found, exempt = run(read())
    zone = found.time_zone
    rows = [
        (one.name or one.user_gid, one.email, one.reason, at(one.until, zone) or "for good", one.added_by)
        for one in exempt
    ]
    names = "user_gid name email reason until added_by added_at"
    document = {"exemptions": [{name: getattr(one, name) for name in names.split()} for one in exempt]}
    show(
        document, Sheet(("person", "e-mail", "reason", "until", "by"), rows, empty="Nobody is exempt."), as_json=as_json
    )


def _end_of(day: str, zone: str) -> datetime:
    """Return the moment at which the day is over in the profile's time zone."""
    try:
        begin = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=ZoneInfo(zone))
        return (begin + timedelta(days=1)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadUse(f"--until is a day as 2027-03-01, not {day!r}") from None
