"""The actor `pull_activity`: ask about the paid seats whose answer counts, and keep what was seen and how far.

Whom to ask is decided by `rules.economy`, at the beginning of each slice and for those whom this run has not asked yet:
the run's start is the moment that everything is measured from, so a slice, or a message that comes again, goes on where
the last commit ended. People are asked about in groups, two side by side; each group is committed while the next is
being asked about. A crash costs the questions of two groups, and nothing that was committed. One person's refusal is
that person's unknown and no one else's; many of them make the pull incomplete.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing

from messages.commands import PullActivity
from messages.events import ActivityPulled
from rules.economy import whom_to_ask
from rules.evidence import sources_of
from rules.patience import trouble_with
from store import activity, asking, endings, seats, slices
from store.asking import Person
from store.outbox import say
from workers.asking import Answers, Question, ask_about
from workers.keeping_activity import keep_findings
from workers.slicing import RunRefused, Slice, in_slice
from workers.station import Asana, Station
from workers.stream import pull_stream

ASKED_AT_ONCE = 50
"""People in a group, committed together."""
GROUPS_AT_ONCE = 2
"""The one that is to be committed next, and those ahead of it: so that no permit goes unused during a commit."""
COUNTED = ("people", "due", "asked", "watched", "at_work", "looked_deep", "acts_seen", "unknown")


async def pull_activity(station: Station, command: PullActivity) -> None:
    """Ask about everybody who is due; a slice's worth at a time."""
    await in_slice(station, command, _pull)


async def _pull(piece: Slice) -> None:
    asana = await piece.station.asana(piece.run.profile)
    with_service = asana.opened.service is not None
    if "audit_log" in sources_of(asana.plan, with_service_account=with_service) and not await pull_stream(piece, asana):
        await _hand_on(piece)
        return
    counts = dict.fromkeys(COUNTED, 0) | piece.run.counts
    cursor: dict[str, object] = {"first_trouble": ""} | piece.run.cursor
    question = await _question(piece, asana)
    due = await _whom_to_ask(piece, asana, question, counts)
    came_on = False
    async with aclosing(_answers(piece, asana, question, due)) as groups:
        async for answers in groups:
            await _keep(piece, answers, cursor, counts)
            _only_while_believable(counts, str(cursor["first_trouble"]))
            came_on = True
    if came_on and piece.is_over():  # perhaps not everybody: a slice in which nobody is left to ask about ends the run
        await _hand_on(piece)
        return
    await _finish(piece, counts)


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


async def _whom_to_ask(piece: Slice, asana: Asana, question: Question, counts: dict[str, int]) -> list[int]:
    """Return the subscriptions that this run has still to ask about, and count them with those that it has asked."""
    profile_id, started = piece.run.profile_id, question.until
    async with piece.station.pool.connection() as connection:
        counts["people"] = await asking.count_paid_seats(connection, profile_id)
        standings = await asking.standings(connection, profile_id, pull_started_at=started)
    everybody = asana.sweep == "full"
    due = whom_to_ask(standings, question.threshold, pull_started_at=started, everybody=everybody)
    counts["due"] = counts["asked"] + len(due)
    return due


async def _answers(piece: Slice, asana: Asana, question: Question, due: list[int]) -> AsyncGenerator[Answers, None]:
    """Yield group after group in the order given, until everybody was asked about or the slice is over.

    The groups ahead are asked about meanwhile. A failure is raised when its group's turn comes, so that what was asked
    before it is kept; then, or when the caller stops, nobody is asked about any more.
    """
    groups = deque(due[first : first + ASKED_AT_ONCE] for first in range(0, len(due), ASKED_AT_ONCE))
    under_way: deque[asyncio.Task[Answers]] = deque()
    is_first = True  # however short the slice, it comes on
    try:
        while True:
            while groups and len(under_way) < GROUPS_AT_ONCE and (is_first or not piece.is_over()):
                is_first = False
                people = await _people(piece, question, groups.popleft())
                under_way.append(asyncio.create_task(_ask_all(asana, question, people)))
            if not under_way:
                return
            yield await under_way.popleft()
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def _people(piece: Slice, question: Question, ids: list[int]) -> list[Person]:
    async with piece.station.pool.connection() as connection:
        return await asking.people(
            connection, piece.run.profile_id, ids, threshold=question.threshold, now=question.until
        )


async def _ask_all(asana: Asana, question: Question, people: list[Person]) -> Answers:
    return await ask_about(question, people, economical=asana.sweep == "economical")


async def _keep(piece: Slice, answers: Answers, cursor: dict[str, object], counts: dict[str, int]) -> None:
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
    counts["asked"] += len(answers.people)
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
