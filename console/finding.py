"""Finding what an operator names: a profile by its name, a run or a plan by the beginning of its id.

A deleted profile is named `acme@7`, and only to be read.
"""

import re
from typing import Annotated, TypeAlias

import typer

from console.errors import BadUse, NotFound
from store import plans, profiles, readings, runs
from store.connect import Connection
from store.plans import Plan
from store.profiles import Profile
from store.runs import Run

ProfileName: TypeAlias = Annotated[
    str, typer.Argument(metavar="PROFILE", help="The profile's name.", show_default=False)
]
OneProfile: TypeAlias = Annotated[str | None, typer.Option("--profile", help="Only this profile.", show_default="all")]
Limit: TypeAlias = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="How many at most.")]
PersonName: TypeAlias = Annotated[
    str, typer.Argument(metavar="PERSON", help="An e-mail, a gid, or our subscription id.", show_default=False)
]
SHORTEST_PREFIX = 4


async def the_profile(connection: Connection, name: str, *, lock: bool = False) -> Profile:
    """Return the living profile of this name, its row locked if `lock`; raise NotFound."""
    profile = await profiles.get(connection, name, lock=lock)
    if profile is None:
        raise NotFound(f"there is no profile {name}; see `./seats profile list`")
    return profile


async def a_profile(connection: Connection, name: str) -> Profile:
    """Return a profile to be read: a living one, or a deleted one by its name and number (`acme@7`); raise NotFound."""
    plain, _, number = name.partition("@")
    if not number:
        return await the_profile(connection, name)
    found = await profiles.get_by_id(connection, int(number)) if re.fullmatch(r"[0-9]{1,18}", number) else None
    if found is None or found.deleted_at is None or found.name != plain:
        raise NotFound(f"there is no deleted profile {name}; see `./seats profile list --deleted`")
    return found


async def profile_of(connection: Connection, profile_id: int) -> Profile:
    """Return the profile that a row belongs to, living or deleted."""
    profile = await profiles.get_by_id(connection, profile_id)
    assert profile is not None  # profiles are never taken away
    return profile


async def zone_of(connection: Connection, name: str | None) -> str:
    """Return the time zone in which a profile's times are shown; UTC for all profiles together. Raises NotFound."""
    return "UTC" if name is None else (await a_profile(connection, name)).time_zone


def check_named(person: str) -> None:
    """Raise BadUse where nothing stands for a person."""
    if not person.strip():
        raise BadUse("say who it is: an e-mail, a gid or a subscription id")


async def the_person(connection: Connection, profile: Profile, person: str) -> str:
    """Return the gid of somebody who has or had a seat in the profile's organization; raise NotFound or BadUse."""
    check_named(person)
    gids = await readings.user_gids(connection, profile.id, person)
    if not gids:
        raise NotFound(f"profile {profile.name} knows nobody by {person}; give an e-mail, a gid or a subscription id")
    if len(gids) > 1:
        raise BadUse(f"{person} fits several people; give the gid: {', '.join(gids)}")
    return gids[0]


async def the_run(connection: Connection, prefix: str) -> Run:
    """Return the only run whose id begins so; raise NotFound or BadUse."""
    ids = await readings.runs_that_begin(connection, _checked(prefix))
    run = await runs.get(connection, ids[0]) if len(ids) == 1 else None
    if run is None:
        raise _unclear(f"run {prefix}", len(ids), "runs list")
    return run


async def the_plan(connection: Connection, prefix: str) -> Plan:
    """Return the only plan whose hash begins so; raise NotFound or BadUse."""
    hashes = await readings.plans_that_begin(connection, _checked(prefix))
    plan = await plans.get(connection, hashes[0]) if len(hashes) == 1 else None
    if plan is None:
        raise _unclear(f"plan {prefix}", len(hashes), "plans list")
    return plan


def _checked(prefix: str) -> str:
    if len(prefix) < SHORTEST_PREFIX or set(prefix.lower()) - set("0123456789abcdef-"):
        raise BadUse(f"{prefix!r} is no id: give at least its first {SHORTEST_PREFIX} characters, 0-9 and a-f")
    return prefix.lower()


def _unclear(what: str, found: int, listing: str) -> NotFound | BadUse:
    if found:
        return BadUse(f"more than one begins like {what}; give more of it")
    return NotFound(f"there is no {what}; see `./seats {listing}`")
