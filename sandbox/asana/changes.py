"""What tests, the demo and benchmarks may do to an organization while it is served."""

from datetime import datetime, timedelta

from sandbox.asana.clock import to_milliseconds
from sandbox.asana.log import Event
from sandbox.asana.lookalike import LookAlike
from sandbox.asana.model import Membership, Person, Story, Task

ROLES = frozenset({"is_active", "is_admin", "is_guest", "is_view_only"})


class Changes:
    """People are named by gid or e-mail address; whatever names nothing raises ValueError. Times are aware."""

    def __init__(self, look: LookAlike) -> None:
        self._look = look

    def person(self, name: str) -> Person:
        found = self._look.state.find_person(name)
        if found is None:
            raise ValueError(f"there is no person {name!r}")
        return found

    def set_roles(self, name: str, **roles: bool) -> Membership:
        """Change `is_active`, `is_admin`, `is_guest` or `is_view_only` of a membership of the organization."""
        membership = self._membership(name)
        if not roles.keys() <= ROLES:
            raise ValueError(f"a membership has no {', '.join(sorted(roles.keys() - ROLES))}")
        for role, value in roles.items():
            setattr(membership, role, value)
        membership.workspace.revision += 1
        return membership

    def leave(self, name: str) -> None:
        """The person is gone, as if removed elsewhere (in the admin console, or by an identity provider)."""
        state, membership = self._look.state, self._membership(name)
        for task in [task for task in membership.person.assigned.values() if task.workspace is state.company]:
            state.assign(task, None)
        state.leave(membership)

    def rejoin(self, name: str) -> Membership:
        """The person is put back, as an identity provider does: a new membership, created now."""
        state = self._look.state
        return state.join(Membership(state.new_gid(), self.person(name), state.company, self._look.clock.now()))

    def read(self, name: str, at: datetime | None = None) -> None:
        """The person only looks at something, now or `at`: use that no source on the tasks can see."""
        person, moment = self.person(name), self._moment(at)
        person.last_read_at = max(person.last_read_at or moment, moment)

    def log(
        self, name: str, kind: str = "user_login_succeeded", *, at: datetime | None = None, context: str = "web"
    ) -> Event:
        """The audit log gets an event by the person, now or `at`; a login by hand is a use."""
        return self._look.log.add(kind, self.person(name), self._moment(at), context=context)

    def act(
        self,
        name: str,
        subtype: str = "comment_added",
        *,
        at: datetime | None = None,
        task: str | None = None,
        private: bool = False,
    ) -> Story:
        """The person does something, now or `at`, to that task (a gid).

        Without `task` it is one of their own (given to them by the first admin if they have none that fits), and a
        private one with `private`.
        """
        person, moment = self.person(name), self._moment(at)
        chosen = self._task(task) if task else self._own_task(person, moment, private=private)
        return self._look.state.add_story(chosen, person, moment, subtype, subtype.replace("_", " "))

    def complete(self, name: str, *, at: datetime | None = None, task: str | None = None) -> Task:
        """The person completes that task, or one of their own, without a story of it."""
        person, moment = self.person(name), self._moment(at)
        chosen = self._task(task) if task else self._own_task(person, moment, private=False)
        chosen.completed_by, chosen.completed_at = person, moment
        chosen.modified_at = max(chosen.modified_at, moment)
        return chosen

    def create(self, name: str, *, assignee: str | None, at: datetime | None = None, private: bool = False) -> Task:
        """The person makes a task, for themself or somebody else or (None) nobody."""
        receiver = self.person(assignee) if assignee else None
        return self._new_task(self.person(name), receiver, self._moment(at), private=private)

    def _membership(self, name: str) -> Membership:
        membership = self._look.membership_of(self.person(name).gid)
        if membership is None:
            raise ValueError(f"{name} has no membership of the organization")
        return membership

    def _moment(self, at: datetime | None) -> datetime:
        return to_milliseconds(at) if at else self._look.clock.now()

    def _task(self, gid: str) -> Task:
        found = self._look.state.tasks.get(gid)
        if found is None:
            raise ValueError(f"there is no task {gid!r}")
        return found

    def _own_task(self, person: Person, at: datetime, *, private: bool) -> Task:
        company = self._look.state.company
        for task in person.assigned.values():
            if task.workspace is company and task.is_private == private and task.created_at <= at:
                return task
        giver = person if private else self._look.state.admins()[0]
        return self._new_task(giver, person, at - timedelta(seconds=1), private=private)

    def _new_task(self, creator: Person, assignee: Person | None, at: datetime, *, private: bool) -> Task:
        state = self._look.state
        followers = {one.gid: one for one in (creator, assignee) if one}
        task = Task(
            state.new_gid(), "Something new", state.company, creator, at, at, is_private=private, followers=followers
        )
        state.add_task(task, assignee)
        if assignee:
            state.assigned(task, creator)
            state.add_story(task, creator, at, "assigned", f"assigned to {assignee.name}")
        return task
