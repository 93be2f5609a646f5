"""The source `tasks` finds what it can see, all of it, or fails: its answers equal the look-alike's second truth."""

import asyncio
from datetime import datetime, timedelta

import pytest

from asana_api.client import AsanaClient
from asana_api.errors import AsanaError, NotAuthorized, RateLimited, ServerTrouble
from sandbox.asana import Running, running
from sources import tasks
from sources.contract import Asked, Findings, Found
from tests.asana_api.conftest import OpenClient
from tests.asana_api.reads import somebody

pytestmark = pytest.mark.anyio

TASKS, STORIES = "/tasks", "/tasks/{task_gid}/stories"
WINDOW = timedelta(days=60)


async def look(client: AsanaClient, asana: Running, person: str, known: datetime | None = None) -> Findings:
    now = asana.clock.now()
    return await tasks.look(client, asana.organization_gid, Asked(person, now - WINDOW, known), until=now)


async def pull(client: AsanaClient, asana: Running, person: str, known: datetime | None = None) -> Found | None:
    """The act of an answer that is whole."""
    found = await look(client, asana, person, known)
    assert found.troubles == {}
    return found.acts[0] if found.acts else None


def members(asana: Running) -> list[str]:
    return [gid for gid, membership in asana.organization.company.by_person.items() if membership.is_active]


async def test_it_finds_for_everybody_what_can_be_seen(open_client: OpenClient, seed: int) -> None:
    with running(people=300, seed=seed) as asana:

        async def token() -> str:
            return asana.admin_token

        client = open_client(asana.api_url, token=token)
        for days in (7, 60, 4000):
            now = asana.clock.now()
            since = now - timedelta(days=days)
            truth, people = asana.truth(since), members(asana)
            found = await asyncio.gather(
                *(tasks.look(client, asana.organization_gid, Asked(gid, since), until=now) for gid in people)
            )
            wanted = {gid: truth[gid].last_work_seen_by_tasks_at for gid in people}
            seen = {gid: one.acts[0].at if one.acts else None for gid, one in zip(people, found, strict=True)}
            assert seen == wanted
            assert all(one.covered == {gid: (since, now)} for gid, one in zip(people, found, strict=True))
            assert any(wanted.values())
            assert not all(wanted.values())


async def test_each_kind_of_act_is_found(asana: Running, client: AsanaClient) -> None:
    person, now = somebody(asana), asana.clock.now()
    task = asana.changes.create(person, assignee=person, at=now + timedelta(seconds=1))
    assert await pull(client, asana, person) == Found(person, task.created_at, "task_created", f"task/{task.gid}")
    done = asana.changes.complete(person, at=now + timedelta(seconds=2), task=task.gid)
    assert done.completed_at is not None
    assert await pull(client, asana, person) == Found(person, done.completed_at, "task_completed", f"task/{task.gid}")
    story = asana.changes.act(person, "section_changed", at=now + timedelta(seconds=3), task=task.gid)
    assert await pull(client, asana, person) == Found(
        person, story.created_at, "section_changed", f"task/{task.gid}/story/{story.gid}"
    )


async def test_what_others_do_to_a_person_s_task_is_not_the_person_s_act(asana: Running, client: AsanaClient) -> None:
    person, boss = somebody(asana), asana.look.state.admins()[0].gid
    before = await pull(client, asana, person)
    task = asana.changes.create(boss, assignee=person)
    asana.changes.act(boss, task=task.gid)
    asana.changes.complete(boss, task=task.gid)
    assert await pull(client, asana, person) == before


async def test_stories_are_read_only_where_a_later_act_can_be(asana: Running, client: AsanaClient) -> None:
    person = somebody(asana)
    asana.requests.reset()
    assert await pull(client, asana, person, asana.clock.now() + timedelta(days=1)) is None
    assert set(asana.requests.by_route) == {"GET /tasks"}


async def test_the_newest_task_is_read_first_and_may_be_the_last(asana: Running, client: AsanaClient) -> None:
    person, now = somebody(asana), asana.clock.now()
    for hour in range(5):
        task = asana.changes.create(person, assignee=person, at=now + timedelta(hours=hour))
    story = asana.changes.act(person, at=now + timedelta(hours=9), task=task.gid)
    asana.requests.reset()
    found = await pull(client, asana, person)
    assert found is not None
    assert found.proof.endswith(f"/story/{story.gid}")
    assert asana.requests.by_route["GET /tasks/{task_gid}/stories"] == 1


async def test_every_page_of_tasks_and_of_stories_is_read(asana: Running, client: AsanaClient) -> None:
    person, boss = somebody(asana), asana.look.state.admins()[0].gid
    now = asana.clock.now()
    made = [asana.changes.create(boss, assignee=person, at=now + timedelta(seconds=second)) for second in range(150)]
    for task in (made[0], made[-1]):
        for second in range(250):
            asana.changes.act(boss, at=now + timedelta(hours=1, seconds=second), task=task.gid)
        last = asana.changes.act(person, at=now + timedelta(hours=2), task=task.gid)
        found = await pull(client, asana, person)
        assert found is not None
        assert found.proof.endswith(f"/story/{last.gid}")
        now += timedelta(hours=3)


REFUSALS = [
    (402, b'{"errors":[{"message":"x"}]}'),
    (403, b'{"errors":[{"message":"x"}]}'),
    (404, b'{"errors":[{"message":"x"}]}'),
    (400, b'{"errors":[{"message":"truncated"}]}'),
    (200, b'{"data":[]}'),
    (200, b"<h1>Hello</h1>"),
]


@pytest.mark.parametrize("route", [TASKS, STORIES])
@pytest.mark.parametrize(("status", "body"), REFUSALS)
async def test_half_an_answer_claims_nothing(
    route: str, status: int, body: bytes, asana: Running, client: AsanaClient
) -> None:
    """Not even when an act was found before: unknown is not inactive, and a part is not the last."""
    person = _with_two_tasks(asana)
    asana.faults.add("answer", route=route, status=status, body=body, skip=1 if route == STORIES else 0)
    found = await look(client, asana, person)
    assert list(found.troubles) == [person]
    assert found.covered == {}


@pytest.mark.parametrize("assignee", [{"gid": "770000"}, None])
async def test_tasks_of_somebody_else_claim_nothing(assignee: object, asana: Running, client: AsanaClient) -> None:
    def of_another(page: object) -> object:
        assert isinstance(page, dict)
        page["data"][-1]["assignee"] = assignee
        return page

    person = _with_two_tasks(asana)
    assert (await look(client, asana, person)).covered.keys() == {person}
    asana.faults.add("patch", route=TASKS, patch=of_another)
    found = await look(client, asana, person)
    assert "is not assigned to whom it was asked for" in found.troubles[person]
    assert (found.acts, found.covered) == ([], {})


@pytest.mark.parametrize("route", [TASKS, STORIES])
@pytest.mark.parametrize(("status", "error"), [(429, RateLimited), (500, ServerTrouble), (401, NotAuthorized)])
async def test_what_says_nothing_about_a_person_is_raised(
    route: str, status: int, error: type[AsanaError], asana: Running, client: AsanaClient
) -> None:
    person = _with_two_tasks(asana)
    asana.faults.add("answer", route=route, status=status, body=b"", skip=1 if route == STORIES else 0)
    with pytest.raises(error):
        await look(client, asana, person)


def _with_two_tasks(asana: Running) -> str:
    person, boss, now = somebody(asana), asana.look.state.admins()[0].gid, asana.clock.now()
    for second in range(2):
        task = asana.changes.create(boss, assignee=person, at=now)
        asana.changes.act(boss, at=now + timedelta(seconds=second), task=task.gid)
    return person


async def test_an_expired_offset_begins_that_listing_again_once(asana: Running, client: AsanaClient) -> None:
    person, boss, now = somebody(asana), asana.look.state.admins()[0].gid, asana.clock.now()
    for second in range(101):
        asana.changes.create(boss, assignee=person, at=now + timedelta(seconds=second))
    task = asana.changes.create(person, assignee=person, at=now + timedelta(hours=1))
    expired = asana.faults.add("answer", route=TASKS, query={"offset": ".+"}, status=400, times=1)
    assert await pull(client, asana, person) == Found(person, task.created_at, "task_created", f"task/{task.gid}")
    assert expired.fired == 1
