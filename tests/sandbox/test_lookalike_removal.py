"""Removing people and inviting them again, and the record that is kept of it."""

from datetime import timedelta

import pytest

from sandbox.asana import Running
from sandbox.asana.model import Person
from tests.sandbox.asking import Asking


@pytest.fixture
def worker(asana: Running) -> Person:
    """Somebody with tasks, whose membership is an ordinary one."""
    return next(one for one in asana.organization.people.values() if one.archetype == "active" and one.email)


def members(api: Asking) -> set[str]:
    return {row["user"]["gid"] for row in api.memberships() if row["is_active"]}


@pytest.mark.parametrize("named", ["gid", "email", "shouted"])
def test_a_removed_person_is_gone_from_everywhere(asana: Running, api: Asking, worker: Person, named: str) -> None:
    assert worker.email
    membership = worker.memberships[asana.organization_gid].gid
    assert api.remove({"gid": worker.gid, "email": worker.email, "shouted": worker.email.upper()}[named]) == {
        "data": {}
    }
    assert worker.gid not in members(api)
    assert worker.gid not in {row["gid"] for row in api.all("/users")}
    api.get(f"/workspace_memberships/{membership}", status=404)
    api.get(f"/users/{worker.gid}", status=404)
    path = f"/workspaces/{asana.organization_gid}/workspace_memberships"
    assert api.get(path, user=worker.gid)["data"] == []


def test_the_other_reading_of_the_document(asana: Running, api: Asking, worker: Person) -> None:
    asana.look.removed_stay_listed = True
    api.remove(worker.gid)
    assert {row["user"]["gid"]: row["is_active"] for row in api.memberships()}[worker.gid] is False
    api.remove(worker.gid, status=404)


def test_removing_twice_is_a_404(asana: Running, api: Asking, worker: Person) -> None:
    api.remove(worker.gid)
    api.remove(worker.gid, status=404)
    assert [(one.status, one.accepted) for one in asana.removals.of(worker)] == [(200, True), (404, False)]


def test_every_call_is_on_record(asana: Running, api: Asking, worker: Person) -> None:
    admin = asana.organization.admins()[0]
    with Asking(asana, "no token") as nobody:
        nobody.remove(worker.gid, status=401)
    with Asking(asana, asana.look.credentials.personal_token(worker)) as no_admin:
        no_admin.remove(admin.gid, status=403)
    api.remove("12345", status=404)
    api.remove(worker.gid)
    told = [(one.by, one.asked, one.person, one.status, one.accepted) for one in asana.removals.calls]
    assert told == [
        (None, worker.gid, None, 401, False),
        (worker.gid, admin.gid, None, 403, False),
        (admin.gid, "12345", None, 404, False),
        (admin.gid, worker.gid, worker.gid, 200, True),
    ]
    assert [one.person for one in asana.removals.accepted] == [worker.gid]


def test_me_removes_oneself(asana: Running, api: Asking) -> None:
    """As the real one does: the client has to be careful."""
    admin = asana.organization.admins()[0]
    api.remove("me")
    assert asana.removals.accepted[0].person == admin.gid


def test_where_a_persons_things_go(asana: Running, api: Asking, worker: Person) -> None:
    """With a personal token to its owner, with a service account's to the admin named for it; private ones are lost."""
    admin, other = asana.organization.admins()[:2]
    own = asana.changes.create(worker.gid, assignee=worker.gid, private=True)
    shared = next(task for task in worker.assigned.values() if not task.is_private)
    api.remove(worker.gid)
    removal = asana.removals.accepted[0]
    assert removal.given_to == admin.gid
    assert own.gid in removal.lost
    assert shared.gid in removal.given
    assert (shared.assignee, worker.assigned) == (None, {})
    api.get(f"/tasks/{own.gid}", status=403)
    assert admin.gid in {row["gid"] for row in api.get(f"/tasks/{shared.gid}")["data"]["followers"]}
    asana.look.receiver = other.gid
    sleeper = next(one for one in asana.organization.people.values() if one.archetype == "sleeper")
    with Asking(asana, asana.service_account_token) as service:
        service.remove(sleeper.gid)
    assert asana.removals.accepted[1].given_to == other.gid


def test_inviting_again_is_a_new_membership(asana: Running, api: Asking, worker: Person) -> None:
    before = worker.memberships[asana.organization_gid]
    api.remove(worker.gid)
    asana.clock.move(timedelta(hours=1))
    assert api.post(f"/workspaces/{asana.organization_gid}/addUser", worker.gid)["data"]["gid"] == worker.gid
    after = worker.memberships[asana.organization_gid]
    assert after.gid != before.gid
    assert after.created_at > before.created_at
    assert worker.gid in members(api)
    assert worker.assigned == {}, "what was handed over does not come back"


def test_inviting_somebody_new(asana: Running, api: Asking) -> None:
    path = f"/workspaces/{asana.organization_gid}/addUser"
    inside = api.post(path, "new.person@nordwind.example")["data"]
    outside = api.post(path, "new.person@elsewhere.example")["data"]
    assert inside["email"] == "new.person@nordwind.example"
    memberships = asana.organization.company.by_person
    assert (memberships[inside["gid"]].is_guest, memberships[outside["gid"]].is_guest) == (False, True)
    api.post(path, "not an address@", status=400)


def test_private_tasks_are_seen_by_their_own_people_only(asana: Running, api: Asking, worker: Person) -> None:
    task = asana.changes.create(worker.gid, assignee=worker.gid, private=True)
    listing = {"assignee": worker.gid, "workspace": asana.organization_gid}

    def listed(asking: Asking) -> bool:
        return task.gid in {row["gid"] for row in asking.all("/tasks", listing)}

    assert not listed(api), "an admin is nobody special here"
    with Asking(asana, asana.look.credentials.personal_token(worker)) as own:
        assert listed(own)
    with Asking(asana, asana.service_account_token) as service:
        assert listed(service)
    asana.changes.act(asana.organization.admins()[0].gid, task=task.gid)
    assert listed(api), "who comments follows"


def test_the_filters_of_a_task_listing(asana: Running, api: Asking, worker: Person) -> None:
    now = asana.clock.now()
    old = asana.changes.create(worker.gid, assignee=worker.gid, at=now - timedelta(days=10))
    done = asana.changes.create(worker.gid, assignee=worker.gid, at=now - timedelta(days=5))
    asana.changes.complete(worker.gid, task=done.gid, at=now - timedelta(days=4))

    def listed(**query: str) -> set[str]:
        rows = api.all("/tasks", {"assignee": worker.gid, "workspace": asana.organization_gid, **query})
        return {row["gid"] for row in rows}

    assert {old.gid, done.gid} <= listed()
    since = listed(modified_since=(now - timedelta(days=7)).isoformat())
    assert (old.gid in since, done.gid in since) == (False, True)
    unfinished = listed(completed_since="now")
    assert (old.gid in unfinished, done.gid in unfinished) == (True, False)
    assert done.gid in listed(completed_since=(now - timedelta(days=4)).isoformat())
    personal = {"assignee": "me", "workspace": asana.organization.personal.gid}
    assert len(list(api.all("/tasks", personal))) == 3
