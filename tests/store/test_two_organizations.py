"""Two organizations never see each other's people: each function of the store that takes a profile is called for one.

The functions are found by inspection, so a new one whose parameters are not known fails here. What a call returns is
searched for anything of the other organization; what it changed shows in a digest of all rows of the other.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import LiteralString

import pytest

import store
from store.connect import Connection, open_connection
from store.profiles import Profile
from store.readings import Wanted
from tests.conftest import Database
from tests.store.for_one_organization import VALUES
from tests.store.two_organizations import OF_OTHER, Organization, digest, predicates, two_organizations

pytestmark = [pytest.mark.anyio, pytest.mark.services]

TELLS_A_PROFILE = frozenset(
    {
        *("profile_id", "profile", "run", "run_id", "cycle_id", "order", "plan_hash", "person", "request"),
        *("schedule_id", "connection_id", "credential_id", "credential", "error", "command"),
    }
)
"""Parameters by which a function knows whose rows it is to read or change."""
ANSWERED: LiteralString = "UPDATE removal SET state = 'done', answered_at = intended_at WHERE profile_id = %s"
UNDECIDED: LiteralString = """UPDATE plan SET approved_by = NULL, approved_role = NULL, approved_at = NULL
                              WHERE profile_id = %s"""
GONE: LiteralString = """UPDATE subscription SET state = 'gone', gone_at = found_at, gone_because = 'missing'
                         WHERE profile_id = %s AND user_gid = '1001'"""
NOT_STARTED: LiteralString = """UPDATE run SET state = 'queued', started_at = NULL
                                WHERE profile_id = %s AND kind = 'cycle'"""
PULLED_BEFORE: LiteralString = (
    "UPDATE activity_stream SET pulled_at = pulled_at - interval '1 day' WHERE profile_id = %s"
)
HELD: LiteralString = "UPDATE profile SET reclaim_enabled = false WHERE id = %s"
STRANGERS: LiteralString = """WITH p AS (SELECT %s::bigint AS id), gone AS (
    UPDATE subscription SET state = 'gone', gone_at = found_at, gone_because = 'missing' FROM p WHERE profile_id = p.id)
    DELETE FROM listed_user USING run r, p WHERE run_id = r.id AND r.profile_id = p.id"""
ASKED_BY_TASKS: LiteralString = """UPDATE coverage SET trouble = NULL,
    pulled_at = CASE source WHEN 'tasks' THEN timestamptz 'infinity' ELSE '-infinity' END WHERE profile_id = %s"""
BEFORE = dict.fromkeys(("deletions.delete", "removals.intend"), ANSWERED) | {
    "plans.approve": UNDECIDED,
    "candidates.close_for_the_gone": GONE,
    "cycles.start_cycle": NOT_STARTED,
    "streams.begin_pull": PULLED_BEFORE,
    "removals.why_held": HELD,
    "listings.strangers": STRANGERS,
    "asking.asked_by_tasks_only": ASKED_BY_TASKS,
}
"""What is so, of one organization, before some functions are called."""
Function = Callable[..., Awaitable[object]]


def functions() -> Iterator[tuple[str, Function]]:
    """Give each public asynchronous function of the store that takes a profile, or what belongs to one."""
    for module in pkgutil.iter_modules(store.__path__):
        there = importlib.import_module(f"store.{module.name}")
        for name, function in inspect.getmembers(there, inspect.iscoroutinefunction):
            is_own = function.__module__ == there.__name__ and not name.startswith("_")
            taken = inspect.signature(function).parameters
            tells = TELLS_A_PROFILE & set(taken) or any(one.annotation is Wanted for one in taken.values())
            if is_own and tells:
                yield f"{module.name}.{name}", function


async def arguments(
    name: str, function: Function, connection: Connection, mine: Organization
) -> tuple[list[object], dict[str, object]]:
    """Give a function what it needs to work for one organization."""
    given: list[object] = []
    named: dict[str, object] = {}
    for one in inspect.signature(function).parameters.values():
        if one.name == "connection":
            value: object = connection
        elif one.name == "profile":
            value = mine.profile if one.annotation is Profile else mine.profile.name
        elif (known := VALUES.get(f"{name}.{one.name}") or VALUES.get(one.name)) is not None:
            if one.default is not inspect.Parameter.empty:
                continue
            value = await known(connection, mine)
        elif one.default is not inspect.Parameter.empty:
            continue
        else:
            raise AssertionError(f"store.{name}: what is given for {one.name} is not in for_one_organization.VALUES")
        if one.kind is inspect.Parameter.KEYWORD_ONLY:
            named[one.name] = value
        else:
            given.append(value)
    return given, named


@dataclass(frozen=True)
class Before:
    """The two, and their rows before anything was called; each call is taken back."""

    mine: Organization
    other: Organization
    tables: dict[str, str]
    of_mine: dict[str, str]
    of_other: dict[str, str]


async def filled(owner: Connection) -> Before:
    mine, other = await two_organizations(owner)
    tables = await predicates(owner)
    return Before(mine, other, tables, await digest(owner, mine, tables), await digest(owner, other, tables))


async def check(name: str, function: Function, owner: Connection, before: Before) -> str:
    """Call a function for one organization and take it back; return what is wrong with that, or nothing."""
    mine, tables = before.mine, before.tables
    wrong, of_mine = "", before.of_mine
    try:
        async with owner.transaction(force_rollback=True):
            if name in BEFORE:
                await owner.execute(BEFORE[name], [mine.profile.id])
                of_mine = await digest(owner, mine, tables)
            given, named = await arguments(name, function, owner, mine)
            returned = await function(*given, **named)
            after = await digest(owner, before.other, tables)
            did_something = bool(returned) or await digest(owner, mine, tables) != of_mine
            changed = [table for table in after if after[table] != before.of_other[table]]
            if changed:
                wrong = f"{name} changed of the other: {', '.join(changed)}"
            elif leak := OF_OTHER.search(repr(returned)):
                wrong = f"{name} returned of the other: {repr(returned)[max(0, leak.start() - 100) : leak.end() + 100]}"
            elif not did_something:
                wrong = f"{name} did nothing: give it what it can work on"
    except Exception as error:  # noqa: BLE001 - whatever it is, the function was not tried
        wrong = f"{name} could not be called: {type(error).__name__}: {error}"
    return wrong


async def test_every_table_is_full_of_both(database: Database) -> None:
    async with open_connection(database.owner_url) as owner:
        before = await filled(owner)
        for found in (before.of_mine, before.of_other):
            assert [table for table, rows in found.items() if rows.startswith("0 ")] == []


async def test_what_is_done_for_one_touches_and_shows_nothing_of_the_other(database: Database) -> None:
    async with open_connection(database.owner_url) as owner:
        before = await filled(owner)
        called = [await check(name, function, owner, before) for name, function in functions()]
        assert "\n".join(wrong for wrong in called if wrong) == ""
        assert len(called) > 80


async def test_a_function_that_forgets_the_profile_is_seen(database: Database) -> None:
    async def reads_all(connection: Connection, profile_id: int) -> object:
        return await (await connection.execute("SELECT user_gid, name FROM person")).fetchall()

    async def changes_all(connection: Connection, profile_id: int) -> None:
        await connection.execute("UPDATE subscription SET is_admin = true")

    async with open_connection(database.owner_url) as owner:
        before = await filled(owner)
        assert "returned of the other" in await check("x.reads_all", reads_all, owner, before)
        assert await check("x.changes_all", changes_all, owner, before) == (
            "x.changes_all changed of the other: subscription"
        )
