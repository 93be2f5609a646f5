"""The actor `pull_activity`: ask the source "tasks" about each paid seat, and keep what was seen and how far.

People are asked about side by side, in groups; each group is committed with the place where it ends, while the next is
being asked about. A crash costs the questions of two groups, and nothing that was committed. One person's refusal is
that person's unknown and no one else's; many of them make the pull incomplete.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing

from asana_api.activity import Act, last_act_from_tasks
from asana_api.errors import AsanaError, NotAuthorized, TryLater
from asana_api.patience import patiently
from messages.commands import PullActivity
from messages.events import ActivityPulled
from rules.patience import trouble_with
from store import activity, endings, slices
from store.activity import Asked, Seen
from store.outbox import say
from workers.slicing import RunRefused, Slice, in_slice
from workers.station import Asana, Station
from workers.together import together

ASKED_AT_ONCE = 50
"""People in a group, committed together."""
GROUPS_AT_ONCE = 2
"""The one that is to be committed next, and those ahead of it: so that no permit goes unused during a commit."""


async def pull_activity(station: Station, command: PullActivity) -> None:
    """Ask about everybody; a slice's worth at a time."""
    await in_slice(station, command, _pull)


async def _pull(piece: Slice) -> None:
    asana = await piece.station.asana(piece.run.profile)
    counts = {"people": 0, "asked": 0, "acts_seen": 0, "unknown": 0} | piece.run.counts
    cursor: dict[str, object] = {"after": 0, "first_trouble": ""} | piece.run.cursor
    async with piece.station.pool.connection() as connection:
        counts["people"] = await activity.count_paid_seats(connection, piece.run.profile_id)
    came_on = False
    async with aclosing(_answers(piece, asana, cursor["after"])) as groups:
        async for answers in groups:
            await _keep(piece, answers, cursor, counts)
            _only_while_believable(counts, str(cursor["first_trouble"]))
            came_on = True
    if came_on and piece.is_over():  # perhaps not everybody: a slice in which nobody is left to ask about ends the run
        async with piece.station.transaction() as connection:
            await slices.hand_on(connection, piece.run, piece.next_command(), piece.now())
        return
    await _finish(piece, counts)


async def _answers(piece: Slice, asana: Asana, after: object) -> AsyncGenerator[list[Seen], None]:
    """Yield group after group in the order of the people, until everybody was asked about or the slice is over.

    The groups ahead are asked about meanwhile. A failure is raised when its group's turn comes, so that what was asked
    before it is kept; then, or when the caller stops, nobody is asked about any more.
    """
    assert isinstance(after, int)
    asking: deque[asyncio.Task[list[Seen]]] = deque()
    is_first = True  # however short the slice, it comes on
    try:
        while True:
            while len(asking) < GROUPS_AT_ONCE and (is_first or not piece.is_over()):
                is_first = False
                people = await _next_people(piece, after)
                if not people:
                    break
                after = people[-1].subscription_id
                asking.append(asyncio.create_task(_ask_all(asana, people)))
            if not asking:
                return
            yield await asking.popleft()
    finally:
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)


async def _ask_all(asana: Asana, people: list[Asked]) -> list[Seen]:
    async with together() as group:
        asking = [group.create_task(ask(asana, person)) for person in people]
    return [task.result() for task in asking]


async def _next_people(piece: Slice, after: int) -> list[Asked]:
    async with piece.station.pool.connection() as connection:
        return await activity.next_to_ask(connection, piece.run.profile_id, after=after, limit=ASKED_AT_ONCE)


async def ask(asana: Asana, person: Asked) -> Seen:
    """Return the person's latest act since the window's begin, or why it is not known. Raises TryLater."""
    known = Act(person.last_act_at, "story", "0") if person.last_act_at is not None else None
    try:
        best = await patiently(
            lambda: last_act_from_tasks(asana.client, asana.organization_gid, person.user_gid, person.since, known)
        )
    except (TryLater, NotAuthorized):
        raise
    except AsanaError as error:
        return Seen(person, trouble=str(error))
    if best is None or best is known:
        return Seen(person)
    proof = f"task/{best.task_gid}" + (f"/story/{best.story_gid}" if best.story_gid else "")
    return Seen(person, act=best.subtype or best.kind, acted_at=best.at, proof=proof)


async def _keep(piece: Slice, answers: list[Seen], cursor: dict[str, object], counts: dict[str, int]) -> None:
    unknown = [answer for answer in answers if answer.trouble is not None]
    counts["asked"] += len(answers)
    counts["acts_seen"] += sum(answer.act is not None for answer in answers)
    counts["unknown"] += len(unknown)
    cursor["after"] = answers[-1].asked.subscription_id
    if unknown and not cursor["first_trouble"]:
        cursor["first_trouble"] = unknown[0].trouble
    run, now = piece.run, piece.now()
    assert run.started_at is not None
    async with piece.station.transaction() as connection:
        await piece.checkpoint(connection, cursor, counts)
        await activity.record(connection, run.profile_id, answers, until=run.started_at, now=now)
        await activity.say_lost(connection, run, unknown, now)


def _only_while_believable(counts: dict[str, int], first: str) -> None:
    """Stop early where most of the people would not be known anyway."""
    trouble = trouble_with(asked=counts["people"], unknown=counts["unknown"], first=first)
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
