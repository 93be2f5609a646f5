"""What each source cannot see, what several together cannot, and which of them are enough."""

import pytest

from rules.evidence import (
    MADE_FOR_OTHERS,
    PAID_PLANS,
    PRIVATE,
    READING,
    READING_IN_A_SESSION,
    TASKS,
    UNFOLLOWED,
    WORK_FOR_OTHERS,
    AsanaPlan,
    Evidence,
    Source,
    enough,
    sources_of,
    unseen_by,
)


def test_one_source_alone_cannot_see_what_it_declares() -> None:
    assert unseen_by(["tasks"]) == TASKS.unseen
    assert unseen_by([]) == ()


def test_search_clears_what_the_tasks_cannot_see_but_for_what_was_unfollowed() -> None:
    assert unseen_by(["tasks", "search"]) == (READING, PRIVATE, UNFOLLOWED)
    assert {WORK_FOR_OTHERS, MADE_FOR_OTHERS} <= set(unseen_by(["tasks"]))


def test_the_audit_log_clears_logging_in_but_not_what_comes_after_it() -> None:
    seen = unseen_by(["tasks", "search", "audit_log"])
    assert READING not in seen
    assert {READING_IN_A_SESSION, PRIVATE} <= set(seen)


def test_the_member_export_clears_all_that_the_others_cannot_see() -> None:
    assert set(unseen_by(["tasks", "search", "audit_log", "member_export"])) == set()


@pytest.mark.parametrize("plan", ["free", *sorted(PAID_PLANS)])
def test_acts_of_work_need_every_task_source_of_the_plan(plan: AsanaPlan) -> None:
    assert enough(plan, "work") == ((("tasks",) if plan == "free" else ("tasks", "search")),)


@pytest.mark.parametrize(
    ("plan", "evidence", "expected"),
    [
        ("free", "any_use", (("member_export",),)),
        ("advanced", "any_use", (("member_export",),)),
        ("enterprise", "any_use", (("member_export",), ("audit_log", "tasks", "search"))),
    ],
)
def test_any_use_needs_the_export_or_the_log_beside_the_task_sources(
    plan: AsanaPlan, evidence: Evidence, expected: tuple[tuple[Source, ...], ...]
) -> None:
    assert enough(plan, evidence) == expected


def test_the_log_is_pulled_only_with_a_service_account_and_a_plan_that_has_it() -> None:
    assert sources_of("enterprise", with_service_account=True) == ("tasks", "search", "audit_log")
    assert sources_of("enterprise", with_service_account=False) == ("tasks", "search")
    assert sources_of("advanced", with_service_account=True) == ("tasks", "search")
    assert sources_of("free", with_service_account=True) == ("tasks",)
