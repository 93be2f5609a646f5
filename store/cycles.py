"""Starting a cycle: the run that has a day's steps in it. How it goes on is in `endings.advance`."""

from datetime import datetime, timedelta
from uuid import UUID

from store import runs
from store.connect import Connection
from store.endings import Fenced, advance
from store.runs import Order
from store.slices import start

A_DAY = timedelta(days=1)
"""A cycle has no worker of its own; its steps have leases. After a day without an end it counts as abandoned."""


async def add(connection: Connection, order: Order, now: datetime) -> UUID:
    """Ask for a run of any kind, in the caller's transaction; return its id.

    A step gets its command at once. A cycle starts at once if it is due; a later one is started by the scheduler.
    """
    if order.kind != "cycle":
        return await runs.add_step(connection, order, now)
    cycle = await runs.insert(connection, order, now)
    if order.not_before is None or order.not_before <= now:
        await start_cycle(connection, cycle.id, now)
    return cycle.id


async def start_cycle(connection: Connection, cycle_id: UUID, now: datetime) -> None:
    """Start a queued cycle with its download; it ends at once as coalesced if another one is under way."""
    cycle = await runs.get(connection, cycle_id, lock=True)
    if cycle is None or cycle.state != "queued":
        return
    if not await start(connection, cycle, now, lease=A_DAY):
        return
    await advance(connection, cycle_id, now)


async def start_due_cycles(connection: Connection, now: datetime) -> int:
    """Start the queued cycles whose time has come; several schedulers may do so side by side."""
    due = await connection.execute(
        "SELECT id FROM run WHERE kind = 'cycle' AND state = 'queued' AND not_before <= %s ORDER BY not_before", [now]
    )
    started = 0
    for (cycle_id,) in await due.fetchall():
        try:
            async with connection.transaction():
                await start_cycle(connection, cycle_id, now)
            started += 1
        except Fenced:
            continue  # looked at in the moment of a change; the next round finds it
    return started
