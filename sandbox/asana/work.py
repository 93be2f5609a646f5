"""Makes the tasks and stories that people leave behind, so that what they did can be found, or cannot.

Only `active` people and agents act on the tasks of others without being asked to, and never before they joined.
"""

from datetime import datetime
from random import Random

from sandbox.asana.model import Actor, Person, Task
from sandbox.asana.names import TASKS
from sandbox.asana.people import Timeline, days_ago
from sandbox.asana.state import State

OWN_TASKS = {"active": (2, 6), "admin": (2, 6), "guest": (1, 3), "on_leave": (2, 4), "late_joiner": (1, 3)}
OWN_TASKS |= {"sleeper": (2, 5)}
"""How many tasks people have in which they act themselves."""

GIVEN_TASKS = {"reader": (1, 2), "commenter": (0, 2), "maker": (0, 2), "invited": (0, 2), "late_joiner": (0, 1)}
"""How many tasks people have that others made, and in which they do nothing."""

KINDS = ("created", "completed", "comment_added", "section_changed", "due_date_changed", "marked_incomplete")


class WorkMaker:
    """Draws the work of everybody in the company."""

    def __init__(self, state: State, rng: Random, now: datetime, timelines: dict[str, Timeline]) -> None:
        self.state, self.rng, self.now, self.timelines = state, rng, now, timelines
        self.colleagues = [person for person in state.people.values() if person.archetype in {"active", "admin"}]
        self.others: list[Actor] = [*self.colleagues, *state.company.agents]

    def make(self) -> None:
        """First the work in people's own tasks, then what people do in the tasks of others."""
        everybody = list(self.state.people.values())
        for person in everybody:
            self._own_work(person)
        open_to_all = [task for task in self.state.tasks.values() if not task.is_private]
        for person in everybody:
            self._work_for_others(person, open_to_all)

    def _own_work(self, person: Person) -> None:
        dates = self.timelines[person.gid]
        if dates.last_act is not None and person.archetype in OWN_TASKS:
            for number in range(self.rng.randint(*OWN_TASKS[person.archetype])):
                self._own_task(person, dates, dates.last_act, is_newest=number == 0)
        for _ in range(self.rng.randint(*GIVEN_TASKS.get(person.archetype, (0, 0)))):
            given = self.rng.uniform(0, min(90.0, dates.joined))
            self._task(self.rng.choice(self.colleagues), person, given)

    def _own_task(self, person: Person, dates: Timeline, newest: float, *, is_newest: bool) -> None:
        """A task in which the person's own last act was `newest` days ago, or (not the newest) earlier."""
        rng = self.rng
        acted = newest if is_newest else min(newest + rng.uniform(0, 80), dates.joined)
        kind = rng.choice(KINDS)
        created = acted if kind == "created" else min(acted + rng.uniform(0, 60), dates.joined)
        by_self = kind == "created" or rng.random() < 0.5
        task = self._task(person if by_self else rng.choice(self.colleagues), person, created)
        if kind == "completed":
            self._complete(task, person, acted)
        elif kind != "created":
            self._story(task, person, acted, kind)
        chance = 0.6 if person.archetype == "sleeper" and is_newest else 0.3
        if rng.random() < chance:
            self._story(task, rng.choice(self.others), rng.uniform(0, acted), "comment_added")
        if not task.completed_at and rng.random() < 0.05:
            self._complete(task, rng.choice(self.colleagues), rng.uniform(0, acted))

    def _work_for_others(self, person: Person, open_to_all: list[Task]) -> None:
        newest = self.timelines[person.gid].last_act
        match person.archetype:
            case "commenter" if newest is not None:
                for _ in range(self.rng.randint(2, 4)):
                    self._comment_elsewhere(person, self.rng.choice(open_to_all), newest)
            case "maker" if newest is not None:
                for number in range(self.rng.randint(2, 4)):
                    self._task(person, self.rng.choice(self.colleagues), newest + number * self.rng.uniform(0, 20))
            case "former" if newest is not None:
                for number in range(self.rng.randint(0, 3)):
                    self._task(person, None, newest + number * self.rng.uniform(0, 20))
            case "service_account" if self.rng.random() < 0.5:
                for _ in range(5):
                    self._task(person, self.rng.choice(self.colleagues), self.rng.uniform(0, 5))
            case _:
                pass

    def _comment_elsewhere(self, person: Person, task: Task, newest: float) -> None:
        """A comment in somebody else's task, not before the task was made."""
        if task.assignee is person:
            return
        age = (self.now - task.created_at).total_seconds() / 86_400
        self._story(task, person, min(self.rng.uniform(newest, newest + 20), age), "comment_added")

    def _task(self, creator: Person, assignee: Person | None, created: float) -> Task:
        rng, state, at = self.rng, self.state, days_ago(self.now, created)
        task = Task(state.new_gid(), rng.choice(TASKS), state.company, creator, at, at)
        task.is_private = rng.random() < 0.08
        task.followers = {one.gid: one for one in (creator, assignee) if one}
        state.add_task(task, assignee)
        if assignee:
            state.assigned(task, creator)
            state.add_story(task, creator, at, "assigned", f"assigned to {assignee.name}")
        return task

    def _story(self, task: Task, by: Actor, days: float, subtype: str) -> None:
        self.state.add_story(task, by, days_ago(self.now, days), subtype, subtype.replace("_", " "))

    def _complete(self, task: Task, by: Actor, days: float) -> None:
        """Completed, with the story that comes of it in two cases of three: a source must know both."""
        at = days_ago(self.now, days)
        task.completed_by, task.completed_at = by, at
        task.modified_at = max(task.modified_at, at)
        if self.rng.random() < 0.67:
            self.state.add_story(task, by, at, "marked_complete", "marked this task complete")
