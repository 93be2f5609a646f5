"""The audit log: for service accounts of Enterprise only, 90 days, and a `next_page` that never ends."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.asana import Running, running
from sandbox.asana.clock import written
from sandbox.asana.lookalike import OrganizationPlan
from tests.sandbox.asking import Asking
from tests.sandbox.test_lookalike_document import DOCUMENTS, validator
from tests.sandbox.validation import Validator

__all__ = ["validator"]

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def company() -> Iterator[Running]:
    with running(people=60, seed=11, start=START) as asana:
        yield asana


def page(api: Asking, status: int = 200, **query: str | int) -> dict[str, Any]:
    answer: dict[str, Any] = api.get(f"/workspaces/{api.organization}/audit_log_events", status=status, **query)
    return answer


def test_the_last_page_leads_on_and_is_empty(company: Running) -> None:
    with Asking(company, company.service_account_token) as api:
        first = page(api, limit=100)
        events, offset = first["data"], first["next_page"]["offset"]
        while more := page(api, limit=100, offset=offset)["data"]:
            events += more
            offset = page(api, limit=100, offset=offset)["next_page"]["offset"]
        assert [one["created_at"] for one in events] == sorted(one["created_at"] for one in events)
        assert len({one["gid"] for one in events}) == len(events) > 100
        assert min(one["created_at"] for one in events) >= written(START - timedelta(days=90))
        again = page(api, limit=100, offset=offset)
        assert (again["data"], again["next_page"]["offset"]) == ([], offset)
        company.clock.move(timedelta(hours=1))
        new = company.changes.log(company.organization.admins()[0].gid)
        assert [one["gid"] for one in page(api, limit=100, offset=offset)["data"]] == [new.gid]


def test_without_a_limit_a_thousand_and_nothing_is_no_way_on(company: Running) -> None:
    admin = company.organization.admins()[0].gid
    for number in range(1100):
        company.changes.log(admin, at=START - timedelta(minutes=number))
    with Asking(company, company.service_account_token) as api:
        assert len(page(api)["data"]) == 1000
        assert page(api, actor_gid="123") == {"data": [], "next_page": None}


def test_ends_and_filters(company: Running) -> None:
    admin = company.organization.admins()[0].gid
    company.clock.move(timedelta(days=1))
    events = [company.changes.log(admin, at=START + timedelta(hours=number)) for number in (1, 2, 3)]
    company.changes.log(admin, "user_login_failed", at=START + timedelta(hours=2))
    with Asking(company, company.service_account_token) as api:
        window: dict[str, Any] = {"start_at": written(events[0].at), "end_at": written(events[2].at)}
        found = page(api, **window, event_type="user_login_succeeded", actor_gid=admin)["data"]
        assert [one["gid"] for one in found] == [events[0].gid, events[1].gid]


@pytest.mark.parametrize("plan", ["free", "starter", "advanced"])
def test_lower_plans_and_people_are_refused(company: Running, plan: OrganizationPlan) -> None:
    with Asking(company) as admin:
        page(admin, status=403)
    company.look.plan = plan
    with Asking(company, company.service_account_token) as service:
        page(service, status=403)


def test_offsets_belong_to_their_question_and_may_expire(company: Running) -> None:
    with Asking(company, company.service_account_token) as api:
        offset = page(api, limit=10)["next_page"]["offset"]
        page(api, status=400, limit=10, offset=offset, event_type="user_invited")
        page(api, status=400, offset="log-1-2")
        company.clock.move(timedelta(days=3))
        assert page(api, limit=10, offset=offset)["data"]
        company.look.log_offsets_expire = timedelta(days=1)
        page(api, status=400, limit=10, offset=offset)


def test_nobody_used_asana_later_than_they_worked_or_read(company: Running) -> None:
    truths = company.truth(START - timedelta(days=90)).values()
    for row in truths:
        logged, others = row.person.last_logged_at, (row.person.last_read_at, row.last_work_at)
        known = max((at for at in others if at), default=None)
        assert row.person.archetype in {"admin", "active"} or logged is None or (known is not None and logged <= known)
    assert not any(row.seen_by_audit_log for row in truths if row.person.archetype in {"invited", "service_account"})
    assert sum(row.seen_by_audit_log is not None for row in truths if row.person.archetype == "reader") > 0


@pytest.mark.parametrize("validator", DOCUMENTS, indirect=True)
def test_answers_are_as_the_document_has_them(company: Running, validator: Validator) -> None:
    with Asking(company, company.service_account_token, validator) as api:
        assert page(api)["data"]
        assert page(api, limit=3, event_type="user_login_succeeded")["data"]
