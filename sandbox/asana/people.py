"""Makes the people of an organization as people are: most work, some sleep, some never came.

Everything is drawn from one seeded generator as a distance from `now`, so the same seed, number and clock reading
give the same organization.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from sandbox.asana.clock import to_milliseconds
from sandbox.asana.model import Membership, Person
from sandbox.asana.names import FIRST, LAST
from sandbox.asana.state import State

SHARES = {
    "admin": 0.002,
    "sleeper": 0.12,
    "guest": 0.05,
    "view_only": 0.04,
    "invited": 0.03,
    "on_leave": 0.02,
    "service_account": 0.004,
    "late_joiner": 0.04,
    "reader": 0.04,
    "commenter": 0.04,
    "maker": 0.04,
}
"""How much of an organization each archetype is; everybody else is `active`, at least one is each."""

FORMER_SHARE = 0.03
"""Former members come on top of the number asked for: their membership is still listed, inactive."""

ARCHETYPES = (*SHARES, "active", "former")


@dataclass(frozen=True, slots=True)
class Timeline:
    """When a person joined and did things last, in days before now (None: never)."""

    joined: float
    last_act: float | None
    last_read: float | None


def days_ago(now: datetime, days: float) -> datetime:
    """The moment so many days before `now`, in milliseconds."""
    return to_milliseconds(now - timedelta(days=days))


def archetypes(people: int, rng: Random) -> list[str]:
    """The archetype of each of so many members, in random order; 12 of 100 are sleepers."""
    wanted = {name: max(1, round(share * people)) for name, share in SHARES.items()}
    wanted["admin"] = min(10, wanted["admin"] + 1)
    some_of_each = [*wanted, "admin"]
    rest = [name for name, count in wanted.items() for _ in range(count - some_of_each.count(name))]
    chosen = (some_of_each + rest)[:people]
    chosen += ["active"] * (people - len(chosen))
    rng.shuffle(chosen)
    return chosen + ["former"] * max(1, round(FORMER_SHARE * people))


def timeline(archetype: str, rng: Random) -> Timeline:
    """Draw the dates of one person. Sleepers did their last act 61 to 200 days ago."""
    joined, last_act, last_read = rng.uniform(400, 2000), None, None
    match archetype:
        case "sleeper":
            last_act = rng.uniform(61.5, 199.5)
        case "guest":
            last_act, last_read = rng.uniform(0.1, 150), rng.uniform(0, 90)
        case "view_only":
            last_read = rng.uniform(0, 40)
        case "reader":
            last_read = rng.uniform(0, 10)
        case "invited":
            joined = rng.uniform(3, 300)
        case "service_account":
            pass
        case "on_leave" | "former":
            last_act = rng.uniform(3, 100) if archetype == "on_leave" else rng.uniform(30, 300)
            last_read = last_act - 0.01
        case "late_joiner":
            joined = rng.uniform(1, 59)
            last_act, last_read = rng.uniform(0, joined) if rng.random() < 0.6 else None, rng.uniform(0, joined)
        case _:
            last_act = rng.uniform(0, 20) if rng.random() < 0.85 else rng.uniform(20, 55)
            last_read = rng.uniform(0, last_act)
    return Timeline(joined, last_act, last_read)


class PeopleMaker:
    """Draws people into a state and remembers each one's timeline for the making of their work."""

    def __init__(self, state: State, rng: Random, now: datetime) -> None:
        self.state, self.rng, self.now = state, rng, now
        self.timelines: dict[str, Timeline] = {}

    def make(self, people: int) -> None:
        """Add so many members and, on top, some former ones."""
        chosen = archetypes(people, self.rng)
        traits = self._traits(chosen)
        for index, archetype in enumerate(chosen):
            self._member(archetype, traits.get(index, frozenset()))

    def _traits(self, chosen: list[str]) -> dict[int, frozenset[str]]:
        """Whose e-mail address is written in capitals (3 percent), and who has none (1 percent)."""
        ordinary = [index for index, archetype in enumerate(chosen) if archetype not in {"admin", "former"}]
        self.rng.shuffle(ordinary)
        shouting = max(1, len(chosen) * 3 // 100)
        missing = max(1, len(chosen) // 100)
        named = dict.fromkeys(ordinary[:shouting], frozenset({"upper_case_email"}))
        return named | dict.fromkeys(ordinary[shouting : shouting + missing], frozenset({"missing_email"}))

    def _member(self, archetype: str, traits: frozenset[str]) -> Person:
        dates = timeline(archetype, self.rng)
        name, email = self._name(archetype, traits)
        person = self.state.add_person(Person(self.state.new_gid(), name, email, archetype, traits))
        self.timelines[person.gid] = dates
        if dates.last_read is not None:
            person.last_read_at = days_ago(self.now, dates.last_read)
        self.state.join(self._membership(person, dates))
        return person

    def _membership(self, person: Person, dates: Timeline) -> Membership:
        archetype = person.archetype
        membership = Membership(
            self.state.new_gid(),
            person,
            self.state.company,
            days_ago(self.now, dates.joined),
            is_active=archetype != "former",
            is_admin=archetype == "admin",
            is_guest=archetype == "guest",
            is_view_only=archetype == "view_only",
            task_list_gid=self.state.new_gid(),
        )
        if archetype == "on_leave" and dates.last_act is not None:
            back = self.now + timedelta(days=self.rng.uniform(2, 60))
            membership.vacation = (days_ago(self.now, dates.last_act).date(), back.date())
        return membership

    def _name(self, archetype: str, traits: frozenset[str]) -> tuple[str, str | None]:
        (first, first_written), (last, last_written) = self.rng.choice(FIRST), self.rng.choice(LAST)
        if archetype == "service_account":
            first, first_written = f"Nightly export {last}", "svc-export"
            return first, self._free_address(first_written, last_written, "nordwind.example", traits)
        domain = "elsewhere.example" if archetype == "guest" else "nordwind.example"
        return f"{first} {last}", self._free_address(first_written, last_written, domain, traits)

    def _free_address(self, first: str, last: str, domain: str, traits: frozenset[str]) -> str | None:
        if "missing_email" in traits:
            return None
        number, address = 1, f"{first}.{last}@{domain}"
        while address in self.state.by_email:
            number += 1
            address = f"{first}.{last}{number}@{domain}"
        return address.upper() if "upper_case_email" in traits else address
