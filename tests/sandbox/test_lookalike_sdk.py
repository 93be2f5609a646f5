"""Asana's own Python SDK, pointed at the look-alike, does what a seat manager does in an organization of 5,000."""

from collections.abc import Iterator

import asana
import pytest
from asana.rest import ApiException

from sandbox.asana import Running, running


@pytest.fixture(scope="module")
def large() -> Iterator[Running]:
    with running(people=5000, seed=1) as look_alike:
        yield look_alike


@pytest.fixture
def client(large: Running) -> Iterator[asana.ApiClient]:
    """The SDK has no types. Its pools are closed, as an open socket is a warning here and so an error."""
    configuration = asana.Configuration()
    configuration.host, configuration.access_token = large.api_url, large.admin_token
    configuration.retry_strategy = False
    api_client = asana.ApiClient(configuration)
    yield api_client
    api_client.rest_client.pool_manager.clear()
    api_client.pool.close()
    api_client.pool.join()


def test_it_lists_all_people_and_seats(large: Running, client: asana.ApiClient) -> None:
    gid = large.organization_gid
    users = list(asana.UsersApi(client).get_users({"workspace": gid, "limit": 100, "opt_fields": "name,email"}))
    memberships = list(
        asana.WorkspaceMembershipsApi(client).get_workspace_memberships_for_workspace(
            gid, {"limit": 100, "opt_fields": "user.name,is_active,is_admin,is_guest,is_view_only,created_at"}
        )
    )
    active = [one for one in memberships if one["is_active"]]
    assert len(users) == 5000
    assert len({one["gid"] for one in users}) == 5000
    assert {one["user"]["gid"] for one in active} == {one["gid"] for one in users}
    assert len(memberships) == 5150
    assert sum(1 for one in active if not one["is_guest"] and not one["is_view_only"]) == 4550


def test_the_short_way_to_all_people_is_a_trap(large: Running, client: asana.ApiClient) -> None:
    users = list(asana.UsersApi(client).get_users_for_workspace(large.organization_gid, {}))
    assert len(users) == 2000


def test_it_removes_one_person(large: Running, client: asana.ApiClient) -> None:
    gid = large.organization_gid
    sleeper = next(one for one in large.organization.people.values() if one.archetype == "sleeper")
    memberships = asana.WorkspaceMembershipsApi(client)
    before = list(memberships.get_workspace_memberships_for_workspace(gid, {"user": sleeper.gid, "limit": 10}))
    asana.WorkspacesApi(client).remove_user_for_workspace({"data": {"user": sleeper.gid}}, gid)
    after = list(memberships.get_workspace_memberships_for_workspace(gid, {"user": sleeper.gid, "limit": 10}))
    assert (len(before), after) == (1, [])
    with pytest.raises(ApiException) as gone:
        memberships.get_workspace_membership(before[0]["gid"], {})
    assert gone.value.status == 404
    assert [one.person for one in large.removals.accepted] == [sleeper.gid]
    large.changes.rejoin(sleeper.gid)  # the other tests count everybody


def test_it_reads_tasks_and_their_stories(large: Running, client: asana.ApiClient) -> None:
    person = next(one for one in large.organization.people.values() if one.archetype == "active")
    listed = list(
        asana.TasksApi(client).get_tasks(
            {
                "assignee": person.gid,
                "workspace": large.organization_gid,
                "modified_since": "2020-01-01T00:00:00Z",
                "opt_fields": "created_by,created_at,modified_at",
            }
        )
    )
    public = [task for task in person.assigned.values() if not task.is_private]
    assert {one["gid"] for one in listed} >= {task.gid for task in public}
    stories = list(asana.StoriesApi(client).get_stories_for_task(public[0].gid, {"limit": 2}))
    assert [one["gid"] for one in stories] == [story.gid for story in public[0].stories]
