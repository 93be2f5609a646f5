"""The look at one person: their tasks, and where those leave them idle, the search's deep look."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from asana_api.client import AsanaClient
from asana_api.patience import patiently
from rules.economy import SLACK, latest, may_be_idle
from rules.evidence import AsanaPlan, Source, task_sources
from sources import search, tasks
from sources.contract import Asked, Findings
from sources.isolating import look_alone
from store.asking import Person

DEEP_AT_ONCE = 3
"""So many deep looks use every permit for a search while others read stories."""


class Turns:
    """Whose turn it is to search, of all that are asked about in one slice."""

    def __init__(self) -> None:
        self.about_many, self.deep = asyncio.Lock(), asyncio.Semaphore(1)
        self._is_narrow = True

    def came_on(self) -> None:
        """Somebody was settled by a deep look: from now on some are looked at side by side."""
        if self._is_narrow:
            self._is_narrow = False
            for _ in range(DEEP_AT_ONCE - 1):
                self.deep.release()


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about everybody alike: with which client, for which rule, and up to when."""

    client: AsanaClient
    organization_gid: str
    plan: AsanaPlan
    threshold: timedelta
    until: datetime
    """The pull's start: nothing later is claimed."""
    longest_look: float = 80.0
    """Seconds of a deep look that has its turn, of a slice that is killed after 120."""
    turns: Turns = field(default_factory=Turns)

    @property
    def has_search(self) -> bool:
        """Say whether the plan has the search."""
        return "search" in task_sources(self.plan)

    @property
    def idle_before(self) -> datetime:
        """Whoever did something after this is not called idle by any verdict that stands on this pull."""
        return self.until + SLACK - self.threshold

    def may_be_idle(self, person: Person, acted_at: datetime | None) -> bool:
        """Say whether a verdict could call the person idle whose last act this is."""
        return may_be_idle(latest(person.joined_at, acted_at), self.threshold, pull_started_at=self.until)


async def look(question: Question, person: Person, *, alone: bool = False) -> list[Findings]:
    """Look at one person: their tasks, and where that leaves them idle, the search's deep look.

    Raises TryLater and NotAuthorized; with `alone`, a failure that befalls this person only is their trouble.
    """
    seen = await tasks_of(question, person, alone=alone)
    if not is_to_be_searched_for(question, person, seen):
        return [seen]
    return [seen, await searched(question, person, last_act(person, seen), alone=alone)]


def is_to_be_searched_for(question: Question, person: Person, seen: Findings) -> bool:
    """Say whether the person's tasks came whole and leave them idle, where there is a search."""
    is_known = person.user_gid in seen.covered and person.user_gid not in seen.troubles
    return question.has_search and is_known and question.may_be_idle(person, last_act(person, seen))


async def tasks_of(question: Question, person: Person, *, alone: bool) -> Findings:
    """Ask the source `tasks` about the person; raises as `look` does."""
    asked = Asked(person.user_gid, person.tasks_since, person.last_act_at)
    return await _answer(question, person, "tasks", asked, alone=alone)


async def searched(question: Question, person: Person, acted_at: datetime | None, *, alone: bool) -> Findings:
    """Ask the search about the person, whose last known act was at `acted_at`; raises as `look` does."""
    asked = Asked(person.user_gid, person.search_since, acted_at)
    return await _answer(question, person, "search", asked, alone=alone)


async def _answer(question: Question, person: Person, source: Source, asked: Asked, *, alone: bool) -> Findings:
    look_with = search.deep_look if source == "search" else tasks.look

    async def looking() -> Findings:
        return await look_with(question.client, question.organization_gid, asked, until=question.until)

    if alone:
        return _whole(await look_alone(question.client, source, asked, looking), person)
    return _whole(await patiently(looking), person)


def _whole(findings: Findings, person: Person) -> Findings:
    """Make what was left unsaid a trouble: an answer that says nothing of the person claims nothing."""
    if person.user_gid not in findings.covered:
        findings.troubles.setdefault(person.user_gid, f"the source {findings.source} told nothing")
    return findings


def last_act(person: Person, found: Findings) -> datetime | None:
    """Return the person's last act that is known or was found."""
    own = [act.at for act in found.acts if act.user_gid == person.user_gid]
    return max((at for at in (person.last_act_at, *own) if at is not None), default=None)
