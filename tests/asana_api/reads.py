"""Every call that reads, by name, with the route that it uses: what the tests of bad answers go through."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from asana_api.answers import Arrived, Page
from asana_api.client import AsanaClient
from asana_api.searching import Sought
from sandbox.asana import Running

Read = Callable[[AsanaClient, Running], Awaitable[object]]
T = TypeVar("T")

MEMBERSHIPS = "/workspaces/{workspace_gid}/workspace_memberships"


def somebody(asana: Running) -> str:
    """A plain member's gid, not the caller's."""
    return next(
        gid
        for gid, membership in asana.organization.company.by_person.items()
        if membership.is_active and not (membership.is_admin or membership.is_guest or membership.is_view_only)
    )


def some_task(asana: Running) -> str:
    """The gid of a task that the caller may see."""
    caller = asana.look.credentials.of(f"Bearer {asana.admin_token}")
    return next(task.gid for task in asana.organization.tasks.values() if caller.sees(task))


async def whole(arriving: Awaitable[Arrived[T]]) -> Page[T]:
    """Read a page as soon as it has arrived."""
    return (await arriving).page()


READS: dict[str, tuple[str, Read]] = {
    "me": ("/users/{user_gid}", lambda client, _: client.me()),
    "workspaces": ("/workspaces", lambda client, _: client.workspaces()),
    "membership_page": (MEMBERSHIPS, lambda client, asana: whole(client.membership_page(asana.organization_gid))),
    "membership_of": (
        MEMBERSHIPS,
        lambda client, asana: client.membership_of(asana.organization_gid, somebody(asana)),
    ),
    "user_page": ("/users", lambda client, asana: whole(client.user_page(asana.organization_gid))),
    "task_page": (
        "/tasks",
        lambda client, asana: client.task_page(
            somebody(asana), asana.organization_gid, asana.clock.now() - timedelta(days=60)
        ),
    ),
    "story_page": ("/tasks/{task_gid}/stories", lambda client, asana: client.story_page(some_task(asana))),
    "search_page": (
        "/workspaces/{workspace_gid}/tasks/search",
        lambda client, asana: client.search_page(asana.organization_gid, Sought("followers", [somebody(asana)])),
    ),
    "agents": ("/workspaces/{workspace_gid}/agents", lambda client, asana: client.agents(asana.organization_gid)),
}

LISTINGS = [name for name in READS if name not in {"me", "membership_of", "search_page"}]
