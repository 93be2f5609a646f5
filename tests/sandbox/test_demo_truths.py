"""The demo's own copy of the rule: what each source adds to it, and whom an economical pull may leave out."""

from datetime import UTC, date, datetime, timedelta

import pytest

from sandbox.demo.truths import Expected, PersonTruth, Views, expect

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
LONG_AGO, LATELY = NOW - timedelta(days=100), NOW - timedelta(days=5)
LOG = Views(log_from=NOW - timedelta(days=90))
EXPORT = Views(log_from=NOW - timedelta(days=90), export_at=NOW)


def somebody(
    *,
    joined_at: datetime = NOW - timedelta(days=800),
    email: str | None = "one@nordwind.example",
    tasks: datetime | None = None,
    search: datetime | None = None,
    log: datetime | None = None,
    export: date | None = None,
) -> PersonTruth:
    return PersonTruth(
        gid="1",
        name="One",
        email=email,
        archetype="active",
        is_member=True,
        is_admin=False,
        is_guest=False,
        is_view_only=False,
        joined_at=joined_at,
        last_use_at=None,
        last_work_at=None,
        by_tasks=tasks,
        by_search=search,
        by_log=log,
        by_export=export,
    )


def found(one: PersonTruth, views: Views) -> Expected:
    return expect({one.gid: one}, {"ours"}, NOW, views)


@pytest.mark.parametrize(
    "one",
    [
        somebody(tasks=LATELY),
        somebody(tasks=LONG_AGO, search=LATELY),
        somebody(tasks=LONG_AGO, log=LATELY),
        somebody(tasks=LONG_AGO, export=LATELY.date()),
    ],
)
def test_whoever_any_source_saw_lately_is_kept(one: PersonTruth) -> None:
    assert not found(one, EXPORT).ready


def test_whoever_no_source_saw_lately_is_ready() -> None:
    assert found(somebody(tasks=LONG_AGO, search=LONG_AGO, log=LONG_AGO), EXPORT).ready == {"1"}
    assert found(somebody(tasks=LONG_AGO, log=LATELY), Views()).ready == {"1"}, "without the log"


def test_a_day_of_the_export_is_over_last_in_the_last_zone() -> None:
    edge = (NOW - timedelta(days=62)).date()  # over at noon of the next day, 61 days ago
    assert found(somebody(export=edge), EXPORT).ready
    assert not found(somebody(export=edge + timedelta(days=1)), EXPORT).ready


def test_never_seen_is_never_used_only_where_use_of_any_kind_was_watched_since_joining() -> None:
    assert found(somebody(), LOG).never_seen == {"1"}
    assert found(somebody(joined_at=NOW - timedelta(days=70)), LOG).never_used == {"1"}
    assert found(somebody(), EXPORT).never_used == {"1"}
    assert found(somebody(email=None), EXPORT).never_seen == {"1"}


def test_who_is_settled_for_another_day_is_not_due_and_not_searched_for() -> None:
    border = NOW - timedelta(days=59)
    assert found(somebody(tasks=border), LOG).due_again(NOW, LOG) == {"1"}
    assert not found(somebody(tasks=border + timedelta(seconds=1)), LOG).due_again(NOW, LOG)
    assert found(somebody(search=LATELY), LOG).searched_for(NOW) == {"1"}
    assert found(somebody(search=LATELY), LOG).last_by_search(NOW) == {"1"}
    assert not found(somebody(search=LATELY, log=LATELY), LOG).searched_for(NOW)
