"""The actor `download_subscriptions`: list everybody, compare with what is known, and say the difference.

Two listings (memberships and users) are read side by side, some pages at a time; each round of pages and the place
where it stopped are committed together, so that a worker that dies costs one round. A listing whose place has expired
is begun anew, once; two listings are never spliced. Only a complete listing is compared.
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Generic, TypeVar

from asana_api.answers import Membership, Page
from asana_api.errors import BadAnswer, NeedsOperator, NotAuthorized, NotThere, RestartListing
from asana_api.patience import patiently
from messages.commands import DownloadSubscriptions
from messages.events import SubscriptionsDownloaded
from rules.completeness import Listing, trouble_with
from store import endings, listings, slices
from store.connect import Connection
from store.listings import ListedMembership, ListedUser
from store.outbox import say
from workers.slicing import RunRefused, Slice, in_slice
from workers.station import Asana, Station
from workers.together import together

ROUND = 10
"""Pages of each listing between two commits."""
MOST_PAGES = 20_000
CONFIRMED_AT_ONCE = 20

T = TypeVar("T")


@dataclass
class Place:
    """How far one listing came; kept in the run's cursor."""

    offset: str | None = None
    pages: int = 0
    rows: int = 0
    done: bool = False
    restarts: int = 0


@dataclass
class _Progress:
    memberships: Place = field(default_factory=Place)
    users: Place = field(default_factory=Place)

    @classmethod
    def of(cls, cursor: dict[str, object]) -> "_Progress":
        places = {name: Place(**value) for name, value in cursor.items() if isinstance(value, dict)}
        return cls(**places)

    def counts(self) -> dict[str, int]:
        return {"memberships": self.memberships.rows, "users": self.users.rows}


async def download_subscriptions(station: Station, command: DownloadSubscriptions) -> None:
    """List and compare; a slice's worth at a time."""
    await in_slice(station, command, _download)


async def _download(piece: Slice) -> None:
    asana = await piece.station.asana(piece.run.profile)
    progress = _Progress.of(piece.run.cursor)
    seen: dict[str, set[str]] = {"memberships": set(), "users": set()}
    while not (progress.memberships.done and progress.users.done):
        await _round(piece, asana, progress, seen)
        if piece.is_over():
            await _hand_on(piece)
            return
    if await _confirm_the_missing(piece, asana, progress):
        await _compare(piece, progress)
    else:
        await _hand_on(piece)


async def _hand_on(piece: Slice) -> None:
    async with piece.station.transaction() as connection:
        await slices.hand_on(connection, piece.run, piece.next_command(), piece.now())


async def _round(piece: Slice, asana: Asana, progress: _Progress, seen: dict[str, set[str]]) -> None:
    """Read some pages of both listings side by side, and commit them with the places where they stopped."""
    client, organization = asana.client, asana.organization_gid
    async with together() as group:
        asking_memberships = group.create_task(
            _some_pages(
                lambda offset: client.membership_page(organization, offset), progress.memberships, seen["memberships"]
            )
        )
        asking_users = group.create_task(
            _some_pages(lambda offset: client.user_page(organization, offset), progress.users, seen["users"])
        )
    memberships, users = asking_memberships.result(), asking_users.result()
    async with piece.station.transaction() as connection:
        if memberships.restarted:
            await listings.forget(connection, piece.run, "memberships")
            seen["memberships"].clear()
        if users.restarted:
            await listings.forget(connection, piece.run, "users")
            seen["users"].clear()
        await listings.stage_memberships(connection, piece.run, map(_listed, memberships.items))
        await listings.stage_users(connection, piece.run, (ListedUser(u.gid, u.name, u.email) for u in users.items))
        await piece.checkpoint(connection, asdict(progress), progress.counts())


@dataclass
class _Pages(Generic[T]):
    items: list[T] = field(default_factory=list)
    restarted: bool = False


async def _some_pages(fetch: Callable[[str | None], Awaitable[Page[T]]], place: Place, seen: set[str]) -> _Pages[T]:
    """Read up to ROUND pages from `place` on, moving it; an expired place begins the listing anew, once."""
    pages: _Pages[T] = _Pages()
    for _ in range(ROUND):
        if place.done:
            break
        offset = place.offset
        try:
            page = await patiently(lambda offset=offset: fetch(offset))  # type: ignore[misc] # the offset of this turn
        except RestartListing:
            if place.restarts:
                raise
            place.offset, place.pages, place.rows, place.restarts = None, 0, 0, 1
            return _Pages(restarted=True)
        if page.next_offset in seen or place.pages >= MOST_PAGES:
            raise BadAnswer("the listing goes round in a circle, or has no end")
        if page.next_offset is not None:
            seen.add(page.next_offset)
        pages.items.extend(page.items)
        place.offset, place.done = page.next_offset, page.next_offset is None
        place.pages, place.rows = place.pages + 1, place.rows + len(page.items)
    return pages


def _listed(membership: Membership) -> ListedMembership:
    return ListedMembership(
        membership.user_gid,
        membership.gid,
        membership.is_active,
        membership.is_admin,
        membership.is_guest,
        membership.is_view_only,
        membership.created_at,
    )


async def _believable(connection: Connection, piece: Slice, progress: _Progress) -> None:
    """Raise RunRefused unless the listing is complete."""
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
    )
    if (trouble := trouble_with(listing)) is not None:
        raise RunRefused(trouble)


async def _confirm_the_missing(piece: Slice, asana: Asana, progress: _Progress) -> bool:
    """Ask for each known person whom the listing does not show; False if the slice's time was used up before the end.

    Pages are no snapshot: a person can slip between two of them.
    """
    async with piece.station.pool.connection() as connection:
        await _believable(connection, piece, progress)
    while True:
        async with piece.station.pool.connection() as connection:
            gids = await listings.to_confirm(connection, piece.run, CONFIRMED_AT_ONCE)
        if not gids:
            return True
        async with together() as group:
            asking = [group.create_task(_ask_for(asana, gid)) for gid in gids]
        answers = [task.result() for task in asking]
        async with piece.station.transaction() as connection:
            await piece.checkpoint(connection, asdict(progress), progress.counts())
            await _stage_answers(connection, piece, dict(zip(gids, answers, strict=True)))
        if piece.is_over():
            return False


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
    present = [_listed(answer) for answer in answers.values() if isinstance(answer, Membership)]
    await listings.stage_memberships(connection, piece.run, present, confirmed=True)
    for proven in (True, False):
        gids = [gid for gid, answer in answers.items() if answer is proven]
        await listings.stage_absences(connection, piece.run, gids, proven=proven)


async def _compare(piece: Slice, progress: _Progress) -> None:
    """Make the listing the truth, and end the run."""
    run, now = piece.run, piece.now()
    async with piece.station.transaction() as connection:
        await _believable(connection, piece, progress)
        counts = {**progress.counts(), **await listings.merge(connection, run, now)}
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
