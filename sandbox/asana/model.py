"""What an organization consists of. Plain records: who may see or change them is decided elsewhere.

Where records point at each other, only one side is in their `repr`: else one person would print the whole organization.
"""

from dataclasses import dataclass, field
from datetime import date, datetime


@dataclass(slots=True, eq=False)
class Workspace:
    """An organization, or (`is_organization` false) somebody's personal workspace."""

    gid: str
    name: str
    is_organization: bool
    email_domains: list[str] = field(default_factory=list, repr=False)
    memberships: dict[str, "Membership"] = field(default_factory=dict, repr=False)  # by the membership's gid
    by_person: dict[str, "Membership"] = field(default_factory=dict, repr=False)  # the same, by the person's gid
    agents: list["Agent"] = field(default_factory=list, repr=False)
    revision: int = 0  # grows with each change of the memberships


@dataclass(slots=True, eq=False)
class Person:
    """A user of Asana. `archetype` and `traits` say what the generator meant the person to be."""

    gid: str
    name: str
    email: str | None
    archetype: str
    traits: frozenset[str] = frozenset()
    last_read_at: datetime | None = None  # the last time that the person only looked at something
    last_logged_at: datetime | None = None  # the last time that the audit log has of their own doing
    memberships: dict[str, "Membership"] = field(default_factory=dict, repr=False)  # by the workspace's gid
    assigned: dict[str, "Task"] = field(default_factory=dict, repr=False)  # tasks now assigned to the person, by gid


@dataclass(slots=True, eq=False)
class Agent:
    """An AI teammate: it acts on tasks and is listed on its own route, but is no person and holds no seat."""

    gid: str
    name: str


Actor = Person | Agent


@dataclass(slots=True, eq=False)
class Membership:
    """One person's place in one workspace."""

    gid: str
    person: Person
    workspace: Workspace
    created_at: datetime
    is_active: bool = True
    is_admin: bool = False
    is_guest: bool = False
    is_view_only: bool = False
    vacation: tuple[date, date] | None = None  # first and last day away
    task_list_gid: str = "0"


@dataclass(slots=True, eq=False)
class Story:
    """One thing that was done to a task, by whom and when."""

    gid: str
    subtype: str
    created_by: Actor
    created_at: datetime
    text: str


@dataclass(slots=True, eq=False)
class Task:
    """A task. A private one is seen by its assignee, its creator and its followers only."""

    gid: str
    name: str
    workspace: Workspace
    created_by: Actor
    created_at: datetime
    modified_at: datetime
    is_private: bool = False
    assignee: Person | None = None
    assigned_by: Actor | None = None
    completed_by: Actor | None = None
    completed_at: datetime | None = None
    followers: dict[str, Person] = field(default_factory=dict, repr=False)
    stories: list[Story] = field(default_factory=list, repr=False)  # oldest first

    def is_seen_by(self, person: Person) -> bool:
        """Whether an ordinary member of the workspace may read this task."""
        return (
            not self.is_private or self.assignee is person or self.created_by is person or person.gid in self.followers
        )
