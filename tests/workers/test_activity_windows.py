"""The windows of a person over several days: a refusal claims nothing, and whatever is missing is asked for again."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from sandbox.asana import Running
from tests.conftest import Database
from tests.workers.actor_stage import LOOK_BACK, actor_stage, organization
from tests.workers.test_activity import TASKS, coverage, idle

pytestmark = [pytest.mark.anyio, pytest.mark.services]


@pytest.fixture
def asana() -> Iterator[Running]:
    with organization(people=80) as lookalike:
        yield lookalike


async def test_what_was_seen_reaches_from_the_look_back_to_the_start_of_the_last_whole_pull(
    asana: Running, database: Database
) -> None:
    async with actor_stage(asana, database) as stage:
        someone = idle(stage)[0]
        first_day, look_back = stage.now, stage.now - LOOK_BACK
        await stage.run("cycle")
        assert await coverage(stage, someone) == ([(look_back, first_day)], None)
        stage.later(days=1)
        fault = asana.faults.add("answer", route=TASKS, query={"assignee": someone}, status=403)
        await stage.run("cycle")
        windows, trouble = await coverage(stage, someone)
        assert windows == [(look_back, first_day)], "a refused answer claims nothing"
        assert trouble is not None
        asana.faults.remove(fault)
        third_day = stage.later(days=3)
        await stage.run("cycle")
        assert await coverage(stage, someone) == ([(look_back, third_day)], None), "the days between were asked for"


async def test_a_gap_is_asked_for_again_and_closed(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        await stage.run("cycle")
        someone, look_back = idle(stage)[0], stage.now - LOOK_BACK
        begin, end = stage.now - timedelta(days=50), stage.now - timedelta(days=40)
        await stage.owner.execute(
            """UPDATE coverage c SET covered = c.covered - tstzmultirange(tstzrange(%s, %s)) FROM subscription s
                WHERE s.id = c.subscription_id AND s.user_gid = %s""",
            [begin, end, someone],
        )
        await stage.run("candidates")
        windows, _ = await coverage(stage, someone)
        assert len(windows) == 2
        tomorrow = stage.later(days=1)
        await stage.run("activity")
        assert await coverage(stage, someone) == ([(look_back, tomorrow)], None)
