"""An organization that lives on, day by day: most work, some sleep, a few of those wake up.

Sleepers are those whom the generator made sleepers, 12 of 100. Everybody else with a paid seat gets a rhythm of their
own: most work on most weekdays, some about once a week, some about once a month; one in a hundred only reads.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from sandbox.asana.clock import to_milliseconds
from sandbox.asana.lookalike import LookAlike
from sandbox.asana.model import Person, Task

WAKING = 0.1
"""The share of sleepers who wake up once, some time in the first WITHIN days."""
WITHIN = 80
REMEMBERED = 6
"""How many of their newest tasks people still work on."""
SATURDAY = 5


@dataclass(slots=True)
class Rhythm:
    """How one person lives. `chance` is that of acting on a weekday."""

    person: Person
    chance: float
    only_reads: bool = False
    wakes_on: int | None = None
    own: list[Task] = field(default_factory=list)


class Life:
    """Lets a look-alike whose clock stands still live; the same seed gives the same days."""

    def __init__(self, look: LookAlike, seed: int) -> None:
        self._look, self._rng, self._day = look, Random(f"{seed}/life"), 0
        company = look.state.company
        paid = [one.person for one in company.memberships.values() if one.is_active and not one.is_guest]
        self._rhythms = [self._rhythm(one) for one in paid if not company.by_person[one.gid].is_view_only]
        self._people = [one.person for one in self._rhythms]
        self._tasks = [task for task in look.state.tasks.values() if task.workspace is company and not task.is_private]

    @property
    def sleepers(self) -> list[Person]:
        """Who never acts, or wakes up only once."""
        return [one.person for one in self._rhythms if one.chance == 0]

    def live_day(self) -> None:
        """Let everybody have this day, and move the clock to the same time of the next."""
        today = self._look.clock.now()
        if today.weekday() < SATURDAY:
            for rhythm in self._rhythms:
                if rhythm.wakes_on == self._day or self._rng.random() < rhythm.chance:
                    self._use(rhythm, today + timedelta(hours=self._rng.uniform(5, 15)))
        self._day += 1
        self._look.clock.move(timedelta(days=1))

    def _rhythm(self, person: Person) -> Rhythm:
        rng = self._rng
        if person.archetype == "sleeper":
            return Rhythm(person, 0.0, wakes_on=rng.randrange(WITHIN) if rng.random() < WAKING else None)
        draw = rng.random()
        chance = rng.uniform(0.5, 0.95) if draw < 0.8 else rng.uniform(0.15, 0.3) if draw < 0.95 else 0.05
        return Rhythm(person, chance, only_reads=rng.random() < 0.01)

    def _use(self, rhythm: Rhythm, at: datetime) -> None:
        at = to_milliseconds(at)
        if self._rng.random() < 0.08:
            self._look.log.add("user_login_succeeded", rhythm.person, at)
        if rhythm.only_reads:
            rhythm.person.last_read_at = at
        else:
            self._work(rhythm, at)

    def _work(self, rhythm: Rhythm, at: datetime) -> None:
        draw, rng, person, state = self._rng.random(), self._rng, rhythm.person, self._look.state
        if draw < 0.3 or not rhythm.own:
            self._create(person, person, at, rhythm)
        elif draw < 0.4:
            self._create(person, rng.choice(self._people), at, None)
        elif draw < 0.6:
            task = rhythm.own.pop(0)
            if task.assignee is person and task.completed_at is None:
                task.completed_by, task.completed_at = person, at
                task.modified_at = max(task.modified_at, at)
        else:
            task = rng.choice(rhythm.own) if draw < 0.85 else rng.choice(self._tasks)
            state.add_story(task, person, at, "comment_added", "comment added")

    def _create(self, creator: Person, assignee: Person, at: datetime, rhythm: Rhythm | None) -> None:
        state = self._look.state
        followers = {creator.gid: creator, assignee.gid: assignee}
        task = Task(state.new_gid(), "Something new", state.company, creator, at, at, followers=followers)
        state.add_task(task, assignee)
        state.assigned(task, creator)
        state.add_story(task, creator, at, "assigned", f"assigned to {assignee.name}")
        if rhythm is not None:
            rhythm.own = [*rhythm.own[-REMEMBERED:], task]
        if self._rng.random() < 0.1:
            self._tasks.append(task)
