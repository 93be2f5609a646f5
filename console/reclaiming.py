"""`seats reclaim stop|resume` and `seats profile leash|unleash`: what holds removals back."""

from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

from console.errors import BadUse, Refused
from console.finding import ProfileName, the_profile
from console.output import AsJson, Sheet, show
from console.profile_facts import brakes_of, described
from console.session import By, database, now, run
from console.style import examples, group
from rules.switches import RECLAIM_OFF
from store import leash, profiles
from store.connect import Connection
from store.profiles import Profile

app = group("Stop all removals, or let them start again.")

SomeProfile = Annotated[str | None, typer.Argument(metavar="[PROFILE]", help="The profile's name.", show_default=False)]
All = Annotated[bool, typer.Option("--all", help="Every profile.")]
Step = Callable[[Connection, Profile], Awaitable[None]]


def add_leash_to(profile_app: typer.Typer) -> None:
    """Put these commands into the group `profile`."""
    goes_to = "profile unleash acme --work-goes-to 'Mara Lind'"
    profile_app.command("unleash", epilog=examples(goes_to))(unleash)
    profile_app.command("leash", epilog=examples("profile leash acme"))(leash_)


@app.command(
    "stop", epilog=examples("reclaim stop acme --why 'wrong rule'", "reclaim stop --all --why 'incident 4711'")
)
def stop(
    why: Annotated[str, typer.Option(help="Why, for whoever finds it stopped.")],
    profile: SomeProfile = None,
    every: All = False,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Let no removal be intended from this moment on.

    One that was intended just before, at most one for each profile, may still be sent within its ten seconds; what
    became of it is settled as ever.
    """
    if not why.strip():
        raise BadUse("--why says why")

    async def step(connection: Connection, found: Profile) -> None:
        await leash.stop(connection, found, by=by, why=why.strip(), now=now())

    _each(profile, every=every, step=step, as_json=as_json)


@app.command("resume", epilog=examples("reclaim resume acme", "reclaim resume --all"))
def resume(profile: SomeProfile = None, every: All = False, by: By = "", as_json: AsJson = False) -> None:
    """Let removals start again: of approved plans that have not expired, by the next reclaim."""

    async def step(connection: Connection, found: Profile) -> None:
        if found.reclaim_stopped_at is not None:
            await leash.resume(connection, found, by=by, now=now())

    _each(profile, every=every, step=step, as_json=as_json)


def unleash(
    name: ProfileName,
    work_goes_to: Annotated[
        str, typer.Option(help="The name of the person who receives the work of those who are removed: you accept it.")
    ],
    as_json: AsJson = False,
) -> None:
    """Let approved plans be carried out. With an OAuth or personal token, Asana gives the work to that account."""
    if not work_goes_to.strip():
        raise BadUse("--work-goes-to names the person who receives the work")

    async def step(connection: Connection, found: Profile) -> None:
        if found.provisioned_by_scim:
            raise Refused(f"profile {name} is provisioned by SCIM: seats are taken back in the identity provider")
        if not found.reclaim_enabled:
            raise Refused(f"{RECLAIM_OFF}; switch it on first: ./seats profile set {name} --reclaim")
        await leash.unleash(connection, found, work_goes_to.strip())

    changed = _change(name, every=False, step=step)[0]
    show(described(changed), f"Profile {name} is unleashed: approved plans are carried out.", as_json=as_json)


def leash_(name: ProfileName, as_json: AsJson = False) -> None:
    """Make every plan of a profile a dry run again."""
    changed = _change(name, every=False, step=leash.leash)[0]
    show(described(changed), f"Profile {name} is leashed: plans are dry runs.", as_json=as_json)


def _each(name: str | None, *, every: bool, step: Step, as_json: bool) -> None:
    if (name is None) != every:
        raise BadUse("name one profile, or give --all")
    changed = _change(name, every=every, step=step)
    rows = [(one.name, brakes_of(one)) for one in changed]
    show({"profiles": [described(one) for one in changed]}, Sheet(("profile", "removals"), rows), as_json=as_json)


def _change(name: str | None, *, every: bool, step: Step) -> list[Profile]:
    async def work() -> list[Profile]:
        async with database() as connection, connection.transaction():
            names = [one.name for one in await profiles.all_of(connection)] if every else [str(name)]
            for one in names:
                await step(connection, await the_profile(connection, one, lock=True))
            return [await the_profile(connection, one) for one in names]

    return run(work())
