"""The generator makes people as they are, and the same ones each time."""

import random
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from sandbox.asana.credentials import Credential
from sandbox.asana.generator import generate
from sandbox.asana.lookalike import LookAlike
from sandbox.asana.people import ARCHETYPES
from sandbox.asana.state import State
from sandbox.asana.truth import acts_of, truth

NOW = datetime(2026, 6, 15, 9, 30, tzinfo=UTC)


def listed(state: State, now: datetime) -> list[object]:
    """An organization as plain values, with times as distances from now."""
    people = [
        (
            one.person.gid,
            one.person.name,
            one.person.email,
            one.person.archetype,
            one.person.last_read_at and now - one.person.last_read_at,
            now - one.created_at,
            one.is_active,
        )
        for one in state.memberships.values()
    ]
    tasks = [
        (task.gid, task.assignee and task.assignee.gid, now - task.modified_at, now - act.at, act.kind, actor.gid)
        for task in state.tasks.values()
        for actor, act in acts_of(task)
    ]
    return [*people, *tasks]


@pytest.mark.parametrize("people", [25, 50, 1000])
def test_there_is_one_of_every_kind(people: int) -> None:
    state = generate(people, random.randrange(1000), NOW)
    kinds = Counter(person.archetype for person in state.people.values())
    assert set(kinds) == set(ARCHETYPES)
    assert kinds.total() - kinds["former"] == people == len(state.members(state.company))
    assert kinds["admin"] >= 2
    traits = Counter(trait for person in state.people.values() for trait in person.traits)
    assert set(traits) == {"upper_case_email", "missing_email"}


@pytest.mark.parametrize("people", [2, 3, 10])
def test_an_organization_may_be_tiny(people: int) -> None:
    state = generate(people, 1, NOW)
    assert len(state.members(state.company)) == people
    assert state.admins()


def test_nobody_is_an_organization() -> None:
    with pytest.raises(ValueError, match="at least 2 people"):
        generate(1, 1, NOW)


def test_the_same_seed_gives_the_same_organization() -> None:
    later = NOW + timedelta(days=40, seconds=1)
    first = listed(generate(300, 7, NOW), NOW)
    assert listed(generate(300, 7, NOW), NOW) == first
    assert listed(generate(300, 7, later), later) == first, "relative to now"
    assert listed(generate(300, 8, NOW), NOW) != first


def test_twelve_percent_sleep() -> None:
    look = LookAlike(2000, 5, start=NOW)
    service = Credential("test", "service_account", look.state.admins()[0])
    rows = truth(look, service, NOW - timedelta(days=60))
    asleep = [row for row in rows.values() if row.person.archetype == "sleeper"]
    ages = [(NOW - row.last_use_at) / timedelta(days=1) for row in asleep if row.last_use_at]
    assert len(ages) == len(asleep) == 240
    assert min(ages) >= 61
    assert max(ages) <= 200
    assert 60 < sum(1 for age in ages if age < 120) < 160, "some within 120 days, some not"
    assert sum(1 for row in asleep if row.seen_by_tasks) > 80, "a good part can be seen to sleep"
    assert any(row.seen_by_tasks is None for row in asleep), "and of some nothing can be seen"


def test_who_does_what() -> None:
    """What the archetypes promise, in what happened and in what the tasks can show."""
    look = LookAlike(2000, 6, start=NOW)
    state, service = look.state, Credential("test", "service_account", look.state.admins()[0])
    rows = truth(look, service, NOW - timedelta(days=2000))
    by_kind = {kind: [row for row in rows.values() if row.person.archetype == kind] for kind in ARCHETYPES}
    for kind in ("reader", "view_only"):
        assert all(row.last_work is None and row.last_use_at for row in by_kind[kind])
    assert all(row.last_use_at is None for row in by_kind["invited"])
    for kind in ("commenter", "maker"):
        assert all(row.last_work for row in by_kind[kind])
        assert all(row.seen_by_tasks is None for row in by_kind[kind])
    for row in by_kind["late_joiner"]:
        joined = row.person.memberships[state.company.gid].created_at
        assert NOW - joined < timedelta(days=60)
        assert row.last_work is None or row.last_work.at >= joined
    assert all(one.person.memberships[state.company.gid].vacation for one in by_kind["on_leave"])
    assert not any(row.person.memberships[state.company.gid].is_active for row in by_kind["former"])


def test_nothing_happens_before_its_time_or_in_the_future() -> None:
    state = generate(1000, 9, NOW)
    for task in state.tasks.values():
        for actor, act in acts_of(task):
            assert task.created_at <= act.at <= task.modified_at <= NOW
            person = state.people.get(actor.gid)
            if person:
                assert act.at >= person.memberships[task.workspace.gid].created_at
        assert task.stories == sorted(task.stories, key=lambda story: story.created_at)


def test_twenty_thousand_people_are_made_in_seconds() -> None:
    began = time.perf_counter()
    state = generate(20_000, 1, NOW)
    assert time.perf_counter() - began < 15
    assert len(state.members(state.company)) == 20_000
