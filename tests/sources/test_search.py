"""The source `search` sees what a person did in the tasks of others, and never says quiet of anybody who was not."""

from collections.abc import Callable
from datetime import datetime, timedelta

import httpx
import pytest

from asana_api.errors import NotAuthorized, PlanTooLow, RateLimited
from rules.evidence import SEARCH
from sources import search
from sources.contract import Asked, Findings, Found
from sources.search import Watched
from tests.sources.paper import NOW, ORGANIZATION, Line, PaperAsana, PaperTask, some_tasks

pytestmark = pytest.mark.anyio

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SINCE, SEEN = NOW - 60 * DAY, NOW - SEARCH.lag
ME = "7"
ASKED = Asked(ME, SINCE)

Refuse = Callable[[str, dict[str, str]], httpx.Response | None]


@pytest.fixture
def paper() -> PaperAsana:
    return PaperAsana()


async def look(paper: PaperAsana, asked: Asked = ASKED) -> Findings:
    async with paper.client() as client:
        return await search.deep_look(client, ORGANIZATION, asked, until=NOW)


async def watch(paper: PaperAsana, gids: list[str], since: datetime = NOW - DAY) -> Watched:
    async with paper.client() as client:
        return await search.watch(client, ORGANIZATION, gids, since=since, until=NOW)


async def seen_making(paper: PaperAsana, people: list[Asked]) -> Findings:
    async with paper.client() as client:
        return await search.seen_making(client, ORGANIZATION, people, until=NOW)


def refusing(status: int, *, when: Callable[[dict[str, str]], bool] = lambda _: True) -> Refuse:
    body = b'{"errors":[{"message":"no"}]}'
    return lambda path, query: httpx.Response(status, content=body) if "search" in path and when(query) else None


def commented(gid: str, at: datetime, *, follower: str = ME, by: str = ME) -> PaperTask:
    return PaperTask(gid, at - 90 * DAY, modified_at=at + HOUR, followers={follower}, stories=[Line(f"{gid}1", at, by)])


async def test_a_comment_on_a_task_of_others_is_found(paper: PaperAsana) -> None:
    at = NOW - 9 * DAY
    paper.add(commented("5", at))
    paper.add(commented("6", at + DAY, by="8"))
    found = await look(paper)
    assert found.acts == [Found(ME, at, "comment_added", "task/5/story/51")]
    assert found.covered == {ME: (SINCE, SEEN)}


async def test_a_task_made_for_others_is_found_though_nobody_follows(paper: PaperAsana) -> None:
    paper.add(PaperTask("5", NOW - 3 * DAY, made_by=ME, modified_at=NOW - 2 * DAY, assignee="8"))
    assert (await look(paper)).acts == [Found(ME, NOW - 3 * DAY, "task_created", "task/5")]


async def test_nothing_found_is_a_window_all_the_same(paper: PaperAsana) -> None:
    assert await look(paper) == Findings("search", covered={ME: (SINCE, SEEN)})


async def test_of_hundreds_of_tasks_the_one_with_the_act_is_found(paper: PaperAsana) -> None:
    for task in some_tasks(340, follower=ME, first=NOW - 50 * DAY):
        paper.add(task)
    paper.tasks["133"].stories = [Line("1", paper.tasks["133"].modified_at, ME)]
    found = await look(paper)
    assert found.acts == [Found(ME, paper.tasks["133"].modified_at, "comment_added", "task/133/story/1")]
    assert found.covered == {ME: (SINCE, SEEN)}


async def test_stories_are_read_newest_first_and_no_further_than_an_act(paper: PaperAsana) -> None:
    for task in some_tasks(20, follower=ME, first=NOW - 10 * DAY):
        paper.add(task)
    paper.tasks["117"].stories = [Line("1", paper.tasks["117"].modified_at, ME)]
    await look(paper)
    assert [path for path in paper.paths() if "stories" in path] == [f"/tasks/{n}/stories" for n in (119, 118, 117)]


async def test_only_what_was_modified_after_the_best_act_is_searched(paper: PaperAsana) -> None:
    paper.add(commented("5", NOW - 30 * DAY))
    found = await look(paper, Asked(ME, SINCE, best_known=NOW - 20 * DAY))
    assert found.acts == []
    assert found.covered == {ME: (SINCE, SEEN)}
    assert not any("stories" in path for path in paper.paths())


ODD = {
    "older than its task": commented("5", NOW - 9 * DAY),
    "did not move": commented("5", NOW - 9 * DAY),
    "of the future": commented("5", NOW - 9 * DAY),
    "before it was made": commented("5", NOW - 9 * DAY),
    "comes twice": commented("5", NOW - 9 * DAY),
}
ODD["older than its task"].stories[0].at = NOW - 300 * DAY
ODD["did not move"].modified_at = NOW - 10 * DAY
ODD["of the future"].stories[0].at = NOW + 3 * DAY
ODD["before it was made"].made_at = NOW
ODD["comes twice"].stories.append(Line("51", NOW - 8 * DAY, ME))


@pytest.mark.parametrize("what", ODD)
async def test_what_is_odd_is_a_trouble_and_claims_nothing(what: str, paper: PaperAsana) -> None:
    paper.add(ODD[what])
    found = await look(paper)
    assert what in found.troubles[ME]
    assert found.covered == {}


async def test_a_crowd_that_cannot_be_told_apart_is_a_trouble(paper: PaperAsana) -> None:
    for task in some_tasks(100, follower=ME, first=NOW - DAY, apart=timedelta(0)):
        paper.add(task)
    found = await look(paper)
    assert "one second" in found.troubles[ME]
    assert found.covered == {}


@pytest.mark.parametrize("status", [400, 402, 403, 404])
async def test_a_refusal_is_a_trouble(status: int, paper: PaperAsana) -> None:
    paper.refuse = refusing(status)
    found = await look(paper)
    assert list(found.troubles) == [ME]
    assert found.covered == {}


@pytest.mark.parametrize(("status", "error"), [(429, RateLimited), (401, NotAuthorized)])
async def test_what_says_nothing_about_a_person_is_raised(
    status: int, error: type[Exception], paper: PaperAsana
) -> None:
    paper.refuse = refusing(status)
    with pytest.raises(error):
        await look(paper)
    with pytest.raises(error):
        await watch(paper, [ME])
    with pytest.raises(error):
        await seen_making(paper, [ASKED])


async def test_who_has_a_part_in_a_modified_task_moved_and_nobody_else(paper: PaperAsana) -> None:
    now = NOW - HOUR
    paper.add(PaperTask("50", SINCE, made_by="3", modified_at=now, assignee="4", followers={"5", "99"}))
    paper.add(PaperTask("51", SINCE, made_by="6", modified_at=NOW - 3 * DAY, assignee="6", followers={"6"}))
    watched = await watch(paper, ["3", "4", "5", "6"])
    assert watched == Watched(frozenset("345"), SEEN, [])


async def test_the_first_moment_of_a_window_belongs_to_it(paper: PaperAsana) -> None:
    paper.add(PaperTask("50", SINCE - DAY, modified_at=NOW - DAY, assignee="4"))
    assert (await watch(paper, ["4"])).moved == {"4"}
    paper.add(PaperTask("51", SINCE, made_by=ME, modified_at=SINCE))
    assert (await look(paper)).acts == [Found(ME, SINCE, "task_created", "task/51")]


async def test_thirty_people_are_asked_about_in_two_groups(paper: PaperAsana) -> None:
    assert (await watch(paper, [str(n) for n in range(1, 31)])).moved == frozenset()
    assert len(paper.searches()) == 8


async def test_a_full_answer_hides_nobody(paper: PaperAsana) -> None:
    for task in some_tasks(500, follower="5", first=NOW - HOUR, apart=timedelta(seconds=1)):
        paper.add(task)
    paper.add(PaperTask("50", SINCE, modified_at=NOW - HOUR, followers={"6"}))
    assert (await watch(paper, ["5", "6", "8"])).moved == frozenset("56")


async def test_a_task_of_nobody_who_was_asked_about_could_be_anybody_s(paper: PaperAsana) -> None:
    task = paper.add(PaperTask("50", SINCE, modified_at=NOW - HOUR, assignee="5"))
    paper.refuse = lambda _path, query: (
        httpx.Response(200, json={"data": [task.as_json()]}) if "followers.any" in query else None
    )
    assert (await watch(paper, ["6", "8"])).moved == frozenset("68")


@pytest.mark.parametrize("status", [400, 413, 414])
async def test_a_group_that_is_refused_is_halved_down_to_the_one(status: int, paper: PaperAsana) -> None:
    paper.refuse = refusing(status, when=lambda query: "13" in query.get("followers.any", "").split(","))
    assert (await watch(paper, [str(n) for n in range(1, 26)])).moved == {"13"}


@pytest.mark.parametrize("status", [403, 404])
async def test_a_group_that_may_not_be_seen_counts_as_moved(status: int, paper: PaperAsana) -> None:
    paper.refuse = refusing(status, when=lambda query: "created_by.any" in query)
    assert (await watch(paper, ["3", "4"])).moved == frozenset("34")


async def test_a_plan_without_search_is_said(paper: PaperAsana) -> None:
    paper.refuse = refusing(402)
    with pytest.raises(PlanTooLow):
        await watch(paper, [ME])


async def test_who_assigned_something_is_known_by_the_story_alone(paper: PaperAsana) -> None:
    at = NOW - HOUR
    lines = [Line("1", NOW - 4 * DAY, "3", "assigned"), Line("2", at, "4", "assigned"), Line("3", at, "8", "assigned")]
    paper.add(PaperTask("50", SINCE, modified_at=at, assignee="9", assigned_by="4", stories=lines))
    watched = await watch(paper, ["3", "4"])
    assert watched.acts == [Found("4", at, "assigned", "task/50/story/2")]
    assert watched.moved == frozenset()


async def test_everybody_who_made_something_is_seen_in_a_few_questions(paper: PaperAsana) -> None:
    for n in range(600):
        paper.add(PaperTask(str(1000 + n), NOW - DAY - n * timedelta(minutes=1), made_by=str(1 + n // 200)))
    people = [Asked(str(n), NOW - 30 * DAY) for n in range(1, 6)]
    found = await seen_making(paper, people)
    latest = {str(1 + n): NOW - DAY - n * 200 * timedelta(minutes=1) for n in range(3)}
    assert {act.user_gid: act.at for act in found.acts} == latest
    assert found.covered == {}
    assert found.troubles == {}
    assert len(paper.searches()) == 4


async def test_what_was_known_before_is_no_news(paper: PaperAsana) -> None:
    paper.add(PaperTask("50", NOW - DAY, made_by=ME))
    assert (await seen_making(paper, [Asked(ME, SINCE, best_known=NOW - HOUR)])).acts == []


async def test_a_refusal_of_a_cheap_question_settles_nobody(paper: PaperAsana) -> None:
    paper.refuse = refusing(400)
    assert await seen_making(paper, [ASKED]) == Findings("search")
