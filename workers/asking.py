"""Asking the task sources about people: the whole look at one person, and the cheap questions about many before it.

On a plan with search, an economical pull asks in three steps, each for those whom the one before did not settle:

    watch        many at once, of those who were seen without a gap: whoever did not move is covered up to now
    seen making  many at once, of the others: whoever made something lately is at work, and settled by that act alone
    look         one by one: the tasks assigned to them, and only who would then be called idle, the search's deep look

Without search everybody is looked at. A refusal of a cheap question settles nobody; what it would have spared is asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from asana_api.client import AsanaClient
from asana_api.errors import AsanaError, NotAuthorized, ServerTrouble, TryLater, Unreachable
from asana_api.patience import patiently
from rules.economy import SLACK, latest, may_be_idle
from rules.evidence import AsanaPlan, Source, task_sources
from sources import search, tasks
from sources.contract import Asked, Findings
from sources.isolating import look_alone
from store.asking import Person
from workers.together import together

log = structlog.get_logger(__name__)

AT_A_TIME = 25
"""People in one question about many: their gids go into an address."""
WATCH_GOES_ON_FROM = timedelta(hours=1)
"""So much earlier than what was seen begins the next watch: an hour more than the search's index is ever behind."""
LONGEST_WATCH = timedelta(days=3)
"""Who was seen without a gap, but longer ago, is asked otherwise: over a longer time nearly everybody moved."""

MOST_ALONE = 3
"""So many people of a group may fail each by themselves; where more do, it is Asana that fails."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about everybody alike: with which client, for which rule, and up to when."""

    client: AsanaClient
    organization_gid: str
    plan: AsanaPlan
    threshold: timedelta
    until: datetime
    """The pull's start: nothing later is claimed."""

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


@dataclass(slots=True)
class Answers:
    """What was found about a group of people, and how each was settled."""

    people: Sequence[Person]
    findings: list[Findings] = field(default_factory=list)
    watched: int = 0
    at_work: int = 0
    looked_deep: int = 0


async def ask_about(question: Question, people: Sequence[Person], *, economical: bool) -> Answers:
    """Settle every one of these people. Raises TryLater and NotAuthorized, which say nothing about anybody."""
    answers = Answers(people)
    to_watch, to_sift, to_look = _sorted(question, people) if economical and question.has_search else ([], [], people)
    async with together() as group:
        for some in _chunks(to_watch):
            group.create_task(_watch(question, some, answers))
        for some in _chunks(to_sift):
            group.create_task(_sift(question, some, answers))
        group.create_task(_look_at_each(question, to_look, answers))
    return answers


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
    return [people[first : first + AT_A_TIME] for first in range(0, len(people), AT_A_TIME)]


async def _watch(question: Question, people: Sequence[Person], answers: Answers) -> None:
    """Ask who of these moved since all of them were seen; look at those who did."""
    ends = [one.seen_until for one in people if one.seen_until is not None]
    since = min(ends) - WATCH_GOES_ON_FROM
    gids = [one.user_gid for one in people]
    try:
        watched = await patiently(
            lambda: search.watch(question.client, question.organization_gid, gids, since=since, until=question.until)
        )
    except (TryLater, NotAuthorized):
        raise
    except AsanaError as error:
        log.warning("watch_refused", people=len(people), why=str(error))
        await _look_at_each(question, people, answers)
        return
    window = (since, watched.seen_until)
    quiet = {one.user_gid: window for one in people if one.user_gid not in watched.moved}
    answers.watched += len(quiet)
    answers.findings.append(Findings("tasks", covered=dict(quiet)))
    answers.findings.append(Findings("search", acts=list(watched.acts), covered=dict(quiet)))
    moved = [one for one in people if one.user_gid not in quiet]
    await _look_unless_at_work(question, moved, Findings("search", acts=list(watched.acts)), answers)


async def _sift(question: Question, people: Sequence[Person], answers: Answers) -> None:
    """Ask who of these made something lately; look at the others."""
    asked = [Asked(one.user_gid, question.idle_before, one.last_act_at) for one in people]
    try:
        made = await patiently(
            lambda: search.seen_making(question.client, question.organization_gid, asked, until=question.until)
        )
    except (TryLater, NotAuthorized):
        raise
    except AsanaError as error:
        log.warning("sifting_refused", people=len(people), why=str(error))
        made = Findings("search")
    answers.findings.append(Findings("search", acts=made.acts))
    await _look_unless_at_work(question, people, made, answers)


async def _look_unless_at_work(question: Question, people: Sequence[Person], found: Findings, answers: Answers) -> None:
    idle = [one for one in people if question.may_be_idle(one, _last_act(one, found))]
    answers.at_work += len(people) - len(idle)
    await _look_at_each(question, idle, answers)


async def _look_at_each(question: Question, people: Sequence[Person], answers: Answers) -> None:
    """Look at each of these. Where Asana fails for a few of them alone, it is found out whether the trouble is theirs.

    Where it fails for more, nothing is wrong with anybody, and the first failure is raised: the pull is put off.
    """
    failed: list[Person] = []
    async with together() as group:
        looking = [group.create_task(_look_or_note(question, one, failed)) for one in people]
    async with together() as group:
        looking += [group.create_task(look(question, one, alone=True)) for one in failed]
    for one in looking:
        findings = one.result()
        answers.findings += findings
        answers.looked_deep += any(found.source == "search" for found in findings)


async def _look_or_note(question: Question, person: Person, failed: list[Person]) -> list[Findings]:
    try:
        return await look(question, person)
    except (ServerTrouble, Unreachable):
        failed.append(person)
        if len(failed) > MOST_ALONE:
            raise
        return []


async def look(question: Question, person: Person, *, alone: bool = False) -> list[Findings]:
    """Look at one person: their tasks, and where that leaves them idle, the search's deep look.

    Raises TryLater and NotAuthorized; with `alone`, a failure that befalls this person only is their trouble.
    """
    asked = Asked(person.user_gid, person.tasks_since, person.last_act_at)
    seen = await _answer(question, person, "tasks", asked, alone=alone)
    acted_at = _last_act(person, seen)
    is_known = person.user_gid in seen.covered
    if not question.has_search or not is_known or not question.may_be_idle(person, acted_at):
        return [seen]
    asked = Asked(person.user_gid, person.search_since, acted_at)
    return [seen, await _answer(question, person, "search", asked, alone=alone)]


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


def _last_act(person: Person, found: Findings) -> datetime | None:
    own = [act.at for act in found.acts if act.user_gid == person.user_gid]
    return max((at for at in (person.last_act_at, *own) if at is not None), default=None)
