"""A stage with a day behind it: candidates are found, a plan is approved, and the removals may begin."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from messages.commands import ReclaimSubscription
from messages.events import EVENTS
from rules.evidence import AsanaPlan
from sandbox.asana import Running
from sandbox.asana.faults import Fault, Kind
from sandbox.asana.removals import Removal
from store import housekeeping
from store.runs import Run
from tests.conftest import Database
from tests.workers.actor_stage import KEY, Row, Stage, actor_stage

REMOVE = "/workspaces/{workspace_gid}/removeUser"
MEMBERSHIPS = "/workspaces/{workspace_gid}/workspace_memberships"


@dataclass
class Plan:
    """An approved plan on its stage: `people` are gids in the order in which they will be removed."""

    stage: Stage
    hash: str
    people: list[str]

    async def outcomes(self) -> dict[str, str | None]:
        """Return what became of each person, by gid."""
        rows = await self.stage.rows(f"SELECT user_gid, outcome FROM plan_item WHERE plan_hash = '{self.hash}'")
        return {str(row["user_gid"]): row["outcome"] for row in rows}  # type: ignore[misc] # text or nothing

    async def why(self, gid: str) -> str:
        """Return the sentence on what became of a person."""
        (row,) = await self.stage.rows(
            f"SELECT why FROM plan_item WHERE plan_hash = '{self.hash}' AND user_gid = '{gid}'"
        )
        return str(row["why"])

    async def removals(self) -> dict[str, Row]:
        """Return the intents that were written, by gid."""
        rows = await self.stage.rows(f"SELECT * FROM removal WHERE plan_hash = '{self.hash}' ORDER BY id")
        return {str(row["user_gid"]): row for row in rows}

    def calls_for(self, gid: str) -> list[Removal]:
        """Return the look-alike's record of calls that named this person, whatever became of them."""
        return [call for call in self.stage.asana.removals.calls if call.asked == gid]

    async def is_carried_out(self) -> bool:
        """Say whether everybody in it is settled."""
        (row,) = await self.stage.rows(f"SELECT carried_out_at FROM plan WHERE hash = '{self.hash}'")
        return row["carried_out_at"] is not None

    async def carry_out(self) -> Run:
        """Ask for exactly this plan and play."""
        return await self.stage.run("reclaim", self.hash)

    async def first_command(self) -> ReclaimSubscription:
        """Ask for the plan and return the command for its first person, as yet undone."""
        await self.stage.order("reclaim", self.hash)
        command = await self.stage.take_a(ReclaimSubscription)
        assert isinstance(command, ReclaimSubscription)
        return command

    async def lose_the_first_answer(self, kind: Kind = "lost", **how: Any) -> None:  # noqa: ANN401 - a fault's words
        """Call for the first person and get no answer; the run then waits."""
        self.stage.asana.faults.add(kind, route=REMOVE, times=1, **how)
        await self.stage.deliver(await self.first_command())
        assert (await self.removals())[self.people[0]]["state"] == "calling"
        assert await self.stage.take() is None

    async def recover(self, **later: float) -> int:
        """Move the clock and have overdue removals read back, as the scheduler does; return how many there were."""
        now = self.stage.later(**(later or {"seconds": 75}))
        patience = timedelta(seconds=self.stage.reclaim.settings.recovery_after_seconds)
        overdue = await housekeeping.ask_for_recovery(self.stage.owner, now, patience)
        await self.stage.play()
        return overdue

    async def read(self, run_id: UUID) -> tuple[str, str]:
        """Return state and reason of a run."""
        run = await self.stage.read(run_id)
        return run.state, run.reason or ""

    async def assert_both_ledgers_agree(self) -> None:
        """Hold our record of removals against the look-alike's own: nobody is called twice, nobody is made up."""
        ours = await self.removals()
        for gid, removal in ours.items():
            calls = self.calls_for(gid)
            assert len(calls) <= 1, "nobody is called twice"
            if removal["state"] == "done":
                assert [call.accepted for call in calls] == [True]
            if removal["state"] == "never_sent":
                assert calls == []
            if removal["state"] == "refused":
                assert not any(call.accepted for call in calls)
        assert {call.asked for call in self.stage.asana.removals.calls} <= ours.keys()
        told = await self.stage.rows("SELECT name, payload FROM outbox WHERE channel = 'event'")
        assert all(EVENTS[str(row["name"])].model_validate(row["payload"]) for row in told)


async def fired(fault: Fault) -> None:
    """Wait until a call has met this fault."""
    async with asyncio.timeout(30):
        while not fault.fired:  # noqa: ASYNC110 - it is counted in another thread
            await asyncio.sleep(0.01)


@asynccontextmanager
async def reclaim_stage(
    asana: Running, database: Database, *, people: int = 3, asana_plan: AsanaPlan = "free", **settings: object
) -> AsyncIterator[Plan]:
    """Open a stage after one cycle, with an approved plan for so many people."""
    async with actor_stage(asana, database, asana_plan, "acme", KEY, **settings) as stage:
        await stage.run("cycle")
        plan_hash = await stage.approved_plan(limit=people)
        rows = await stage.rows(f"SELECT user_gid FROM plan_item WHERE plan_hash = '{plan_hash}' ORDER BY position")
        stage.later(minutes=30)
        yield Plan(stage, plan_hash, [str(row["user_gid"]) for row in rows])
