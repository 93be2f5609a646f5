"""Commits what the two readers of a download have read, with the places where they stand.

Everything is committed in the order in which it was read, without a gap: a place says that all before it is there. So
what was taken and perhaps not committed ends this keeping, and the next slice begins at the place that the row has.
"""

from dataclasses import asdict, dataclass, field
from typing import Self

from asana_api.answers import Membership, User
from store import listings
from store.connect import Connection
from store.listings import ListedMembership, ListedUser
from workers.listing import Batch, Place, Reader
from workers.slicing import Slice


@dataclass
class Progress:
    """How far both listings came; the run's cursor is made of it."""

    memberships: Place = field(default_factory=Place)
    users: Place = field(default_factory=Place)

    @classmethod
    def of(cls, cursor: dict[str, object]) -> Self:
        """Read it from a cursor."""
        places = {name: Place(**value) for name, value in cursor.items() if isinstance(value, dict)}
        return cls(**places)

    @property
    def done(self) -> bool:
        """Whether both were read to their end."""
        return self.memberships.done and self.users.done

    def counts(self) -> dict[str, int]:
        """Give how many rows of each were committed."""
        return {"memberships": self.memberships.rows, "users": self.users.rows}


@dataclass
class Keeping:
    """Commits what two readers have read, in the order in which it was read."""

    piece: Slice
    progress: Progress
    memberships: Reader[Membership]
    users: Reader[User]
    interrupted: bool = False
    """Pages were taken and perhaps not committed: nothing that follows them may be."""

    async def commit(self) -> None:
        """Keep what was read of both listings with the places where they stand, in one transaction."""
        self.interrupted = True
        seats, people = await self.memberships.take(), await self.users.take()
        self.progress.memberships, self.progress.users = seats.place, people.place
        async with self.piece.station.transaction() as connection:
            await listings.wait_for_no_disk(connection)
            await self.piece.checkpoint(connection, asdict(self.progress), self.progress.counts())
            await _stage(connection, self.piece, seats, people)
        self.interrupted = False
        self.memberships.committed(seats)
        self.users.committed(people)

    async def commit_the_rest(self) -> None:
        """Asana has no more to say just now: what it said so far is not asked for again."""
        if not self.interrupted and self.memberships.waiting + self.users.waiting:
            await self.commit()


async def _stage(connection: Connection, piece: Slice, seats: Batch[Membership], people: Batch[User]) -> None:
    if seats.restarted:
        await listings.forget(connection, piece.run, "memberships")
    if people.restarted:
        await listings.forget(connection, piece.run, "users")
    await listings.stage_memberships(connection, piece.run, map(listed, seats.items))
    await listings.stage_users(connection, piece.run, (ListedUser(u.gid, u.name, u.email) for u in people.items))


def listed(membership: Membership) -> ListedMembership:
    """Give a membership as the store takes it."""
    return ListedMembership(
        membership.user_gid,
        membership.gid,
        membership.is_active,
        membership.is_admin,
        membership.is_guest,
        membership.is_view_only,
        membership.created_at,
    )
