"""The pull of the audit log: no gap that is not shown, no act that is missed, and one trouble for everybody."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from asana_api.errors import (
    AsanaError,
    BadAnswer,
    Forbidden,
    PlanTooLow,
    RateLimited,
    RestartListing,
    ServerTrouble,
)
from rules.evidence import AUDIT_LOG
from sandbox.asana import Running
from sources import audit_log
from store.endings import Fenced
from tests.conftest import Database
from tests.workers.actor_stage import START, Stage, actor_stage, organization
from tests.workers.stream_stage import Log, Pulls
from workers.stream import MARGIN, missing

pytestmark = [pytest.mark.anyio, pytest.mark.services]

DAY = timedelta(days=1)
OLDEST = START - 90 * DAY + MARGIN
END = START - AUDIT_LOG.lag


@pytest.fixture(scope="module")
def asana() -> Iterator[Running]:
    with organization(people=3) as one:
        yield one


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    one = Log()
    monkeypatch.setattr(audit_log, "read", one.read)
    return one


@pytest.fixture
async def pulls(asana: Running, database: Database) -> AsyncIterator[Pulls]:
    """A profile that looks back 120 days, and the people 1 and 2, who joined long ago."""
    asana.clock.set(START)
    async with actor_stage(asana, database) as stage:
        for gid in ("1", "2"):
            await add_person(stage, gid)
        yield Pulls(stage)


async def add_person(stage: Stage, gid: str, joined: timedelta = 900 * DAY, found: timedelta = 900 * DAY) -> None:
    await stage.owner.execute(
        """INSERT INTO subscription (profile_id, user_gid, membership_gid, software_model, is_admin, joined_at,
                                     found_at)
           VALUES (%s, %s, '9', 'member', false, %s, %s)""",
        [stage.profile_id, gid, stage.now - joined, stage.now - found],
    )


async def test_the_first_pull_sees_all_that_asana_keeps_and_only_people_with_a_seat(log: Log, pulls: Pulls) -> None:
    for gid, days in (("1", 80), ("1", 40), ("2", 40.5), ("77", 3), ("2", 2)):
        log.act(gid, START - days * DAY)
    assert await pulls.pull()
    stream = await pulls.stream()
    assert (stream.covered, stream.trouble) == ([(OLDEST, END)], None)
    assert await pulls.last_acts() == {"1": START - 40 * DAY, "2": START - 2 * DAY}
    windows = [(begin, end) for begin, end, _ in log.asked if end is not None]
    assert windows == missing([], OLDEST, END - DAY, DAY)
    assert all(end - begin <= DAY for begin, end in windows)


async def test_the_look_back_of_the_profile_is_not_passed(log: Log, pulls: Pulls) -> None:
    await pulls.stage.owner.execute("UPDATE profile SET analyze_activity_from = %s", [START - 10 * DAY])
    assert await pulls.pull()
    assert (await pulls.stream()).covered == [(START - 10 * DAY, END)]


async def test_a_day_that_fails_is_a_gap_until_a_later_pull_fills_it(log: Log, pulls: Pulls) -> None:
    broken = OLDEST + 30 * DAY
    log.act("1", broken + timedelta(hours=2))
    log.refused[broken] = BadAnswer("an event is out of order")
    assert await pulls.pull()
    stream = await pulls.stream()
    assert stream.covered == [(OLDEST, broken), (broken + DAY, END)]
    assert "out of order" in (stream.trouble or "")
    assert await pulls.last_acts() == {}

    log.refused.clear()
    log.asked.clear()
    assert await pulls.pull(days=1)
    assert log.asked[0] == (broken, broken + DAY, None)
    assert len(log.asked) == 2
    stream = await pulls.stream()
    assert (stream.covered, stream.trouble) == ([(OLDEST, END + DAY)], None)
    assert await pulls.last_acts() == {"1": broken + timedelta(hours=2)}


async def test_what_asana_has_forgotten_is_not_asked_for_any_more(log: Log, pulls: Pulls) -> None:
    broken = OLDEST + DAY
    log.refused[broken] = BadAnswer("odd")
    await pulls.pull()
    log.refused.clear()
    log.asked.clear()
    assert await pulls.pull(days=30)
    assert min(begin for begin, _, _ in log.asked) == END
    assert (await pulls.stream()).covered == [(OLDEST, broken), (broken + DAY, END + 30 * DAY)]


async def test_it_goes_on_from_the_kept_place_and_finds_what_showed_late(log: Log, pulls: Pulls) -> None:
    log.act("1", START - timedelta(hours=9))
    log.act("1", START - timedelta(hours=8))
    log.act("2", START - timedelta(minutes=1))  # within the lag: seen, and not claimed
    await pulls.pull()
    assert (await pulls.stream()).resume_offset == f"{(END - DAY).isoformat()} place-2"
    assert await pulls.last_acts() == {"1": START - timedelta(hours=8), "2": START - timedelta(minutes=1)}

    late = START - timedelta(minutes=3)
    log.act("1", late)
    log.asked.clear()
    await pulls.pull(days=1)
    assert log.asked == [(END - DAY, None, "place-2")]
    assert (await pulls.last_acts())["1"] == late
    assert (await pulls.stream()).covered == [(OLDEST, END + DAY)]


async def test_a_place_that_is_refused_leaves_no_gap(log: Log, pulls: Pulls) -> None:
    log.act("1", START - timedelta(hours=9))
    await pulls.pull()
    log.act("1", START + timedelta(hours=9))
    log.refused["place-1"] = RestartListing("it has expired")
    log.asked.clear()
    assert await pulls.pull(days=1)
    assert log.asked == [(END - DAY, None, "place-1"), (END, None, None)]
    stream = await pulls.stream()
    assert (stream.covered, stream.trouble) == ([(OLDEST, END + DAY)], None)
    assert stream.resume_offset == f"{END.isoformat()} place-2"
    assert await pulls.last_acts() == {"1": START + timedelta(hours=9)}


@pytest.mark.parametrize("error", [PlanTooLow("", status=402), Forbidden("", status=403)], ids=["402", "403"])
async def test_a_refusal_is_said_once_in_a_run_and_of_no_person(error: AsanaError, log: Log, pulls: Pulls) -> None:
    log.everything = error
    await pulls.begin()
    assert await pulls.slice()
    asked = len(log.asked)
    assert asked <= 5
    assert await pulls.slice(), "the other sources go on"
    assert len(log.asked) == asked, "it is not asked again in this run"
    await pulls.end()
    (lost,) = await pulls.stage.events("SourceLost")
    assert (lost["source"], lost["reason"]) == ("audit_log", str(error))
    assert await pulls.stage.events("CoverageLost") == []
    assert (await pulls.stream()).covered == []

    assert await pulls.pull(days=1)
    assert len(await pulls.stage.events("SourceLost")) == 2
    log.everything = None
    assert await pulls.pull(days=1)
    stream = await pulls.stream()
    assert (stream.covered, stream.trouble) == ([(OLDEST + 2 * DAY, END + 2 * DAY)], None)


async def test_a_429_puts_it_off_and_what_was_claimed_stays(log: Log, pulls: Pulls) -> None:
    log.refused[OLDEST + 7 * DAY] = RateLimited(retry_after=60)
    await pulls.begin()
    with pytest.raises(RateLimited):
        await pulls.slice()
    assert (await pulls.stream()).covered[0][0] == OLDEST
    log.refused.clear()
    assert await pulls.slice()
    assert (await pulls.stream()).covered == [(OLDEST, END)]


async def test_asana_in_trouble_puts_it_off_too(log: Log, pulls: Pulls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.stream.patiently", lambda ask: ask())  # without its waits
    log.refused[OLDEST + 7 * DAY] = ServerTrouble(status=500)
    await pulls.begin()
    with pytest.raises(ServerTrouble):
        await pulls.slice()
    assert (await pulls.stream()).trouble is None
    assert await pulls.stage.events("SourceLost") == []


async def test_slices_carry_it_on_to_the_same_result(log: Log, pulls: Pulls) -> None:
    for hours in (30, 20, 15, 12, 10, 5, 4, 3):
        log.act("1", START - timedelta(hours=hours))
    await pulls.begin()
    slices = 1
    while not await pulls.slice(seconds=-1):
        slices += 1
        assert slices < 60
    assert slices >= 18, "five days, or a page, in each"
    stream = await pulls.stream()
    assert (stream.covered, stream.resume_offset) == ([(OLDEST, END)], f"{(END - DAY).isoformat()} place-8")
    asked = len(log.asked)
    assert await pulls.slice()
    assert len(log.asked) == asked, "what is whole is not asked for again"


async def test_a_worker_that_lost_the_run_writes_nothing(log: Log, pulls: Pulls) -> None:
    log.act("1", START - DAY)
    await pulls.begin()
    with pytest.raises(Fenced):
        await pulls.slice(fenced=True)
    assert await pulls.stage.count("SELECT count(*) FROM activity_stream") == 0
    assert await pulls.last_acts() == {}


async def test_the_days_since_somebody_new_joined_are_read_again(log: Log, pulls: Pulls) -> None:
    log.act("3", START - timedelta(hours=20))  # nobody knows them yet
    await pulls.pull()
    assert await pulls.last_acts() == {}
    pulls.stage.later(hours=12)
    await add_person(pulls.stage, "3", joined=timedelta(hours=40), found=timedelta())
    await pulls.pull(hours=12)
    assert await pulls.last_acts() == {"3": START - timedelta(hours=20)}
    assert (await pulls.stream()).covered == [(OLDEST, END + DAY)]


def test_what_is_missing_is_cut_into_days() -> None:
    covered = [(END - 2 * DAY, END - DAY), (OLDEST - DAY, OLDEST + DAY)]
    begin, end = OLDEST, OLDEST + 3.5 * DAY
    days = [(begin + DAY, begin + 2 * DAY), (begin + 2 * DAY, begin + 3 * DAY), (begin + 3 * DAY, end)]
    assert missing(covered, begin, end, DAY) == days
    assert missing([], END, END, DAY) == []
    assert missing([(OLDEST, END)], OLDEST, END, DAY) == []
    assert missing(covered, END - DAY, END, DAY) == [(END - DAY, END)]


async def test_an_event_of_the_future_is_the_stream_s_trouble_and_keeps_nobody(log: Log, pulls: Pulls) -> None:
    log.act("1", START + 2 * DAY)
    assert await pulls.pull()
    assert "future" in ((await pulls.stream()).trouble or "")
    assert await pulls.last_acts() == {}
