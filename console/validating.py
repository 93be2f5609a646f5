"""Trying what download, activity and reclaim need, without changing anything in Asana.

What is tried follows from the profile: its plan decides the sources, its switches the processes. The right to remove
cannot be tried without harm: it is shown by the caller's own membership being an active admin's, which is what Asana
asks for.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from asana_api.client import AsanaClient
from asana_api.errors import AsanaError, Forbidden, NotAuthorized, NotThere, PlanTooLow
from asana_api.searching import Sought
from connections.opening import OpenedAsana
from connections.tokens import ConnectionIsLost
from rules.evidence import PAID_PLANS, PLANS_WITH_AUDIT_LOG
from rules.switches import ACTIVITY_OFF, RECLAIM_OFF
from store.profiles import Profile

Outcome = Literal["ok", "not_ok", "not_needed"]
NEEDED_BY_ALL = "everything"
A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried; `error` is what Asana answered, where it was Asana that refused."""

    name: str
    needed_by: str
    outcome: Outcome
    why: str
    to_do: str = ""
    error: Exception | None = None

    @property
    def credential(self) -> str:
        """With which of the connection's credentials it was tried."""
        return "service account" if self.name == "audit log" else "account"


class _Not(Exception):
    """Asana answered, but the answer is not what is needed."""

    def __init__(self, why: str, to_do: str = "") -> None:
        super().__init__(why)
        self.to_do = to_do


class _NotNeeded(Exception):
    """It is not needed, for this reason; what may be done nevertheless."""

    def __init__(self, why: str, to_do: str = "") -> None:
        super().__init__(why)
        self.to_do = to_do


class _Trial:
    """The trials of one profile, in the order in which each makes sense of the next."""

    def __init__(self, asana: OpenedAsana, service: AsanaClient | None, profile: Profile, now: datetime) -> None:
        assert profile.organization_gid is not None
        self._client, self._service, self._own_gid = asana.client, service, asana.own_gid
        self._profile, self._gid, self._now = profile, profile.organization_gid, now
        self._somebody = asana.own_gid
        self._set_plan = f"./seats profile set {profile.name} --plan"
        self._connect = f"./seats connect {profile.connection}"

    async def token(self) -> str:
        return f"connected as {(await self._client.me()).name}"

    async def organization(self) -> str:
        found = [one for one in await self._client.workspaces() if one.gid == self._gid]
        if not found:
            raise _Not("this account is not in it", f"{self._connect} with an account of the organization")
        if not found[0].is_organization:
            raise _Not(f"{found[0].name} is only a workspace: seats are managed in organizations")
        return found[0].name

    async def memberships(self) -> str:
        page = (await self._client.membership_page(self._gid)).page()
        self._somebody = next((one.user_gid for one in page.items if one.is_active), self._somebody)
        return f"{len(page.items)} on the first page, each with is_active"

    async def users(self) -> str:
        page = (await self._client.user_page(self._gid)).page()
        return f"{len(page.items)} on the first page"

    async def tasks(self) -> str:
        self._if_activity()
        page = await self._client.task_page(self._somebody, self._gid, self._now - A_DAY)
        if not page.items:
            return "the tasks of one person can be read"
        await self._client.story_page(page.items[0].gid)
        return "the tasks of one person and their stories can be read"

    async def search(self) -> str:
        """Try the search also on a free plan: whether it works shows which plan it is."""
        self._if_activity()
        plan = self._profile.plan
        sought = Sought("created_by", [self._somebody], created_after=self._now - A_DAY)
        try:
            await self._client.search_page(self._gid, sought)
        except PlanTooLow as error:
            if plan in PAID_PLANS:
                raise _Not(self._plan_says("402 to a search, as on free"), f"{self._set_plan} free") from error
            raise _NotNeeded("a free plan has no search") from None
        except AsanaError as error:
            if plan in PAID_PLANS:
                raise
            raise _NotNeeded(f"a free plan has no search ({type(error).__name__})") from None
        if plan not in PAID_PLANS:
            raise _NotNeeded(self._plan_says("a search, as on a paid plan"), f"{self._set_plan} starter, or what it is")
        return "tasks can be searched for"

    async def audit_log(self) -> str:
        self._if_activity()
        has_log = self._profile.plan in PLANS_WITH_AUDIT_LOG
        if self._service is None:
            raise _NotNeeded(
                "there is no service account, so the audit log is not asked",
                f"{self._connect} with a service account's token adds it" if has_log else "",
            )
        try:
            page = await self._service.audit_page(self._gid, start_at=self._now - A_DAY)
        except (Forbidden, PlanTooLow, NotThere, NotAuthorized) as error:
            if has_log:
                raise _Not(
                    f"Asana does not show the audit log to the service account ({type(error).__name__})",
                    "have a super admin give it the audit log API, or connect without it",
                ) from error
            raise _NotNeeded(f"the {self._profile.plan} plan has no audit log") from None
        if not has_log:
            raise _NotNeeded(self._plan_says("with the audit log, as on enterprise"), f"{self._set_plan} enterprise")
        return f"{len(page.events)} events of the last day on the first page"

    async def admin(self) -> str:
        if not self._profile.reclaim_enabled:
            raise _NotNeeded(RECLAIM_OFF)
        if self._profile.provisioned_by_scim:
            raise _NotNeeded("people are provisioned by SCIM, so nobody is removed from here")
        own = await self._client.membership_of(self._gid, self._own_gid)
        if own is None or not own.is_active:
            raise _Not("this account has no seat in the organization", f"{self._connect} as one of its admins")
        if not own.is_admin:
            raise _Not(
                f"{own.user_name} is no admin of the organization; connect as one", f"{self._connect} as an admin"
            )
        return f"{own.user_name} is an admin of the organization"

    def _if_activity(self) -> None:
        if not self._profile.activity_enabled:
            raise _NotNeeded(ACTIVITY_OFF)

    def _plan_says(self, answers: str) -> str:
        return f"the plan on the profile says {self._profile.plan} but Asana answers {answers}"


async def validate(asana: OpenedAsana, service: AsanaClient | None, profile: Profile, now: datetime) -> list[Check]:
    """Try everything that this profile needs; nothing is changed in Asana. `service` asks as the service account."""
    trial = _Trial(asana, service, profile, now)
    trials: tuple[tuple[str, str, Callable[[], Awaitable[str]]], ...] = (
        ("token", NEEDED_BY_ALL, trial.token),
        ("organization", NEEDED_BY_ALL, trial.organization),
        ("memberships", "download", trial.memberships),
        ("users", "download", trial.users),
        ("tasks", "activity", trial.tasks),
        ("search", "activity", trial.search),
        ("audit log", "activity", trial.audit_log),
        ("admin", "reclaim", trial.admin),
    )
    return [await _tried(*one) for one in trials]


async def _tried(name: str, needed_by: str, attempt: Callable[[], Awaitable[str]]) -> Check:
    try:
        return Check(name, needed_by, "ok", await attempt())
    except _NotNeeded as reason:
        return Check(name, needed_by, "not_needed", str(reason), reason.to_do)
    except _Not as error:
        return Check(name, needed_by, "not_ok", str(error), error.to_do)
    except (AsanaError, ConnectionIsLost) as error:
        return Check(name, needed_by, "not_ok", str(error), error=error)
