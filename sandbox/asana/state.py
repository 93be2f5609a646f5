"""Everything that the look-alike knows, and the few ways in which it changes.

Changes keep the indexes true (who is assigned what, who belongs where); nothing else may write to them.
"""

from bisect import insort
from collections.abc import Iterator
from datetime import datetime
from itertools import count

from sandbox.asana.model import Actor, Membership, Person, Story, Task, Workspace

FIRST_GID = 1_200_000_000_000_000


class State:
    """All workspaces, people, tasks and stories of the look-alike.

    `company` is the organization that everybody belongs to, `personal` one admin's own workspace beside it.
    """

    def __init__(self) -> None:
        self.company = Workspace("0", "", is_organization=True)
        self.personal = Workspace("0", "", is_organization=False)
        self.workspaces: dict[str, Workspace] = {}
        self.people: dict[str, Person] = {}
        self.tasks: dict[str, Task] = {}
        self.memberships: dict[str, Membership] = {}
        self.by_email: dict[str, Person] = {}
        self._related: dict[str, dict[str, dict[str, Task]]] = {"created_by": {}, "followers": {}, "assigned_by": {}}
        self._gids = count(FIRST_GID, 7)
        self._ordered: dict[str, tuple[int, list[Person]]] = {}
        self._listed: dict[str, tuple[int, list[Membership]]] = {}
        self._alphabetical: dict[str, tuple[int, list[Person]]] = {}

    def new_gid(self) -> str:
        """A gid that was never used before: digits in a string, growing."""
        return str(next(self._gids))

    def add_workspace(self, workspace: Workspace) -> Workspace:
        self.workspaces[workspace.gid] = workspace
        return workspace

    def find_person(self, name: str) -> Person | None:
        """A person by gid, or by e-mail address in any case."""
        return self.people.get(name) or self.by_email.get(name.lower())

    def admins(self) -> list[Person]:
        """The company's active admins, longest-known gid first."""
        return [one for one in self.members(self.company) if one.memberships[self.company.gid].is_admin]

    def add_person(self, person: Person) -> Person:
        self.people[person.gid] = person
        if person.email:
            self.by_email[person.email.lower()] = person
        return person

    def join(self, membership: Membership) -> Membership:
        """Let a person belong to a workspace; an earlier membership there is replaced."""
        earlier = membership.workspace.by_person.get(membership.person.gid)
        if earlier:
            self.leave(earlier)
        workspace = membership.workspace
        self.memberships[membership.gid] = membership
        workspace.memberships[membership.gid] = membership
        workspace.by_person[membership.person.gid] = membership
        membership.person.memberships[workspace.gid] = membership
        workspace.revision += 1
        return membership

    def leave(self, membership: Membership) -> None:
        """Forget a membership."""
        workspace = membership.workspace
        del self.memberships[membership.gid]
        del workspace.memberships[membership.gid]
        del workspace.by_person[membership.person.gid]
        del membership.person.memberships[workspace.gid]
        workspace.revision += 1

    def add_task(self, task: Task, assignee: Person | None) -> Task:
        self.tasks[task.gid] = task
        self._relate("created_by", task.created_by, task)
        for follower in task.followers.values():
            self._relate("followers", follower, task)
        self.assign(task, assignee)
        return task

    def related(self, relation: str, gid: str) -> dict[str, Task]:
        """The tasks with which a person is in this relation (assignee, followers, created_by, assigned_by), by gid."""
        if relation == "assignee":
            return self.people[gid].assigned
        return self._related[relation].get(gid, {})

    def follow(self, task: Task, person: Person) -> None:
        """The person is told of what happens to the task, and sees it, from now on."""
        task.followers[person.gid] = person
        self._relate("followers", person, task)

    def assigned(self, task: Task, by: Actor) -> None:
        """Note who gave the task to its assignee."""
        if task.assigned_by:
            self._related["assigned_by"][task.assigned_by.gid].pop(task.gid, None)
        task.assigned_by = by
        self._relate("assigned_by", by, task)

    def _relate(self, relation: str, actor: Actor, task: Task) -> None:
        self._related[relation].setdefault(actor.gid, {})[task.gid] = task

    def assign(self, task: Task, assignee: Person | None) -> None:
        """Give a task to a person, or to nobody."""
        if task.assignee:
            del task.assignee.assigned[task.gid]
        task.assignee = assignee
        if assignee:
            assignee.assigned[task.gid] = task

    def add_story(self, task: Task, by: Actor, at: datetime, subtype: str, text: str) -> Story:
        """Something is done to a task: that modifies it, and whoever comments follows it from then on."""
        story = Story(self.new_gid(), subtype, by, at, text)
        insort(task.stories, story, key=lambda one: one.created_at)
        task.modified_at = max(task.modified_at, at)
        if subtype == "comment_added" and isinstance(by, Person):
            self.follow(task, by)
        return story

    def memberships_of(self, workspace: Workspace) -> list[Membership]:
        """All memberships as they came, those that are over too; one list for as long as nobody joins or leaves."""
        known = self._listed.get(workspace.gid)
        if known is None or known[0] != workspace.revision:
            known = self._listed[workspace.gid] = (workspace.revision, list(workspace.memberships.values()))
        return known[1]

    def members(self, workspace: Workspace) -> list[Person]:
        """The active members by gid, as numbers; one list for as long as nobody joins or leaves."""
        known = self._ordered.get(workspace.gid)
        if known is None or known[0] != workspace.revision:
            people = sorted(_active(workspace), key=lambda person: int(person.gid))
            known = self._ordered[workspace.gid] = (workspace.revision, people)
        return known[1]

    def members_by_name(self, workspace: Workspace) -> list[Person]:
        """The active members by name, as `/workspaces/{gid}/users` gives them."""
        known = self._alphabetical.get(workspace.gid)
        if known is None or known[0] != workspace.revision:
            people = sorted(_active(workspace), key=lambda person: (person.name.casefold(), person.gid))
            known = self._alphabetical[workspace.gid] = (workspace.revision, people)
        return known[1]


def _active(workspace: Workspace) -> Iterator[Person]:
    return (one.person for one in workspace.memberships.values() if one.is_active)
