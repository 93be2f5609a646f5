"""What happened on the demo's day, as an operator and a consumer saw it, and the truth that it is held against."""

from dataclasses import dataclass, field
from datetime import datetime

from sandbox.demo.connecting import Row
from sandbox.demo.truths import Expected, Views
from sandbox.demo.watching import Acts


@dataclass
class Judged:
    """One cycle, the candidates after it and what was seen of everybody, and what the truth says they must be."""

    steps: list[Row]
    candidates: list[Row]
    acts: Acts
    expected: Expected
    views: Views

    def step(self, kind: str) -> Row:
        """Return one step of the cycle."""
        return step_of(self.steps, kind)

    @property
    def pulled_at(self) -> datetime:
        """When the activity pull began."""
        return moment_of(self.step("activity"))

    @property
    def judged_at(self) -> datetime:
        """When the verdicts were made."""
        return moment_of(self.step("candidates"))


@dataclass
class Day:
    """What happened, as an operator and a consumer saw it, and the truth that it is held against."""

    people: int
    owned: int
    took: dict[str, float] = field(default_factory=dict)
    checked: list[Row] = field(default_factory=list)
    """What `seats profile validate` tried."""
    claims: list[Row] = field(default_factory=list)
    """What `seats probe` found of each claim."""
    connections: list[Row] = field(default_factory=list)
    cycles: list[Judged] = field(default_factory=list)
    """The first cycle, and the one after the member export was imported."""
    coverage: Row = field(default_factory=dict)
    """After the first cycle."""
    imported: Row = field(default_factory=dict)
    plan: Row = field(default_factory=dict)
    position: Row = field(default_factory=dict)
    explained: list[Row] = field(default_factory=list)
    refusal: str = ""
    removals: list[Row] = field(default_factory=list)

    @property
    def last(self) -> Judged:
        """The verdicts that the plan is made of."""
        return self.cycles[-1]


def examples_of(judged: Judged, by_search: list[str]) -> list[str]:
    """Choose people to explain: one of each list, one who is active, and one whose last act only the search saw."""
    listed = {one["user_gid"] for one in judged.candidates}
    idle = [one["user_gid"] for one in judged.candidates if one["state"] == "ready" and one["last_act_at"]][-1:]
    never = [one["user_gid"] for one in judged.candidates if not one["last_act_at"]][-1:]
    active = [gid for gid in judged.expected.seen if gid not in listed][:1]
    return [gid for some in (idle, never, active, by_search[:1]) for gid in some]


def changed_between(before: Judged, now: Judged) -> list[str]:
    """Choose somebody whom the export has kept, and somebody of whom it says that they never came."""
    were, are = ({one["user_gid"]: one["state"] for one in each.candidates} for each in (before, now))
    kept = [gid for gid in were if gid not in are][:1]
    return kept + [gid for gid in are if are[gid] == "ready" and were.get(gid) == "attention_required"][:1]


def step_of(steps: list[Row], kind: str) -> Row:
    """Return one step of a cycle."""
    return next(step for step in steps if step["kind"] == kind)


def moment_of(step: Row) -> datetime:
    """Return when a step of a cycle began."""
    started = step["started_at"]
    assert isinstance(started, datetime)
    return started
