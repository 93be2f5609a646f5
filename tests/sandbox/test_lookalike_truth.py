"""The truth about what the tasks could show is what a slow and obvious client finds over HTTP."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from sandbox.asana import Running, running
from sandbox.asana.clock import written
from sandbox.asana.credentials import Credential
from tests.sandbox.asking import Asking

FIELDS = "created_by,created_at,completed_by,completed_at"


def found_by_asking(api: Asking, gid: str, since: datetime) -> str | None:
    """The last own act in the tasks assigned to a person, as Asana writes it."""
    acts = []
    where = {"assignee": gid, "workspace": api.organization}
    for task in api.all("/tasks", query=where | {"modified_since": written(since), "opt_fields": FIELDS}):
        acts += [task["created_at"]] if task["created_by"]["gid"] == gid else []
        acts += [task["completed_at"]] if task["completed_by"] and task["completed_by"]["gid"] == gid else []
        stories = api.all(f"/tasks/{task['gid']}/stories")
        acts += [story["created_at"] for story in stories if story["created_by"]["gid"] == gid]
    return max(acts, default=None)


@pytest.mark.parametrize("days", [30, 60, 400])
def test_a_perfect_client_finds_exactly_this(days: int, seed: int) -> None:
    with running(people=60, seed=seed) as asana:
        since = asana.clock.now() - timedelta(days=days)
        colleague = random.Random(seed).choice(
            [one for one in asana.organization.people.values() if one.archetype == "active"]
        )
        for person in (asana.organization.admins()[0], colleague):
            with Asking(asana, asana.look.credentials.personal_token(person)) as api:
                told = asana.truth(since, Credential("test", "pat", person))
                assert len(told) > 60
                members = asana.organization.members(asana.organization.company)
                for gid in [one.gid for one in members]:
                    seen = told[gid].last_work_seen_by_tasks_at
                    assert (seen and written(seen)) == found_by_asking(api, gid, since), told[gid]


def one_of(asana: Running, archetype: str) -> str:
    return next(one.gid for one in asana.organization.people.values() if one.archetype == archetype)


def seen(asana: Running, gid: str, days: float = 60) -> datetime | None:
    return asana.truth(asana.clock.now() - timedelta(days=days))[gid].last_work_seen_by_tasks_at


def test_an_old_act_is_seen_once_somebody_touches_its_task(asana: Running) -> None:
    gid = one_of(asana, "reader")
    now = asana.clock.now()
    old = asana.changes.act(
        gid,
        at=now - timedelta(days=100),
        task=asana.changes.create(asana.organization.admins()[0].gid, assignee=gid, at=now - timedelta(days=101)).gid,
    )
    assert seen(asana, gid) is None
    assert seen(asana, gid, days=120) == old.created_at
    task = next(task for task in asana.organization.tasks.values() if old in task.stories)
    asana.changes.act(one_of(asana, "active"), task=task.gid)
    assert seen(asana, gid) == old.created_at


def test_the_window_begins_at_its_very_moment(asana: Running, api: Asking) -> None:
    gid = one_of(asana, "invited")
    at = asana.clock.now() - timedelta(days=1)
    asana.changes.act(
        gid, task=asana.changes.create(asana.organization.admins()[0].gid, assignee=gid, at=at).gid, at=at
    )
    for since, expected in ((at, at), (at + timedelta(milliseconds=1), None)):
        assert asana.truth(since)[gid].last_work_seen_by_tasks_at == expected
        assert found_by_asking(api, gid, since) == (expected and written(expected))


def test_what_the_tasks_cannot_show(asana: Running) -> None:
    gid, other = one_of(asana, "reader"), one_of(asana, "active")
    asana.changes.read(gid)
    private = asana.changes.act(gid, private=True)
    elsewhere = asana.changes.create(gid, assignee=other)
    told = asana.truth(asana.clock.now() - timedelta(days=60))[gid]
    assert told.last_work_seen_by_tasks_at is None
    assert told.last_work_at == max(private.created_at, elsewhere.created_at)
    everything = Credential("test", "service_account", asana.organization.people[gid])
    row = asana.truth(asana.clock.now() - timedelta(days=60), everything)[gid]
    assert row.last_work_seen_by_tasks_at == private.created_at, "a service account reads private tasks"


def test_completing_counts_without_a_story(asana: Running) -> None:
    gid = one_of(asana, "invited")
    task = asana.changes.complete(gid)
    row = asana.truth(asana.clock.now() - timedelta(days=60))[gid]
    assert row.seen_by_tasks
    assert (row.seen_by_tasks.kind, row.seen_by_tasks.at, row.seen_by_tasks.task) == (
        "completed", task.completed_at, task.gid,
    )  # fmt: skip


def test_the_control_surface_tells_the_same(asana: Running, api: Asking) -> None:
    since = asana.clock.now() - timedelta(days=60)
    told = asana.truth(since)
    body = api.client.get(f"{asana.url}/-/sandbox/truth", params={"since": since.isoformat()}).json()
    assert len(body["people"]) == len(told)
    for row in body["people"]:
        expected = told[row["gid"]].last_work_seen_by_tasks_at
        assert row["last_work_seen_by_tasks_at"] == (expected and written(expected))
        assert row["seen_by_tasks"] is None or row["seen_by_tasks"]["at"] == row["last_work_seen_by_tasks_at"]
        assert row["is_member"] == (row["archetype"] != "former")


def test_a_frozen_start(seed: int) -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    with running(people=30, seed=seed, start=start) as asana:
        assert asana.clock.now() == start
        acts = [row.last_use_at for row in asana.truth(start - timedelta(days=400)).values() if row.last_use_at]
        assert max(acts) <= start
