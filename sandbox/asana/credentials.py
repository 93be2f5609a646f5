"""Who may call: personal access tokens, a service account's token, and the tokens that OAuth gives out."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sandbox.asana.clock import Clock
from sandbox.asana.errors import Unauthorized
from sandbox.asana.model import Person, Task, Workspace

OOB = "urn:ietf:wg:oauth:2.0:oob"
ACCESS_LIFETIME = timedelta(hours=1)


@dataclass(frozen=True, slots=True, eq=False)
class Credential:
    """One right to call. `name` keys limits and counters; refreshing an access token does not change it.

    `kind` is `pat`, `oauth` or `service_account`; the last may do what an admin may, and sees all tasks.
    """

    name: str
    kind: str
    person: Person

    def is_admin_of(self, workspace: Workspace) -> bool:
        if self.kind == "service_account":
            return workspace.is_organization
        membership = workspace.by_person.get(self.person.gid)
        return membership is not None and membership.is_active and membership.is_admin

    def belongs_to(self, workspace: Workspace) -> bool:
        if self.kind == "service_account":
            return workspace.is_organization
        membership = workspace.by_person.get(self.person.gid)
        return membership is not None and membership.is_active

    def sees(self, task: Task) -> bool:
        """Whether this credential may read the task; a service account reads everything."""
        return self.belongs_to(task.workspace) and (self.kind == "service_account" or task.is_seen_by(self.person))


@dataclass(slots=True)
class App:
    """A registered OAuth application."""

    client_id: str
    client_secret: str
    redirect_uris: set[str]


@dataclass(frozen=True, slots=True)
class _Access:
    credential: Credential
    expires_at: datetime | None


class Credentials:
    """All tokens by their text. Times are by the look-alike's clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tokens: dict[str, _Access] = {}
        self._refresh: dict[str, Credential] = {}

    def personal_token(self, person: Person) -> str:
        """A new personal access token, which does not expire."""
        return self._keep(Credential(f"pat:{secrets.token_hex(4)}", "pat", person), None, "2/")

    def service_account_token(self, person: Person) -> str:
        """A new token of a service account, which does not expire."""
        return self._keep(Credential(f"service:{secrets.token_hex(4)}", "service_account", person), None, "0/")

    def access_token(self, credential: Credential) -> str:
        """A new OAuth access token for an authorization."""
        return self._keep(credential, self._clock.now() + ACCESS_LIFETIME, "1/")

    def refresh_token(self, credential: Credential) -> str:
        token = f"1/r/{secrets.token_urlsafe(24)}"
        self._refresh[token] = credential
        return token

    def refreshed(self, refresh_token: str) -> Credential | None:
        """The authorization that a refresh token stands for, if it is good."""
        return self._refresh.get(refresh_token)

    def is_access_token(self, token: str) -> bool:
        return token in self._tokens

    def forget_refresh_token(self, token: str) -> None:
        self._refresh.pop(token, None)

    def revoke(self, refresh_token: str) -> None:
        """End an authorization with all of its tokens; nothing happens when there is none."""
        credential = self._refresh.get(refresh_token)
        if credential is None:
            return
        self._refresh = {text: one for text, one in self._refresh.items() if one is not credential}
        self._tokens = {text: one for text, one in self._tokens.items() if one.credential is not credential}

    def rebind(self, people: Mapping[str, Person]) -> None:
        """After the organization was made anew: the same tokens, held by the same people as they are now."""
        held = {one.credential for one in self._tokens.values()} | set(self._refresh.values())
        anew = {one: replace(one, person=people[one.person.gid]) for one in held if one.person.gid in people}
        self._refresh = {text: anew[one] for text, one in self._refresh.items() if one in anew}
        self._tokens = {
            text: replace(one, credential=anew[one.credential])
            for text, one in self._tokens.items()
            if one.credential in anew
        }

    def of(self, authorization: str | None) -> Credential:
        """The credential in an Authorization header; raises Unauthorized."""
        scheme, _, token = (authorization or "").partition(" ")
        access = self._tokens.get(token.strip()) if scheme.lower() == "bearer" else None
        if access is None:
            raise Unauthorized("Not Authorized")
        if access.expires_at and self._clock.now() >= access.expires_at:
            raise Unauthorized(
                "The bearer token has expired. If you have a refresh token, please use it to request a new bearer "
                "token, otherwise allow the user to re-authenticate."
            )
        return access.credential

    def _keep(self, credential: Credential, expires_at: datetime | None, prefix: str) -> str:
        token = prefix + secrets.token_urlsafe(24)
        self._tokens[token] = _Access(credential, expires_at)
        return token
