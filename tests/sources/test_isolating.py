"""A person whose answers never come whole is a trouble of their own; an Asana that is away is nobody's."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx
import pytest

from asana_api.client import AsanaClient
from asana_api.errors import NotAuthorized, RateLimited, ServerTrouble, TryLater, Unreachable
from sources import tasks
from sources.contract import Asked, Findings
from sources.isolating import look_alone
from tests.sources.paper import NOW, ORGANIZATION, PaperAsana, PaperTask

pytestmark = pytest.mark.anyio

ASKED = Asked("7", NOW - timedelta(days=60))
WHOLE = {"7": (ASKED.since, NOW)}


async def no_sleep(_seconds: float) -> None:
    """Come back at once."""


async def alone(paper: PaperAsana) -> Findings:
    async with paper.client() as client:
        return await look_alone(client, "tasks", ASKED, looking(client), sleep=no_sleep)


def looking(client: AsanaClient) -> Callable[[], Awaitable[Findings]]:
    return lambda: tasks.look(client, ORGANIZATION, ASKED, until=NOW)


class Failing:
    """Fails for a path so many times: with a status, or by cutting the connection."""

    def __init__(self, *paths: str, times: int = 1000, status: int | None = None) -> None:
        self.paths, self.left, self.status = paths, times, status

    def __call__(self, path: str, _query: dict[str, str]) -> httpx.Response | None:
        if path not in self.paths or self.left == 0:
            return None
        self.left -= 1
        if self.status is None:
            raise httpx.RemoteProtocolError("cut")
        return httpx.Response(self.status, headers={"Retry-After": "60"})


@pytest.mark.parametrize("status", [None, 500, 504])
async def test_who_fails_each_time_while_others_are_answered_is_that_person_s_trouble(status: int | None) -> None:
    paper = PaperAsana(refuse=Failing("/tasks", status=status))
    found = await alone(paper)
    assert "answers other questions" in found.troubles["7"]
    assert found.covered == {}
    assert paper.paths() == ["/tasks", "/tasks", "/tasks", "/users/me", "/tasks", "/users/me"]


async def test_stories_that_are_cut_each_time_are_a_trouble_too() -> None:
    paper = PaperAsana(refuse=Failing("/tasks/5/stories"))
    paper.add(PaperTask("5", NOW - timedelta(days=3), assignee="7"))
    assert list((await alone(paper)).troubles) == ["7"]


@pytest.mark.parametrize(("status", "error"), [(None, Unreachable), (500, ServerTrouble)])
async def test_if_nothing_is_answered_it_is_nobody_s_trouble(status: int | None, error: type[TryLater]) -> None:
    with pytest.raises(error):
        await alone(PaperAsana(refuse=Failing("/tasks", "/users/me", status=status)))


@pytest.mark.parametrize("times", [1, 2, 3])
async def test_a_failure_that_passes_is_none(times: int) -> None:
    found = await alone(PaperAsana(refuse=Failing("/tasks", times=times)))
    assert (found.troubles, found.covered) == ({}, WHOLE)


@pytest.mark.parametrize(("status", "error"), [(429, RateLimited), (401, NotAuthorized)])
async def test_what_concerns_everybody_is_raised_at_once(status: int, error: type[Exception]) -> None:
    paper = PaperAsana(refuse=Failing("/tasks", status=status))
    with pytest.raises(error):
        await alone(paper)
    assert paper.paths() == ["/tasks"]


async def test_a_token_that_is_lost_meanwhile_is_said() -> None:
    def refuse(path: str, _query: dict[str, str]) -> httpx.Response:
        return httpx.Response(500 if path == "/tasks" else 401)

    with pytest.raises(NotAuthorized):
        await alone(PaperAsana(refuse=refuse))


async def test_a_strange_answer_to_the_tiny_question_clears_nobody_of_the_failure() -> None:
    def refuse(path: str, _query: dict[str, str]) -> httpx.Response:
        return httpx.Response(500) if path == "/tasks" else httpx.Response(200, content=b"<h1>Hello</h1>")

    with pytest.raises(ServerTrouble):
        await alone(PaperAsana(refuse=refuse))
