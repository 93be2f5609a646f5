"""The search: only on paid plans, no pages, behind by its lag, and only what the caller may see."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.asana import Running, running
from sandbox.asana.clock import written
from sandbox.asana.limits import Limits, Plan
from sandbox.asana.model import Task
from tests.sandbox.asking import Asking
from tests.sandbox.test_lookalike_document import DOCUMENTS, TASK_FIELDS, validator
from tests.sandbox.validation import Validator

__all__ = ["validator"]

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
RELATIONS = ("assignee", "followers", "created_by", "assigned_by")


@pytest.fixture
def company() -> Iterator[Running]:
    with running(people=60, seed=11, start=START) as asana:
        yield asana


def search(api: Asking, status: int = 200, **query: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - texts and numbers
    answer = api.get(f"/workspaces/{api.organization}/tasks/search", status=status, **query)
    assert status != 200 or "next_page" not in answer
    found: list[dict[str, Any]] = answer.get("data", [])
    return found


def _one(name: str, value: str) -> dict[str, Any]:
    return {name: value}


def related(task: Task, relation: str) -> set[str]:
    """The gids of those who are in this relation to the task."""
    if relation == "followers":
        return set(task.followers)
    one = {"assignee": task.assignee, "created_by": task.created_by, "assigned_by": task.assigned_by}[relation]
    return {one.gid} if one else set()


@pytest.mark.parametrize("relation", RELATIONS)
def test_each_relation_finds_what_a_walk_through_everything_finds(company: Running, relation: str) -> None:
    state = company.organization
    people = [one.gid for one in state.members(state.company)][:7]
    with Asking(company, company.service_account_token) as api:
        found = search(api, limit=100, opt_fields=TASK_FIELDS, **_one(f"{relation}.any", ",".join(people)))
    walked = {
        task.gid
        for task in state.tasks.values()
        if task.workspace is state.company and related(task, relation) & set(people)
    }
    assert 0 < len(walked) < 100
    assert {task["gid"] for task in found} == walked


def test_parameters_are_joined_and_times_exclude_their_ends(company: Running) -> None:
    state, now = company.organization, company.clock.now()
    maker, receiver = (one.gid for one in state.members(state.company)[:2])
    at = now - timedelta(days=1)
    task = company.changes.create(maker, assignee=receiver, at=at)
    both: dict[str, Any] = {"created_by.any": maker, "assignee.any": receiver}
    with Asking(company, company.service_account_token) as api:
        assert next(one["gid"] for one in search(api, **both, sort_by="created_at")) == task.gid
        assert search(api, **both, **_one("created_at.after", written(at))) == []
        around: dict[str, Any] = {
            "created_at.after": written(at - timedelta(milliseconds=1)),
            "created_at.before": written(at + timedelta(milliseconds=1)),
        }
        assert [one["gid"] for one in search(api, **both, **around)] == [task.gid]


def test_the_index_is_behind(company: Running) -> None:
    gid = next(one.gid for one in company.organization.people.values() if one.archetype == "active")
    since: dict[str, Any] = {"followers.any": gid, "modified_at.after": written(company.clock.now())}
    company.clock.move(timedelta(minutes=1))
    company.changes.act(gid, "comment_added")
    with Asking(company, company.service_account_token) as api:
        assert search(api, **since) == []
        company.clock.move(company.look.search_lag)
        assert len(search(api, **since)) == 1


def test_what_somebody_touches_stays_where_it_was_until_the_index_knows(company: Running) -> None:
    person = next(one for one in company.organization.people.values() if one.archetype == "active")
    task = company.changes.create(person.gid, assignee=person.gid, at=company.clock.now() - timedelta(days=3))
    company.changes.act(company.organization.admins()[0].gid, "comment_added", task=task.gid)
    older: dict[str, Any] = {
        "created_by.any": person.gid,
        "modified_at.before": written(company.clock.now() - timedelta(days=2)),
    }
    with Asking(company, company.service_account_token) as api:
        assert task.gid in {one["gid"] for one in search(api, limit=100, **older)}
        company.clock.move(company.look.search_lag)
        assert task.gid not in {one["gid"] for one in search(api, limit=100, **older)}


def test_others_private_tasks_are_not_found(company: Running) -> None:
    sleeper = next(one for one in company.organization.people.values() if one.archetype == "sleeper")
    task = company.changes.create(
        sleeper.gid, assignee=sleeper.gid, at=company.clock.now() - timedelta(hours=1), private=True
    )
    with Asking(company) as admin, Asking(company, company.service_account_token) as service:
        query: dict[str, Any] = {"created_by.any": sleeper.gid, "limit": 100}
        assert task.gid not in {one["gid"] for one in search(admin, **query)}
        assert task.gid in {one["gid"] for one in search(service, **query)}


def test_what_is_refused(company: Running) -> None:
    people = ",".join(one.gid for one in company.organization.members(company.organization.company)[:41])
    with Asking(company) as api:
        search(api, status=400, offset="x")
        search(api, status=400, limit=101)
        search(api, status=400, sort_by="gid")
        search(api, status=400, **{"assignee.any": people})
        search(api, status=400, **{"modified_at.after": "yesterday"})
        search(api, status=404, **{"assignee.any": "12345"})


def test_the_free_plan_has_no_search(company: Running) -> None:
    company.look.plan = "free"
    with Asking(company, validator=None) as api:
        assert "premium" in str(api.get(f"/workspaces/{api.organization}/tasks/search", status=402))


@pytest.mark.parametrize("validator", DOCUMENTS, indirect=True)
def test_answers_are_as_the_document_has_them(company: Running, validator: Validator) -> None:
    gid = company.organization.admins()[0].gid
    with Asking(company, validator=validator) as api:
        assert search(api, **_one("followers.any", gid), limit=5, opt_fields=TASK_FIELDS)
        assert search(api, **_one("created_by.any", "me"), sort_by="created_at", sort_ascending="true")
        api.get("/ooo_entries", user=gid, workspace=api.organization, limit=10)


def test_searches_have_a_limit_of_their_own() -> None:
    seconds = [0.0]
    limits = Limits(Plan(6000, searches_per_minute=60), ticks=lambda: seconds[0])
    assert [limits.enter("one", "GET", search=True) for _ in range(5)] == [None] * 5
    assert limits.enter("one", "GET", search=True) == 2
    assert limits.enter("one", "GET") is None, "other reads go on"
    seconds[0] += 10
    assert limits.enter("one", "GET", search=True) is None
