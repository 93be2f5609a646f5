"""Each source, asked over HTTP, finds for everybody what the look-alike's own truths say that it can see."""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from asana_api.client import AsanaClient
from asana_api.errors import Forbidden
from rules.evidence import SEARCH
from sandbox.asana import Running, running
from sources import audit_log, search
from sources.contract import Asked, Findings, Found
from tests.asana_api.conftest import OpenClient

pytestmark = pytest.mark.anyio

LOOK_BACK = timedelta(days=60)


@pytest.fixture(scope="module")
def company() -> Iterator[Running]:
    with running(people=250, seed=7) as asana:
        yield asana


@pytest.fixture
def reader(company: Running, open_client: OpenClient) -> AsanaClient:
    async def token() -> str:
        return company.admin_token

    return open_client(company.api_url, token=token)


@pytest.fixture
def service(company: Running, open_client: OpenClient) -> AsanaClient:
    async def token() -> str:
        return company.service_account_token

    return open_client(company.api_url, token=token)


def members(company: Running) -> list[str]:
    return [gid for gid, one in company.organization.company.by_person.items() if one.is_active]


async def test_a_deep_look_sees_what_people_follow_and_made(company: Running, reader: AsanaClient) -> None:
    now = company.clock.now()
    since, people = now - LOOK_BACK, members(company)
    truth = company.truth(since)
    looks = (search.deep_look(reader, company.organization_gid, Asked(gid, since), until=now) for gid in people)
    found = dict(zip(people, await asyncio.gather(*looks), strict=True))
    wanted = {gid: act.at if (act := truth[gid].seen_by_search) else None for gid in people}
    assert {gid: one.acts[0].at if one.acts else None for gid, one in found.items()} == wanted
    assert all(one.covered == {gid: (since, now - SEARCH.lag)} for gid, one in found.items())
    by_search_alone = [gid for gid in people if wanted[gid] and not truth[gid].last_work_seen_by_tasks_at]
    assert by_search_alone
    assert not all(wanted.values())


async def test_nobody_is_quiet_who_did_something(company: Running, reader: AsanaClient) -> None:
    """Whoever is not among the movers has no act in the window that a look of either kind would find."""
    now = company.clock.now()
    for days in (1, 3, 20):
        since = now - timedelta(days=days)
        truth, people = company.truth(since), members(company)
        watched = await search.watch(reader, company.organization_gid, people, since=since, until=now)
        quiet = [gid for gid in people if gid not in watched.moved]
        assert quiet
        for gid in quiet:
            for act in (truth[gid].seen_by_tasks, truth[gid].seen_by_search):
                assert act is None or act.at < since


async def test_whoever_made_something_lately_is_seen(company: Running, reader: AsanaClient) -> None:
    now = company.clock.now()
    since, people = now - timedelta(days=30), members(company)
    asked = [Asked(gid, since) for gid in people]
    found = await search.seen_making(reader, company.organization_gid, asked, until=now)
    caller = company.look.credentials.of(f"Bearer {company.admin_token}")
    made = {
        task.created_by.gid: task.created_at
        for task in sorted(company.organization.tasks.values(), key=lambda task: task.created_at)
        if caller.sees(task) and task.created_at >= since and task.workspace is company.organization.company
    }
    assert {act.user_gid: act.at for act in found.acts} == {gid: at for gid, at in made.items() if gid in people}
    assert made


async def log_of(company: Running, client: AsanaClient, since: datetime) -> list[Found]:
    pages = audit_log.read(client, company.organization_gid, asked_at=company.clock.now(), start_at=since)
    return [act async for page in pages for act in page.acts]


async def test_the_audit_log_is_read_to_its_end(company: Running, service: AsanaClient) -> None:
    since = company.clock.now() - LOOK_BACK
    last = {act.user_gid: act.at for act in await log_of(company, service, since)}
    truth = company.truth(since)
    wanted = {gid: one.seen_by_audit_log.at for gid, one in truth.items() if one.seen_by_audit_log}
    assert last == wanted
    assert 0 < len(last) < len(truth)


async def test_a_person_s_own_token_may_not_read_the_audit_log(company: Running, reader: AsanaClient) -> None:
    with pytest.raises(Forbidden):
        await log_of(company, reader, company.clock.now() - LOOK_BACK)


async def test_a_free_plan_is_a_trouble_of_the_search(company: Running, reader: AsanaClient) -> None:
    plan, company.look.plan = company.look.plan, "free"
    now = company.clock.now()
    try:
        found = await search.deep_look(reader, company.organization_gid, Asked("7", now - LOOK_BACK), until=now)
    finally:
        company.look.plan = plan
    assert found == Findings("search", troubles={"7": found.troubles["7"]})
    assert "plan" in found.troubles["7"]


async def test_agents_are_no_people(company: Running, reader: AsanaClient) -> None:
    agents = await reader.agents(company.organization_gid)
    assert agents == sorted(one.gid for one in company.organization.company.agents)
    assert not set(agents) & set(members(company))
