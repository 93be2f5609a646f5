"""Trying what download, activity and reclaim need, without changing anything in Asana.

The right to remove cannot be tried without harm: it is shown by the caller's own membership being an active admin's,
which is what Asana asks for.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from asana_api.errors import AsanaError
from connections.opening import OpenedAsana
from connections.tokens import ConnectionIsLost

NEEDED_BY_ALL = "everything"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried; `error` is what Asana answered, where it was Asana that refused."""

    name: str
    needed_by: str
    ok: bool
    why: str
    error: Exception | None = None


class _Not(Exception):
    """Asana answered, but the answer is not what is needed."""


class _Trial:
    """The trials of one organization, in the order in which each makes sense of the next."""

    def __init__(self, asana: OpenedAsana, organization_gid: str, now: datetime) -> None:
        self._client, self._own_gid = asana.client, asana.own_gid
        self._organization_gid, self._now = organization_gid, now
        self._somebody = asana.own_gid

    async def token(self) -> str:
        return f"connected as {(await self._client.me()).name}"

    async def organization(self) -> str:
        found = [one for one in await self._client.workspaces() if one.gid == self._organization_gid]
        if not found:
            raise _Not("this account is not in it")
        if not found[0].is_organization:
            raise _Not(f"{found[0].name} is only a workspace: seats are managed in organizations")
        return found[0].name

    async def memberships(self) -> str:
        page = (await self._client.membership_page(self._organization_gid)).page()
        self._somebody = next((one.user_gid for one in page.items if one.is_active), self._somebody)
        return f"{len(page.items)} on the first page, each with is_active"

    async def users(self) -> str:
        page = (await self._client.user_page(self._organization_gid)).page()
        return f"{len(page.items)} on the first page"

    async def tasks(self) -> str:
        since = self._now - timedelta(days=1)
        page = await self._client.task_page(self._somebody, self._organization_gid, since)
        if not page.items:
            return "the tasks of one person can be read"
        await self._client.story_page(page.items[0].gid)
        return "the tasks of one person and their stories can be read"

    async def admin(self) -> str:
        own = await self._client.membership_of(self._organization_gid, self._own_gid)
        if own is None or not own.is_active:
            raise _Not("this account has no seat in the organization")
        if not own.is_admin:
            raise _Not(f"{own.user_name} is no admin of the organization; connect as one")
        return f"{own.user_name} is an admin of the organization"


async def validate(asana: OpenedAsana, organization_gid: str, now: datetime) -> list[Check]:
    """Try everything that a profile of this organization needs; nothing is changed in Asana."""
    trial = _Trial(asana, organization_gid, now)
    trials: tuple[tuple[str, str, Callable[[], Awaitable[str]]], ...] = (
        ("token", NEEDED_BY_ALL, trial.token),
        ("organization", NEEDED_BY_ALL, trial.organization),
        ("memberships", "download", trial.memberships),
        ("users", "download", trial.users),
        ("tasks", "activity", trial.tasks),
        ("admin", "reclaim", trial.admin),
    )
    return [await _tried(*one) for one in trials]


async def _tried(name: str, needed_by: str, attempt: Callable[[], Awaitable[str]]) -> Check:
    try:
        return Check(name, needed_by, ok=True, why=await attempt())
    except _Not as error:
        return Check(name, needed_by, ok=False, why=str(error))
    except (AsanaError, ConnectionIsLost) as error:
        return Check(name, needed_by, ok=False, why=str(error), error=error)
