"""Asking the task sources about people: the whole look at one person, and the cheap questions about many before it.

On a plan with search, an economical pull asks in four steps, each for those whom the one before did not settle:

    watch        many at once, of those who were seen without a gap: whoever did not move is covered up to now
    seen making  many at once, of the others: whoever made something lately is at work, and settled by that act alone
    tasks        one by one: the tasks assigned to them
    deep look    one by one, whoever would then be called idle: the search

Without search everybody's tasks are looked at. A refusal of a cheap question settles nobody; what it would have spared
is asked, and so it is where the question took too long.
Searches are few (some 55 a minute), so what needs them takes turns: one question about many at a time, and one deep
look until somebody was settled by one. Answers fill while they are asked for: what is in them stands by itself.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Protocol

import structlog

from asana_api.errors import AsanaError, NotAuthorized, ServerTrouble, TryLater, Unreachable
from asana_api.patience import patiently
from sources import search
from sources.contract import Asked, Findings
from sources.search import AT_ONCE
from store.asking import Person
from workers.looking import Question, is_to_be_searched_for, last_act, searched, tasks_of
from workers.together import together

log = structlog.get_logger(__name__)

WATCH_GOES_ON_FROM = timedelta(hours=1)
"""So much earlier than what was seen begins the next watch: an hour more than the search's index is ever behind."""
LONGEST_WATCH = timedelta(days=3)
"""Who was seen without a gap, but longer ago, is asked otherwise: over a longer time nearly everybody moved."""

LONGEST_WATCH_SECONDS = 25.0
"""For one question about many, from its turn on: full answers can ask for more searches than fit in a slice."""

MOST_ALONE = 3
"""So many people of a group may fail each by themselves; where more do, it is Asana that fails."""


@dataclass(slots=True)
class Answers:
    """What was found about a group of people, and how each was settled."""

    people: Sequence[Person]
    findings: list[Findings] = field(default_factory=list)
    settled: int = 0
    watched: int = 0
    at_work: int = 0
    looked_deep: int = 0

    @property
    def came_on(self) -> bool:
        """Say whether there is something that need not be asked again."""
        return self.settled > 0 or any(found.covered or found.troubles for found in self.findings)


async def ask_about(question: Question, answers: Answers, *, economical: bool) -> None:
    """Settle every one of these people, but those who have to be searched for as well: their tasks are looked at.

    Raises TryLater and NotAuthorized, which say nothing about anybody; what was found before it stands.
    """
    people = answers.people
    to_watch, to_sift, to_look = _sorted(question, people) if economical and question.has_search else ([], [], people)
    async with together() as group:
        for some in _chunks(to_watch):
            group.create_task(_watch(question, some, answers))
        for some in _chunks(to_sift):
            group.create_task(_sift(question, some, answers))
        group.create_task(_look_at_each(question, to_look, answers))


async def search_for(question: Question, answers: Answers) -> None:
    """Look deeply at these people, whose tasks were looked at; raises as `ask_about` does."""
    await _each(partial(_deep_look, question, answers), answers.people)


def _sorted(
    question: Question, people: Sequence[Person]
) -> tuple[Sequence[Person], Sequence[Person], Sequence[Person]]:
    """Part the people: who can be watched, who may turn out to be at work, and who is looked at anyway."""
    to_watch = [one for one in people if _was_seen_lately(question, one)]
    others = [one for one in people if not _was_seen_lately(question, one)]
    return to_watch, [one for one in others if one.was_asked], [one for one in others if not one.was_asked]


def _was_seen_lately(question: Question, person: Person) -> bool:
    return person.seen_until is not None and person.seen_until >= question.until - LONGEST_WATCH


def _chunks(people: Sequence[Person]) -> list[Sequence[Person]]:
    return [people[first : first + AT_ONCE] for first in range(0, len(people), AT_ONCE)]


async def _watch(question: Question, people: Sequence[Person], answers: Answers) -> None:
    """Ask who of these moved since all of them were seen; look at those who did."""
    ends = [one.seen_until for one in people if one.seen_until is not None]
    since = min(ends) - WATCH_GOES_ON_FROM
    gids = [one.user_gid for one in people]
    try:
        async with question.turns.about_many, asyncio.timeout(LONGEST_WATCH_SECONDS):
            watched = await patiently(
                lambda: search.watch(
                    question.client, question.organization_gid, gids, since=since, until=question.until
                )
            )
    except (TryLater, NotAuthorized):
        raise
    except (AsanaError, TimeoutError) as error:
        log.warning("watch_refused", people=len(people), why=str(error))
        await _look_at_each(question, people, answers)
        return
    window = (since, watched.seen_until)
    quiet = {one.user_gid: window for one in people if one.user_gid not in watched.moved}
    answers.watched += len(quiet)
    answers.settled += len(quiet)
    answers.findings.append(Findings("tasks", covered=dict(quiet)))
    answers.findings.append(Findings("search", acts=list(watched.acts), covered=dict(quiet)))
    moved = [one for one in people if one.user_gid not in quiet]
    await _look_unless_at_work(question, moved, Findings("search", acts=list(watched.acts)), answers)


async def _sift(question: Question, people: Sequence[Person], answers: Answers) -> None:
    """Ask who of these made something lately; look at the others."""
    asked = [Asked(one.user_gid, question.idle_before, one.last_act_at) for one in people]
    try:
        async with question.turns.about_many, asyncio.timeout(LONGEST_WATCH_SECONDS):
            made = await patiently(
                lambda: search.seen_making(question.client, question.organization_gid, asked, until=question.until)
            )
    except (TryLater, NotAuthorized):
        raise
    except (AsanaError, TimeoutError) as error:
        log.warning("sifting_refused", people=len(people), why=str(error))
        made = Findings("search")
    answers.findings.append(Findings("search", acts=made.acts))
    await _look_unless_at_work(question, people, made, answers)


async def _look_unless_at_work(question: Question, people: Sequence[Person], found: Findings, answers: Answers) -> None:
    idle = [one for one in people if question.may_be_idle(one, last_act(one, found))]
    answers.at_work += len(people) - len(idle)
    answers.settled += len(people) - len(idle)
    await _look_at_each(question, idle, answers)


async def _look_at_each(question: Question, people: Sequence[Person], answers: Answers) -> None:
    await _each(partial(_look_at_tasks, question, answers), people)


class _Look(Protocol):
    async def __call__(self, person: Person, *, alone: bool) -> None:
        """Look at one person, and keep in the answers what was seen."""


async def _each(look_at: _Look, people: Sequence[Person]) -> None:
    """Look at each of these. Where Asana fails for a few of them alone, it is found out whether the trouble is theirs.

    Where it fails for more, nothing is wrong with anybody, and the first failure is raised: the pull is put off.
    """
    failed: list[Person] = []

    async def look_or_note(person: Person) -> None:
        try:
            await look_at(person, alone=False)
        except (ServerTrouble, Unreachable):
            failed.append(person)
            if len(failed) > MOST_ALONE:
                raise

    async with together() as group:
        for one in people:
            group.create_task(look_or_note(one))
    async with together() as group:
        for one in failed:
            group.create_task(look_at(one, alone=True))


async def _look_at_tasks(question: Question, answers: Answers, person: Person, *, alone: bool) -> None:
    seen = await tasks_of(question, person, alone=alone)
    answers.findings.append(seen)
    answers.settled += not is_to_be_searched_for(question, person, seen)


async def _deep_look(question: Question, answers: Answers, person: Person, *, alone: bool) -> None:
    """Look deeply at one person in their turn. What takes too long then is their trouble: it would the next time, too.

    (Only a look that has the turn alone can take so long: where several have it, the slice is over before.)
    """
    async with question.turns.deep:
        try:
            async with asyncio.timeout(question.longest_look):
                found = await searched(question, person, person.last_act_at, alone=alone)
        except TimeoutError:
            why = f"the searches for this person take more than {question.longest_look:g} seconds"
            found = Findings("search", troubles={person.user_gid: why})
        answers.findings.append(found)
        answers.looked_deep += 1
        answers.settled += 1
        question.turns.came_on()
