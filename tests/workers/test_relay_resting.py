"""The relay while as many refused messages rest as it will hold: it takes nothing, and everything else goes on."""

import asyncio
from typing import TYPE_CHECKING, cast

import pytest

from store import outbox
from store.outbox import Outgoing
from workers import relay as relay_module
from workers.flight import Flight
from workers.relay import Relay

if TYPE_CHECKING:
    from store.connect import Connection

pytestmark = pytest.mark.anyio

TURNS = 100


async def test_what_is_added_meanwhile_keeps_no_other_task_from_its_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    async def too_early(*_: object, **__: object) -> list[Outgoing]:
        raise AssertionError("read while as many rest as may")

    monkeypatch.setattr(relay_module, "MOST_RESTING", 2)
    monkeypatch.setattr(outbox, "unsent", too_early)
    relay, stop, turns = Relay("", "", ""), asyncio.Event(), 0
    relay._resting = dict.fromkeys((1, 2), asyncio.get_running_loop().time() + 2.0)

    async def beat() -> None:
        nonlocal turns
        for _ in range(TURNS):
            relay._wake.set()  # as a NOTIFY does
            await asyncio.sleep(0)
            turns += 1
        stop.set()
        relay._wake.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(relay._pump(cast("Connection", None), {}, Flight(), stop))
        group.create_task(beat())
    assert turns == TURNS
