"""Ordering runs, taking them up and ending them, as actors do."""

from datetime import timedelta
from uuid import UUID

from messages.commands import COMMAND_OF, Command
from messages.kinds import RunKind, StepKind
from store import cycles, endings, runs, slices
from store.connect import Connection
from store.runs import Order, Run
from tests.rows import NOW

LATER = NOW + timedelta(minutes=5)


async def order(connection: Connection, acme: int, kind: RunKind = "download") -> UUID:
    async with connection.transaction():
        return await cycles.add(connection, Order(profile_id=acme, kind=kind, requested_by="ann"), NOW)


def command_of(run_id: UUID, kind: StepKind = "download", slice_number: int = 0) -> Command:
    return COMMAND_OF[kind](run_id=run_id, slice=slice_number, correlation_id=run_id)


async def take(connection: Connection, command: Command) -> Run | None:
    async with connection.transaction():
        return await slices.take(connection, command, LATER)


async def taken(connection: Connection, command: Command) -> Run:
    run = await take(connection, command)
    assert run is not None
    return run


async def finish(connection: Connection, run: Run) -> None:
    async with connection.transaction():
        await endings.finish(connection, run, counts={"seats": 5}, now=LATER)


async def seen(connection: Connection, run_id: UUID) -> Run:
    run = await runs.get(connection, run_id)
    assert run is not None
    return run


async def said(connection: Connection, run_id: UUID) -> list[str]:
    cursor = await connection.execute("SELECT name FROM outbox WHERE subject = %s ORDER BY sequence", [f"run/{run_id}"])
    return [str(name) for (name,) in await cursor.fetchall()]
