"""The actor `download_subscriptions`: list everybody, compare with what is known, and say the difference.

Two listings (memberships and users) are read side by side and never pause for the database: some pages of both and the
places where they stand are committed together while the next ones are read. A worker that dies costs what was read
ahead, at most `ROUNDS_AHEAD` rounds. A listing whose place has expired is begun anew, once; two listings are never
spliced. Only a complete listing is compared.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict

from asana_api.answers import Membership, User
from asana_api.errors import BadAnswer, NeedsOperator, NotAuthorized, NotThere, TryLater
from asana_api.patience import patiently
from messages.commands import DownloadSubscriptions
from messages.events import SubscriptionsDownloaded
from rules.completeness import Listing, most_unconfirmed, trouble_with
from store import endings, listings, slices
from store.connect import Connection
from store.listings import Comparison
from store.outbox import say
from store.runs import Run
from workers.keeping import Keeping, Progress, listed
from workers.listing import Reader
from workers.slicing import RunRefused, Slice, in_slice
from workers.station import Asana, Station
from workers.together import together

ROUND = 10
"""Pages of one listing that are enough for a commit."""
ROUNDS_AHEAD = 2
"""Rounds of each listing that may have been read, or be under way, and are not committed."""
CONFIRMED_AT_ONCE = 20
ASKED_FOR = 1000
"""People of whom a list is kept in memory while they are asked for."""


async def download_subscriptions(station: Station, command: DownloadSubscriptions) -> None:
    """List and compare; a slice's worth at a time."""
    await in_slice(station, command, _download)


async def _download(piece: Slice) -> None:
    asana = await piece.station.asana(piece.run.profile)
    progress = Progress.of(piece.run.cursor)
    if not progress.done:
        await _list(piece, asana, progress)
    if not progress.done or not await _compare(piece, asana, progress):
        await _hand_on(piece)


async def _hand_on(piece: Slice) -> None:
    async with piece.station.transaction() as connection:
        await slices.hand_on(connection, piece.run, piece.next_command(), piece.now())


async def _list(piece: Slice, asana: Asana, progress: Progress) -> None:
    """Read both listings to their end, or until the slice's time is up, and commit everything that was read."""
    client, organization, news = asana.client, asana.organization_gid, asyncio.Event()
    memberships: Reader[Membership] = Reader(
        lambda offset: client.membership_page(organization, offset),
        progress.memberships,
        news=news,
        ahead=ROUND * ROUNDS_AHEAD,
        is_over=piece.is_over,
    )
    users: Reader[User] = Reader(
        lambda offset: client.user_page(organization, offset),
        progress.users,
        news=news,
        ahead=ROUND * ROUNDS_AHEAD,
        is_over=piece.is_over,
    )
    keeping = Keeping(piece, progress, memberships, users)
    try:
        async with together() as group:
            group.create_task(memberships.read())
            group.create_task(users.read())
            while await _enough(memberships, users, news):
                await keeping.commit()
    except TryLater:
        await keeping.commit_the_rest()
        raise


async def _enough(memberships: Reader[Membership], users: Reader[User], news: asyncio.Event) -> bool:
    """Wait until one listing has a round, or both have ended; False if there is nothing left to commit."""
    while not (memberships.ended and users.ended):
        if max(memberships.waiting, users.waiting) >= ROUND:
            return True
        news.clear()
        await news.wait()
    return memberships.waiting + users.waiting > 0


async def _compare(piece: Slice, asana: Asana, progress: Progress) -> bool:
    """Compare a complete listing with what is known and end the run; False if the slice's time was used up before.

    Pages are no snapshot: a person can slip between two of them. So each known person whom the listing does not show
    is asked for first. So is each new one whom the listing of users does not have: a page may be of other people.
    """
    open_questions = await _merged(piece, progress, only_if_all_are_there=True)
    if open_questions is None:
        return True
    if not await _confirm_the_missing(piece, asana, progress):
        return False
    if not await _confirm_the_strangers(piece, asana, progress, open_questions):
        return False
    return await _merged(piece, progress) is None


async def _believable(connection: Connection, piece: Slice, progress: Progress) -> Comparison:
    """Compare; raise RunRefused unless the listing is complete."""
    found = await listings.compare(connection, piece.run)
    listing = Listing(
        memberships_written=progress.memberships.rows,
        memberships_staged=found.memberships,
        users_written=progress.users.rows,
        users_staged=found.users,
        contradictions=found.contradictions,
        seats=found.seats,
        known=found.known,
        missing=found.missing,
        unconfirmed=found.unconfirmed,
    )
    if (trouble := trouble_with(listing)) is not None:
        raise RunRefused(trouble)
    return found


async def _confirm_the_missing(piece: Slice, asana: Asana, progress: Progress) -> bool:
    """Ask for each known person whom the listing does not show; False if the slice's time was used up before the end.

    They come a thousand at a time, are asked for some at once, and each such group's answers are committed.
    """
    while gids := await _to_ask_for(piece, listings.to_confirm):
        for group in _groups(gids):
            await _confirm(piece, asana, progress, group)
            if piece.is_over():
                return False
    return True


async def _confirm_the_strangers(piece: Slice, asana: Asana, progress: Progress, found: Comparison) -> bool:
    """Ask for each new person who is not among the users, in the same way; not further than makes the run fail."""
    unconfirmed, most = found.unconfirmed, most_unconfirmed(found.seats)
    while gids := await _to_ask_for(piece, listings.strangers):
        for group in _groups(gids):
            unconfirmed += len(group) - await _confirm(piece, asana, progress, group)
            if unconfirmed > most:
                return True
            if piece.is_over():
                return False
    return True


async def _to_ask_for(piece: Slice, whom: Callable[[Connection, Run, int], Awaitable[list[str]]]) -> list[str]:
    async with piece.station.transaction() as connection:
        return await whom(connection, piece.run, ASKED_FOR)


def _groups(gids: list[str]) -> Iterator[list[str]]:
    for first in range(0, len(gids), CONFIRMED_AT_ONCE):
        yield gids[first : first + CONFIRMED_AT_ONCE]


async def _confirm(piece: Slice, asana: Asana, progress: Progress, gids: list[str]) -> int:
    """Ask for these people at once, and commit the answers; return how many have a seat."""
    async with together() as group:
        asking = [group.create_task(_ask_for(asana, gid)) for gid in gids]
    answers = [task.result() for task in asking]
    async with piece.station.transaction() as connection:
        await piece.checkpoint(connection, asdict(progress), progress.counts())
        await _stage_answers(connection, piece, dict(zip(gids, answers, strict=True)))
    return sum(isinstance(answer, Membership) for answer in answers)


async def _ask_for(asana: Asana, user_gid: str) -> Membership | bool:
    """Return the person's membership; True if it is proven that there is none, False if Asana would not say."""
    client = asana.client
    try:
        membership = await patiently(lambda: client.membership_of(asana.organization_gid, user_gid))
    except NotAuthorized:
        raise
    except (NeedsOperator, NotThere, BadAnswer):
        return False
    return membership if membership is not None and membership.is_active else True


async def _stage_answers(connection: Connection, piece: Slice, answers: dict[str, Membership | bool]) -> None:
    present = [listed(answer) for answer in answers.values() if isinstance(answer, Membership)]
    await listings.stage_memberships(connection, piece.run, present, confirmed=True)
    for proven in (True, False):
        gids = [gid for gid, answer in answers.items() if answer is proven]
        await listings.stage_absences(connection, piece.run, gids, proven=proven)


async def _merged(piece: Slice, progress: Progress, *, only_if_all_are_there: bool = False) -> Comparison | None:
    """Make the listing the truth, and end the run: None. If somebody has to be asked for first, nothing is changed."""
    run, now = piece.run, piece.now()
    async with piece.station.transaction() as connection:
        found = await _believable(connection, piece, progress)
        if found.unasked or (found.missing and only_if_all_are_there):
            return found
        counts = {**progress.counts(), **await listings.merge(connection, run, now)}
        counts |= {"unconfirmed": found.unconfirmed} if found.unconfirmed else {}
        assert run.started_at is not None
        event = SubscriptionsDownloaded(profile=run.profile, run_id=run.id, as_of=run.started_at, counts=counts)
        await say(
            connection,
            event,
            subject=f"profile/{run.profile}",
            profile_id=run.profile_id,
            correlation_id=run.correlation_id,
            now=now,
        )
        await endings.finish(connection, run, counts=counts, now=now)
    return None
