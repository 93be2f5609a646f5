"""The look-alike's member export, imported and judged by: who is ready by any use is idle by everything they did."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from sandbox.asana import Running
from sandbox.asana.member_export import member_export
from tests.conftest import Database
from tests.console.conftest import Seats
from tests.workers.actor_stage import START, THRESHOLD, actor_stage, organization

pytestmark = [pytest.mark.anyio, pytest.mark.services]


@pytest.fixture
def asana() -> Iterator[Running]:
    with organization(people=60) as lookalike:
        yield lookalike


async def test_ready_by_any_use_is_idle_in_truth(asana: Running, database: Database, tmp_path: Path) -> None:
    seats = Seats({"SEATKEEPER_DATABASE_URL": database.url("console"), "SEATKEEPER_OPERATOR": "Ola"})
    path = tmp_path / "members.csv"
    path.write_text(member_export(asana.look), encoding="utf-8")
    async with actor_stage(asana, database, plan="enterprise") as stage:
        await asyncio.to_thread(seats.ok, "profile", "set", "acme", "--evidence=any-use")
        await stage.run("cycle")
        assert await stage.candidates() == {}, "no source sees any use yet"

        time = f"--exported-at={START.isoformat()}"
        done = await asyncio.to_thread(seats.ok, "activity", "import", "acme", str(path), time)
        assert (done["strangers"], done["contradicted"]) == ([], [])
        assert {one["problem"] for one in done["problems"]} <= {"has no e-mail address"}
        assert done["matched"] == done["known_people"] == done["covered"]

        stage.later(hours=1)
        await stage.run("cycle")
        ready = {gid for gid, (state, _) in (await stage.candidates()).items() if state == "ready"}
        truth = asana.truth(START - timedelta(days=3650))
        idle_for = {gid: START - (truth[gid].last_use_at or START - timedelta(days=3650)) for gid in truth}
        assert ready
        assert min(idle_for[gid] for gid in ready) > THRESHOLD
        able = {
            gid
            for gid, seat in (await stage.subscriptions()).items()
            if seat["software_model"] == "member" and not seat["is_admin"] and gid != stage.us.gid
            if truth[gid].person.email and (START - seat["joined_at"]) > THRESHOLD  # type: ignore[operator] # a timestamp
        }
        two_days = timedelta(days=2)  # a day of the file is taken at its latest end
        assert ready >= {gid for gid in able if idle_for[gid] > THRESHOLD + two_days}
