"""What a credential is good for: whose it is, where it is an admin, what can be had with it. It only reads."""

from dataclasses import dataclass
from datetime import timedelta

from asana_api.address import Base
from asana_api.answers import Caller, Membership, Workspace
from asana_api.client import AsanaClient
from asana_api.errors import Forbidden, NeedsOperator, NotThere, PlanTooLow
from connections.opening import API
from console.output import Sheet
from console.session import now
from store.connections import CredentialKind

NO_ANSWER = "Asana does not tell"


@dataclass(frozen=True, slots=True)
class Organization:
    """An organization of an account. `role` is None where Asana does not show the account's own membership."""

    gid: str
    name: str
    role: str | None
    log: str
    """What a look into its audit log gave: `yes`, or why not."""


@dataclass(frozen=True, slots=True)
class Standing:
    """An account, and its organizations."""

    kind: CredentialKind
    me: Caller
    organizations: tuple[Organization, ...]

    @property
    def admin_of(self) -> list[str]:
        """The names of the organizations in which it is known to be an admin."""
        return [one.name for one in self.organizations if one.role == "admin"]

    def is_ordinary(self) -> bool:
        """Say whether an account that should be a service account is surely somebody's.

        It sees no audit log and has a seat that no service account has. Without either, nothing can be told: what
        Asana answers to a service account of a lower plan is written nowhere.
        """
        sees_log = any(one.log == "yes" for one in self.organizations)
        return not sees_log and any(one.role in {"admin", "guest", "view only"} for one in self.organizations)

    def is_likely_a_service_account(self) -> bool:
        """Say whether a token given as a person's seems to be a service account's.

        It sees an audit log, which no person's token does, or Asana shows its membership nowhere.
        """
        nowhere = bool(self.organizations) and all(one.role is None for one in self.organizations)
        return nowhere or any(one.log == "yes" for one in self.organizations)

    def serves(self) -> dict[str, str]:
        """Say what can be had with it: `yes`, or why not."""
        if self.kind == "service_account":
            logs = [one.log for one in self.organizations]
            log = "yes" if "yes" in logs else next(iter(logs), "no organization")
            return {
                "download": "by the person",
                "activity_tasks": "yes, private work too",
                "activity_search": "on paid plans, private work too",
                "audit_log": log,
                "reclaim": "by the person",
            }
        there = "yes" if self.organizations else "no organization"
        return {
            "download": there,
            "activity_tasks": there,
            "activity_search": "on paid plans" if self.organizations else "no organization",
            "audit_log": "for service accounts only",
            "reclaim": f"admin of {', '.join(self.admin_of)}" if self.admin_of else "not an admin",
        }

    def document(self) -> dict[str, object]:
        """Return it as a document."""
        return {"kind": self.kind, "user_gid": self.me.gid, "name": self.me.name, "serves": self.serves()}


def sheet_of(standings: list[Standing]) -> Sheet:
    """Lay out what each credential can serve."""
    rows = [(one.kind.replace("_", " "), *one.serves().values()) for one in standings]
    return Sheet(("credential", "download", "activity: tasks", "activity: search", "audit log", "reclaim"), rows)


async def look(base: Base, token: str, kind: CredentialKind) -> Standing:
    """Ask Asana who this is; raises AsanaError where the token is no good."""

    async def same() -> str:
        return token

    async with AsanaClient(base.url + API, same, reads=1, writes=1) as client:
        me = await client.me()
        found = [one for one in await client.workspaces() if one.is_organization]
        return Standing(kind, me, tuple([await _organization(client, one, me, kind) for one in found]))


async def _organization(client: AsanaClient, one: Workspace, me: Caller, kind: CredentialKind) -> Organization:
    # A person's token from a file may be a service account's by mistake: only the log tells.
    log = await _log(client, one) if kind != "oauth" else "for service accounts only"
    return Organization(one.gid, one.name, await _role(client, one, me), log)


async def _role(client: AsanaClient, one: Workspace, me: Caller) -> str | None:
    try:
        own = await client.membership_of(one.gid, me.gid)
    except (NeedsOperator, NotThere):
        return None
    return None if own is None else _named(own)


def _named(own: Membership) -> str:
    if own.is_guest:
        return "guest"
    return "admin" if own.is_admin else "view only" if own.is_view_only else "member"


async def _log(client: AsanaClient, one: Workspace) -> str:
    try:
        await client.audit_page(one.gid, start_at=now() - timedelta(hours=1))
    except PlanTooLow:
        return "not on this plan"
    except (Forbidden, NotThere):
        return "for service accounts only"
    except NeedsOperator:
        return NO_ANSWER
    return "yes"
