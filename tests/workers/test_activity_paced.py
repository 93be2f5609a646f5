"""A pull at Asana's own pace, fifty times as fast: searches are few, and each slice keeps to its time.

Everything is scaled alike: 55 searches and 1500 requests a minute, and a slice of 45 seconds, are 2750, 75000 and 0.9.
"""

import time
from collections.abc import Iterator
from itertools import pairwise
from statistics import median

import pytest

from messages.commands import Command, PullActivity
from sandbox.asana import Running
from store import budget
from tests.conftest import Database
from tests.workers.actor_stage import Stage, actor_stage, organization
from workers import activity
from workers.asking import Answers

pytestmark = [pytest.mark.anyio, pytest.mark.services]

FASTER = 50
SLICE = 45 / FASTER
SEARCH_ROUTE = "GET /workspaces/{workspace_gid}/tasks/search"
DUE = """SELECT count(*) FROM subscription s WHERE s.software_model = 'member' AND s.state = 'active'
    AND NOT s.is_admin AND s.user_gid NOT IN (SELECT user_gid FROM credential) AND NOT EXISTS """
NOT_YET = DUE + "(SELECT FROM coverage c WHERE c.subscription_id = s.id AND c.source = 'tasks')"
LATELY = "(SELECT max(started_at) FROM run WHERE kind = 'activity') - interval '59 days'"
IDLE_UNSEARCHED = f"""{DUE}
    (SELECT FROM observation o WHERE o.subscription_id = s.id AND o.acted_at > {LATELY})
    AND s.joined_at < {LATELY}
    AND NOT EXISTS (SELECT FROM coverage c WHERE c.subscription_id = s.id AND c.source = 'search'
                       AND c.covered <> '{{}}')"""


@pytest.fixture
def asana(monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    for name in ("searches", "paid"):
        monkeypatch.setitem(budget._PARAMETERS, name, int(budget._PARAMETERS[name]) * FASTER)
    with organization(people=250) as lookalike:
        yield lookalike


async def begun(stage: Stage) -> PullActivity:
    await stage.run("download")
    await stage.owner.execute("UPDATE connection SET requests_per_minute = %s", [1500 * FASTER])
    await stage.order("activity")
    command = await stage.take_a(PullActivity)
    assert isinstance(command, PullActivity)
    return command


async def test_each_slice_ends_in_its_time_and_all_of_them_ask_about_everybody_once(
    asana: Running, database: Database
) -> None:
    async with actor_stage(asana, database, plan="advanced", slice_seconds=SLICE) as stage:
        command: Command = await begun(stage)
        far: list[tuple[int, int]] = []
        took: list[float] = []
        asana.requests.reset()
        while (await stage.read(command.run_id)).state in ("queued", "running"):
            began = time.monotonic()
            await stage.attempt(command)
            took.append(time.monotonic() - began)
            counts = (await stage.read(command.run_id)).counts
            far.append((counts["asked"], counts["looked_deep"]))
            if (await stage.read(command.run_id)).state == "running":
                command = await stage.take_a(PullActivity)
        run = await stage.read(command.run_id)
        assert run.state == "finished"
        assert len(took) > 2
        assert median(took) < 75 / FASTER  # a machine under load may hold one of them up
        assert all(before < after for before, after in pairwise(far[:-1]))
        assert run.counts["asked"] == run.counts["due"]
        assert run.counts["looked_deep"] == run.counts["to_look_deep"] > 50
        assert await stage.count(NOT_YET) == await stage.count(IDLE_UNSEARCHED) == 0
        assert asana.requests.by_route[SEARCH_ROUTE] <= 2 * run.counts["looked_deep"] + 16 * len(took)


async def until_killed(stage: Stage, command: Command) -> Command:
    """Carry the run on until a slice dies, and return that slice's command."""
    while True:
        try:
            await stage.attempt(command)
        except TimeoutError:
            return command
        command = await stage.take_a(PullActivity)


async def test_a_slice_that_is_killed_loses_nothing_that_was_committed(
    asana: Running, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = activity._keep

    async def keep_and_die(asked: activity._Asked, answers: Answers) -> None:
        await keep(asked, answers)
        if asked.counts["looked_deep"] > 5:
            raise TimeoutError

    async with actor_stage(asana, database, plan="advanced", slice_seconds=SLICE) as stage:
        command: Command = await begun(stage)
        with monkeypatch.context() as dying:
            dying.setattr(activity, "_keep", keep_and_die)
            command = await until_killed(stage, command)
        kept = (await stage.read(command.run_id)).counts
        assert kept["looked_deep"] > 5
        assert await stage.count("SELECT count(*) FROM coverage WHERE source = 'search'") == kept["looked_deep"]
        asana.requests.reset()
        await stage.attempt(command)
        await stage.play()
        run = await stage.read(command.run_id)
        assert (run.state, run.counts["asked"]) == ("finished", run.counts["due"])
        assert asana.requests.by_route["GET /tasks"] == 0  # nobody whose tasks were seen is asked about them again
        assert await stage.count(NOT_YET) == await stage.count(IDLE_UNSEARCHED) == 0
