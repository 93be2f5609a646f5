"""Subscriptions, runs and candidates as rows: what the store's tests begin with, written by the database's owner."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from messages.commands import COMMAND_OF
from messages.kinds import StepKind
from store import runs, slices
from store.connect import Connection, open_connection
from store.runs import Order, Run
from tests.conftest import Database
from tests.rows import NOW, add_profile

JOINED = NOW - timedelta(days=900)


@asynccontextmanager
async def acme(database: Database) -> AsyncIterator[tuple[Connection, int]]:
    """Yield the owner's connection, and a published profile with all three software models and a rule."""
    async with open_connection(database.owner_url) as owner:
        profile_id = await add_profile(owner)
        await complete(owner, profile_id)
        yield owner, profile_id


async def complete(connection: Connection, profile_id: int) -> None:
    """Give a profile its other software models and its rule."""
    await connection.execute(
        """INSERT INTO software_model VALUES (%(profile)s, 'guest', 'Asana guest', false),
                                             (%(profile)s, 'view_only', 'Asana view-only', false)""",
        {"profile": profile_id},
    )
    await connection.execute("INSERT INTO reclamation_rule VALUES (%s, 'member')", [profile_id])


async def add_subscription(
    connection: Connection,
    profile_id: int,
    user_gid: str,
    *,
    model: str = "member",
    is_admin: bool = False,
    joined_at: datetime = JOINED,
    membership_gid: str | None = None,
) -> int:
    """Add an active subscription; return its id. Its membership has the gid of the person with a 9 before it."""
    cursor = await connection.execute(
        """INSERT INTO subscription (profile_id, user_gid, membership_gid, software_model, is_admin, joined_at,
                                     found_at)
           VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id""",
        [profile_id, user_gid, membership_gid or f"9{user_gid}", model, is_admin, joined_at, JOINED],
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def start_run(connection: Connection, profile_id: int, kind: StepKind, now: datetime = NOW) -> Run:
    """Make a run of a step and take up its first slice."""
    async with connection.transaction():
        run_id = await runs.add_step(connection, Order(profile_id=profile_id, kind=kind, requested_by="ann"), now)
    run = await runs.get(connection, run_id)
    assert run is not None
    command = COMMAND_OF[kind](run_id=run_id, slice=0, correlation_id=run.correlation_id)
    async with connection.transaction():
        taken = await slices.take(connection, command, now)
    assert taken is not None
    return taken


async def add_candidate(connection: Connection, profile_id: int, subscription_id: int, run: Run, state: str) -> int:
    """Add an open candidate; return its id."""
    cursor = await connection.execute(
        """INSERT INTO candidate (profile_id, subscription_id, state, why, verdict, found_run, opened_at, changed_at)
           VALUES (%s, %s, %s, 'idle', '{"reason": "idle", "last_act_at": null}', %s, %s, %s) RETURNING id""",
        [profile_id, subscription_id, state, run.id, NOW, NOW],
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])
