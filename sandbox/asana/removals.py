"""The look-alike's own record of every removal that was asked of it: the other side of a client's ledger."""

from dataclasses import dataclass, field
from datetime import datetime

from sandbox.asana.clock import written
from sandbox.asana.model import Person


@dataclass(slots=True)
class Removal:
    """One call of removeUser.

    `status` is what the caller was told, None when the connection was closed without an answer or in the middle of
    it. `accepted` says that the person was removed, whatever the caller was told.
    """

    at: datetime
    by: str | None  # the caller's gid
    credential: str | None
    workspace: str
    asked: str | None  # the person as the caller named them: a gid, an address, or "me"
    person: str | None = None  # the gid of the person meant, once known
    accepted: bool = False
    status: int | None = None
    given_to: str | None = None  # the gid of who got the person's things
    given: list[str] = field(default_factory=list)  # gids of tasks that were handed over
    lost: list[str] = field(default_factory=list)  # gids of private tasks that nobody can see any more

    def as_json(self) -> dict[str, object]:
        return {
            "at": written(self.at),
            "by": self.by,
            "credential": self.credential,
            "workspace": self.workspace,
            "asked": self.asked,
            "person": self.person,
            "accepted": self.accepted,
            "status": self.status,
            "given_to": self.given_to,
            "given": self.given,
            "lost": self.lost,
        }


class Removals:
    """Every call in the order of arrival."""

    def __init__(self) -> None:
        self.calls: list[Removal] = []

    @property
    def accepted(self) -> list[Removal]:
        """The calls that removed somebody."""
        return [one for one in self.calls if one.accepted]

    def of(self, person: Person | str) -> list[Removal]:
        """The calls that meant this person (or gid)."""
        gid = person if isinstance(person, str) else person.gid
        return [one for one in self.calls if one.person == gid]

    def reset(self) -> None:
        self.calls.clear()
