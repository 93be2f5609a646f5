"""What the demo should find, computed from the look-alike's truths and from nothing of ours.

The reclamation rule is written here a second time, in its plainest form: if both were one function, a mistake in it
would agree with itself.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx

THRESHOLD = timedelta(days=60)


@dataclass(frozen=True)
class PersonTruth:
    """One person: what happened, and what the source `tasks` could see of it. Times are aware; None is never."""

    gid: str
    name: str
    archetype: str
    is_member: bool
    is_admin: bool
    is_guest: bool
    is_view_only: bool
    joined_at: datetime
    last_use_at: datetime | None
    last_work_at: datetime | None
    seen_at: datetime | None

    @property
    def is_paid(self) -> bool:
        """Whether the person holds a paid seat."""
        return self.is_member and not self.is_guest and not self.is_view_only


@dataclass(frozen=True)
class Expected:
    """The figures that must come out."""

    people: dict[str, PersonTruth]
    seats: int
    paid: int
    asked: int
    seen: int
    ready: frozenset[str]
    never_seen: frozenset[str]

    def really_used(self, now: datetime) -> int:
        """Count the ready ones who did use Asana since the threshold, where the source cannot see it."""
        return sum(_since(self.people[gid].last_use_at, now - THRESHOLD) for gid in self.ready)


def read_truth(asana_url: str, caller: str, since: datetime) -> dict[str, PersonTruth]:
    """Read both truths of everybody who has or had a seat; `since` is where the source's window begins."""
    query = {"since": since.isoformat(), "caller": caller}
    with httpx.Client(trust_env=False, timeout=60) as client:
        answer = client.get(f"{asana_url}/-/sandbox/truth", params=query).raise_for_status().json()
    return {row["gid"]: _person(row) for row in answer["people"] if row["joined_at"]}


def read_removals(asana_url: str) -> list[dict[str, object]]:
    """Read the look-alike's own record of every removal call."""
    with httpx.Client(trust_env=False, timeout=60) as client:
        calls: list[dict[str, object]] = (
            client.get(f"{asana_url}/-/sandbox/removals").raise_for_status().json()["calls"]
        )
    return calls


def expect(people: dict[str, PersonTruth], ours: str, now: datetime) -> Expected:
    """Say what a right cycle finds at `now`, for the account `ours`."""
    active = [one for one in people.values() if one.is_member]
    paid = [one for one in active if one.is_paid]
    asked = [one for one in paid if not one.is_admin and one.gid != ours]
    old = [one for one in asked if one.joined_at <= now - THRESHOLD]
    return Expected(
        people=people,
        seats=len(active),
        paid=len(paid),
        asked=len(asked),
        seen=sum(one.seen_at is not None for one in asked),
        ready=frozenset(one.gid for one in old if one.seen_at is not None and one.seen_at < now - THRESHOLD),
        never_seen=frozenset(one.gid for one in old if one.seen_at is None),
    )


def _person(row: dict[str, object]) -> PersonTruth:
    joined_at = _moment(row["joined_at"])
    assert joined_at is not None
    return PersonTruth(
        gid=str(row["gid"]),
        name=str(row["name"]),
        archetype=str(row["archetype"]),
        is_member=row["is_member"] is True,
        is_admin=row["is_admin"] is True,
        is_guest=row["is_guest"] is True,
        is_view_only=row["is_view_only"] is True,
        joined_at=joined_at,
        last_use_at=_moment(row["last_use_at"]),
        last_work_at=_moment(row["last_work_at"]),
        seen_at=_moment(row["last_work_seen_by_tasks_at"]),
    )


def _moment(value: object) -> datetime | None:
    return datetime.fromisoformat(str(value)) if value else None


def _since(moment: datetime | None, begin: datetime) -> bool:
    return moment is not None and moment >= begin
