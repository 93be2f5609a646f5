"""The actor `pull_activity`: ask about the paid seats whose answer counts, and keep what was seen and how far.

Two steps, each for as long as the slice lasts: first the cheap questions and the tasks of everybody who is due, then,
on a plan with search, the deep looks at those whom the tasks leave idle. Searches are few, so a first pull of many
people takes many slices. Whom to ask is decided by `rules.economy`, at the beginning of each slice and for those whom
this run has not asked yet; who is to be searched for, by what the tables hold of this run: the run's start is the
moment that everything is measured from, so a slice, or a message that comes again, goes on where the last commit ended.
What is asked side by side is in `workers.in_time`. One person's refusal is that person's unknown and no one else's;
many of them make the pull incomplete.
"""

import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Self

from messages.commands import PullActivity
from messages.events import ActivityPulled
from rules.economy import whom_to_ask, whom_to_search_for
from rules.evidence import sources_of
from rules.patience import trouble_with
from store import activity, asking, endings, seats, slices
from store.asking import Person
from store.outbox import say
from workers.asking import Answers, ask_about, search_for
from workers.in_time import in_time
from workers.keeping_activity import keep_findings
from workers.looking import Question
from workers.slicing import RunRefused, Slice, in_slice
from workers.station import Asana, Station
from workers.stream import pull_stream

ASKED_AT_ONCE = 50
"""People in a group, committed together."""
SEARCHED_AT_ONCE = 4
"""People in a group of deep looks; one more than may fail before it is Asana that fails."""
GROUPS_AT_ONCE = 2
"""The one that is to be committed next, and those ahead of it: so that no permit goes unused during a commit."""
LONG_BEFORE = 10.0
"""Seconds: after so long with the audit log, a slice that is over begins with nobody."""
COUNTED = ("people", "due", "asked", "watched", "at_work", "to_look_deep", "looked_deep", "acts_seen", "unknown")


async def pull_activity(station: Station, command: PullActivity) -> None:
    """Ask about everybody who is due; a slice's worth at a time."""
    await in_slice(station, command, _pull)


async def _pull(piece: Slice) -> None:
    began = time.monotonic()
    asana = await piece.station.asana(piece.run.profile)
    with_service = asana.opened.service is not None
    if "audit_log" in sources_of(asana.plan, with_service_account=with_service) and not await pull_stream(piece, asana):
        await _hand_on(piece)
        return
    if piece.is_over() and time.monotonic() - began > LONG_BEFORE:
        await _hand_on(piece)
        return
    asked = _Asked.of(piece, asana, await _question(piece, asana))
    for step in (_ask, _search):
        if await step(asked) and piece.is_over():  # perhaps not everybody: a slice that finds nobody left ends the run
            await _hand_on(piece)
            return
    await _finish(piece, asked.counts)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one slice asks with, and what the run has counted so far."""

    piece: Slice
    asana: Asana
    question: Question
    cursor: dict[str, object]
    counts: dict[str, int]

    @classmethod
    def of(cls, piece: Slice, asana: Asana, question: Question) -> Self:
        counts = dict.fromkeys(COUNTED, 0) | piece.run.counts
        return cls(piece, asana, question, {"first_trouble": ""} | piece.run.cursor, counts)


async def _ask(asked: _Asked) -> bool:
    """Ask the cheap questions and for tasks; say whether that came on."""
    economical = asked.asana.sweep == "economical"
    ask = partial(ask_about, asked.question, economical=economical)
    return await _keep_all(asked, await _whom_to_ask(asked), ASKED_AT_ONCE, ask)


async def _search(asked: _Asked) -> bool:
    """Look deeply at those whom the tasks left idle; say whether that came on."""
    if not asked.question.has_search:
        return False
    return await _keep_all(
        asked, await _whom_to_search_for(asked), SEARCHED_AT_ONCE, partial(search_for, asked.question)
    )


async def _keep_all(asked: _Asked, ids: list[int], at_once: int, ask: Callable[[Answers], Awaitable[None]]) -> bool:
    groups = [ids[first : first + at_once] for first in range(0, len(ids), at_once)]
    people = partial(_people, asked.piece, asked.question)
    came_on = False
    async with aclosing(in_time(asked.piece, groups, people, ask, at_once=GROUPS_AT_ONCE)) as all_answers:
        async for answers in all_answers:
            await _keep(asked, answers)
            _only_while_believable(asked.counts, str(asked.cursor["first_trouble"]))
            came_on = True
    return came_on


async def _hand_on(piece: Slice) -> None:
    async with piece.station.transaction() as connection:
        await slices.hand_on(connection, piece.run, piece.next_command(), piece.now())


async def _question(piece: Slice, asana: Asana) -> Question:
    assert piece.run.started_at is not None
    async with piece.station.pool.connection() as connection:
        rule = await seats.rule_of(connection, piece.run.profile_id)
    if rule is None:
        raise RunRefused("no reclamation rule")
    return Question(asana.reader, asana.organization_gid, asana.plan, rule.threshold, piece.run.started_at)


async def _whom_to_ask(asked: _Asked) -> list[int]:
    """Return the subscriptions that this run has still to ask about, and count them with those that it has asked."""
    profile_id, question, counts = asked.piece.run.profile_id, asked.question, asked.counts
    started, threshold = question.until, question.threshold
    async with asked.piece.station.pool.connection() as connection:
        counts["people"] = await asking.count_paid_seats(connection, profile_id)
        standings = await asking.standings(connection, profile_id, pull_started_at=started)
    due = whom_to_ask(standings, threshold, pull_started_at=started, everybody=asked.asana.sweep == "full")
    counts["due"] = counts["asked"] + len(due) + len(await _whom_to_search_for(asked))
    return due


async def _whom_to_search_for(asked: _Asked) -> list[int]:
    """Return the subscriptions that this run has asked the tasks about, and whom they leave idle."""
    question = asked.question
    if not question.has_search:
        return []
    async with asked.piece.station.pool.connection() as connection:
        standings = await asking.asked_by_tasks_only(
            connection, asked.piece.run.profile_id, pull_started_at=question.until
        )
    left = whom_to_search_for(standings, question.threshold, pull_started_at=question.until)
    asked.counts["to_look_deep"] = asked.counts["looked_deep"] + len(left)
    return left


async def _people(piece: Slice, question: Question, ids: list[int]) -> list[Person]:
    async with piece.station.pool.connection() as connection:
        return await asking.people(
            connection, piece.run.profile_id, ids, threshold=question.threshold, now=question.until
        )


async def _keep(asked: _Asked, answers: Answers) -> None:
    piece, counts, cursor = asked.piece, asked.counts, asked.cursor
    run, now = piece.run, piece.now()
    assert run.started_at is not None
    troubles = {gid: why for found in answers.findings for gid, why in found.troubles.items()}
    _count(answers, len(troubles), counts)
    if troubles and not cursor["first_trouble"]:
        cursor["first_trouble"] = next(iter(troubles.values()))
    asked_at = max(now, run.started_at)
    async with piece.station.transaction() as connection:
        await piece.checkpoint(connection, cursor, counts)
        lost = await keep_findings(
            connection, run.profile_id, answers.people, answers.findings, asked_at=asked_at, now=now
        )
        await activity.say_lost(connection, run, lost, now)


def _count(answers: Answers, unknown: int, counts: dict[str, int]) -> None:
    counts["asked"] += answers.settled
    counts["watched"] += answers.watched
    counts["at_work"] += answers.at_work
    counts["looked_deep"] += answers.looked_deep
    counts["acts_seen"] += len({act.user_gid for found in answers.findings for act in found.acts})
    counts["unknown"] += unknown


def _only_while_believable(counts: dict[str, int], first: str) -> None:
    """Stop early where most of the people would not be known anyway."""
    trouble = trouble_with(asked=counts["due"], unknown=counts["unknown"], first=first)
    if trouble is not None:
        raise RunRefused(trouble)


async def _finish(piece: Slice, counts: dict[str, int]) -> None:
    run, now = piece.run, piece.now()
    assert run.started_at is not None
    event = ActivityPulled(profile=run.profile, run_id=run.id, as_of=run.started_at, counts=counts)
    async with piece.station.transaction() as connection:
        await say(
            connection,
            event,
            subject=f"profile/{run.profile}",
            profile_id=run.profile_id,
            correlation_id=run.correlation_id,
            now=now,
        )
        await endings.finish(connection, run, counts=counts, now=now)
