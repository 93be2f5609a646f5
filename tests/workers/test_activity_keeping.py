"""What is kept of any answers, in any order and more than once: the union of what was claimed, and the latest act."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from rules.evidence import Source
from sources.contract import Findings, Found
from store import activity, asking
from store.asking import Person
from store.connect import Connection
from tests.conftest import Database
from tests.rows import NOW
from tests.store.people import acme, add_subscription
from workers.keeping_activity import keep_findings

pytestmark = [pytest.mark.anyio, pytest.mark.services]

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
SOURCES: tuple[Source, ...] = ("tasks", "search", "member_export")
Window = tuple[datetime, datetime]


def answer_by_chance(chance: random.Random, gid: str) -> Findings:
    found = Findings(chance.choice(SOURCES))
    begin = NOW - chance.randrange(1, 200) * HOUR
    if chance.random() < 0.5:
        found.acts.append(Found(gid, begin, "comment_added", f"task/{chance.randrange(9)}"))
    if chance.random() < 0.2:
        found.troubles[gid] = "answer 403"
    else:
        found.covered[gid] = (begin, begin + chance.randrange(0, 40) * HOUR)
    return found


def hours_of(windows: Sequence[Window]) -> set[int]:
    """The whole hours before NOW, by their number, that lie in a window."""
    return {hour for begin, end in windows for hour in range(int((NOW - end) / HOUR), int((NOW - begin) / HOUR))}


async def kept(owner: Connection, subscription: int) -> dict[str, list[Window]]:
    cursor = await owner.execute("SELECT source, covered FROM coverage WHERE subscription_id = %s", [subscription])
    return {str(source): [(w.lower, w.upper) for w in covered] for source, covered in await cursor.fetchall()}


async def last_act(owner: Connection, subscription: int) -> datetime | None:
    cursor = await owner.execute("SELECT acted_at FROM last_activity WHERE subscription_id = %s", [subscription])
    row = await cursor.fetchone()
    return row[0] if row else None


async def person(owner: Connection, profile: int, gid: str) -> Person:
    subscription = await add_subscription(owner, profile, gid)
    (one,) = await asking.people(owner, profile, [subscription], threshold=60 * DAY, now=NOW)
    return one


@pytest.mark.parametrize("seed", range(12))
async def test_coverage_is_what_some_source_claimed_and_the_last_act_never_moves_back(
    seed: int, database: Database
) -> None:
    chance = random.Random(seed)
    async with acme(database) as (owner, profile):
        one = await person(owner, profile, "1")
        answers = [answer_by_chance(chance, "1") for _ in range(15)]
        latest: datetime | None = None
        for found in answers + chance.sample(answers, 10):
            asked_at = NOW - chance.randrange(48) * HOUR
            await keep_findings(owner, profile, [one], [found], asked_at=asked_at, now=NOW)
            before, latest = latest, await last_act(owner, one.subscription_id)
            assert before is None or (latest is not None and latest >= before)
        assert latest == max((act.at for found in answers for act in found.acts), default=None)
        windows = await kept(owner, one.subscription_id)
        for source in SOURCES:
            claimed = [found.covered["1"] for found in answers if found.source == source and "1" in found.covered]
            assert hours_of(windows.get(source, [])) == hours_of(claimed)


async def test_answers_about_somebody_who_was_not_asked_about_are_dropped(database: Database) -> None:
    async with acme(database) as (owner, profile):
        one = await person(owner, profile, "1")
        await add_subscription(owner, profile, "2")
        strange = Findings("search", acts=[Found("2", NOW, "x", "task/1")], covered={"2": (NOW - DAY, NOW)})
        strange.troubles["3"] = "answer 403"
        assert await keep_findings(owner, profile, [one], [strange], asked_at=NOW, now=NOW) == []
        cursor = await owner.execute("SELECT FROM coverage UNION ALL SELECT FROM observation")
        assert await cursor.fetchall() == []


async def test_a_trouble_wins_over_a_window_of_the_same_answer(database: Database) -> None:
    async with acme(database) as (owner, profile):
        one = await person(owner, profile, "1")
        odd = Findings("tasks", covered={"1": (NOW - DAY, NOW)}, troubles={"1": "answer 403"})
        lost = await keep_findings(owner, profile, [one], [odd], asked_at=NOW, now=NOW)
        assert lost == [activity.Lost(one.subscription_id, "1", "tasks", "answer 403")]
        assert await kept(owner, one.subscription_id) == {"tasks": []}
