"""What the demo should find, computed from the look-alike's truths and from nothing of ours.

The reclamation rule is written here a second time, in its plainest form, and so is whom an economical pull may leave
out: if both were one function, a mistake in it would agree with itself.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

import httpx

THRESHOLD = timedelta(days=60)
A_DAY = timedelta(days=1)
LOG_KEPT = timedelta(days=90)
LOG_MARGIN = timedelta(hours=1)
"""What the log is about to forget is not read: the first pull begins so much later."""
DAY_IS_OVER = timedelta(hours=36)
"""So long after a day began at UTC is it over everywhere: an export does not say in whose zone its days are."""


@dataclass(frozen=True, slots=True)
class PersonTruth:
    """One person: what happened, and what each source could see of it. Times are aware; None is never."""

    gid: str
    name: str
    email: str | None
    archetype: str
    is_member: bool
    is_admin: bool
    is_guest: bool
    is_view_only: bool
    joined_at: datetime
    last_use_at: datetime | None
    last_work_at: datetime | None
    by_tasks: datetime | None
    by_search: datetime | None
    by_log: datetime | None
    by_export: date | None

    @property
    def is_paid(self) -> bool:
        """Whether the person holds a paid seat."""
        return self.is_member and not self.is_guest and not self.is_view_only


@dataclass(frozen=True, slots=True)
class Views:
    """The sources that somebody judges by: the tasks always, and beside them these.

    `log_from`: where the reading of the audit log began; `export_at`: when the member export was made; None: without.
    """

    search: bool = True
    log_from: datetime | None = None
    export_at: datetime | None = None

    def last_seen(self, one: PersonTruth) -> datetime | None:
        """Return the last act that any of these sources could see."""
        seen = [one.by_tasks, one.by_search if self.search else None, one.by_log if self.log_from else None]
        if self.export_at is not None and one.email and one.by_export:
            over = datetime.combine(one.by_export, time(), UTC) + DAY_IS_OVER
            seen.append(min(over, self.export_at))
        return latest(*seen)

    def knows_never(self, one: PersonTruth) -> bool:
        """Whether a source that sees any use, and goes back to the joining, says that there was none."""
        if self.export_at is not None and one.email is not None:
            return one.by_export is None
        return self.log_from is not None and self.log_from <= one.joined_at and one.by_log is None


@dataclass(frozen=True)
class Expected:
    """The figures that must come out. `seen` has everybody asked about of whom any source could see an act, and when.

    `in_log` is everybody with any seat.
    """

    people: dict[str, PersonTruth]
    seats: int
    paid: int
    asked: frozenset[str]
    seen: dict[str, datetime]
    in_log: dict[str, datetime]
    ready: frozenset[str]
    never_used: frozenset[str]
    never_seen: frozenset[str]
    without_search: Views

    def really_used(self, now: datetime) -> int:
        """Count the ready ones who did use Asana since the threshold, where no source can see it."""
        return sum(_since(self.people[gid].last_use_at, now - THRESHOLD) for gid in self.ready)

    def searched_for(self, pull: datetime) -> frozenset[str]:
        """Return whom a first pull at that moment had to search for: neither tasks nor log had settled them."""
        return self._could_be_idle(self.without_search, pull)

    def last_by_search(self, pull: datetime) -> frozenset[str]:
        """Return those of them whose last act only the search could see."""
        searched = [self.people[gid] for gid in self.searched_for(pull)]
        others = {one.gid: self.without_search.last_seen(one) for one in searched}
        return frozenset(one.gid for one in searched if latest(one.by_search, others[one.gid]) != others[one.gid])

    def due_again(self, pull: datetime, views: Views) -> frozenset[str]:
        """Return whom a later pull has to ask about: who may be idle within a day of it, by what is known already."""
        return self._could_be_idle(views, pull)

    def _could_be_idle(self, views: Views, pull: datetime) -> frozenset[str]:
        def settled_until(one: PersonTruth) -> datetime:
            return (latest(one.joined_at, views.last_seen(one)) or one.joined_at) + THRESHOLD

        return frozenset(gid for gid in self.asked if settled_until(self.people[gid]) <= pull + A_DAY)


def log_from(since: datetime, pull: datetime) -> datetime:
    """Return where a first reading of the audit log begins, in a pull that began at that moment (both aware)."""
    return max(since, pull - LOG_KEPT + LOG_MARGIN)


def read_truth(asana_url: str, caller: str, since: datetime, log_since: datetime) -> dict[str, PersonTruth]:
    """Read all truths of everybody who has or had a seat, as the account `caller` could see it.

    `since` is where the window of the task sources begins, `log_since` that of the audit log.
    """
    with httpx.Client(trust_env=False, timeout=60) as client:

        def rows(begin: datetime) -> list[dict[str, object]]:
            query = {"since": begin.isoformat(), "caller": caller}
            found: list[dict[str, object]] = (
                client.get(f"{asana_url}/-/sandbox/truth", params=query).raise_for_status().json()["people"]
            )
            return found

        logged = {str(row["gid"]): _act(row, "audit_log") for row in rows(log_since)}
        return {str(row["gid"]): _person(row, logged) for row in rows(since) if row["joined_at"]}


def read_removals(asana_url: str) -> list[dict[str, object]]:
    """Read the look-alike's own record of every removal call."""
    with httpx.Client(trust_env=False, timeout=60) as client:
        calls: list[dict[str, object]] = (
            client.get(f"{asana_url}/-/sandbox/removals").raise_for_status().json()["calls"]
        )
    return calls


def read_member_export(asana_url: str) -> str:
    """Read the CSV that the look-alike's admin console would export now."""
    with httpx.Client(trust_env=False, timeout=60) as client:
        return str(client.get(f"{asana_url}/-/sandbox/member_export").raise_for_status().json()["csv"])


def read_service_account_token(asana_url: str) -> str:
    """Read the token of the look-alike's service account."""
    with httpx.Client(trust_env=False, timeout=60) as client:
        return str(client.get(f"{asana_url}/-/sandbox/about").raise_for_status().json()["service_account_token"])


def expect(people: dict[str, PersonTruth], ours: Collection[str], now: datetime, views: Views) -> Expected:
    """Say what a right cycle finds at `now` by these sources, for the accounts `ours`."""
    active = [one for one in people.values() if one.is_member]
    asked = [one for one in active if one.is_paid and not one.is_admin and one.gid not in ours]
    old = [one for one in asked if one.joined_at <= now - THRESHOLD]

    def chosen(which: Callable[[PersonTruth], bool]) -> frozenset[str]:
        return frozenset(one.gid for one in old if which(one))

    idle = chosen(lambda one: (seen := views.last_seen(one)) is not None and seen < now - THRESHOLD)
    never = chosen(lambda one: views.last_seen(one) is None)
    never_used = chosen(lambda one: one.gid in never and views.knows_never(one))
    return Expected(
        people=people,
        seats=len(active),
        paid=sum(one.is_paid for one in active),
        asked=frozenset(one.gid for one in asked),
        seen={one.gid: seen for one in asked if (seen := views.last_seen(one)) is not None},
        in_log={one.gid: one.by_log for one in active if one.by_log is not None},
        ready=idle | never_used,
        never_used=never_used,
        never_seen=never - never_used,
        without_search=replace(views, search=False),
    )


def latest(*moments: datetime | None) -> datetime | None:
    """Return the latest that is there."""
    return max((at for at in moments if at is not None), default=None)


def _person(row: dict[str, object], logged: dict[str, datetime | None]) -> PersonTruth:
    joined_at = _moment(row["joined_at"])
    assert joined_at is not None
    exported = row["seen_by_export"]
    return PersonTruth(
        gid=str(row["gid"]),
        name=str(row["name"]),
        email=str(row["email"]) if row["email"] else None,
        archetype=str(row["archetype"]),
        is_member=row["is_member"] is True,
        is_admin=row["is_admin"] is True,
        is_guest=row["is_guest"] is True,
        is_view_only=row["is_view_only"] is True,
        joined_at=joined_at,
        last_use_at=_moment(row["last_use_at"]),
        last_work_at=_moment(row["last_work_at"]),
        by_tasks=_act(row, "tasks"),
        by_search=_act(row, "search"),
        by_log=logged[str(row["gid"])],
        by_export=date.fromisoformat(str(exported)) if exported else None,
    )


def _act(row: dict[str, object], source: str) -> datetime | None:
    act = row[f"seen_by_{source}"]
    return _moment(act["at"]) if isinstance(act, dict) else None


def _moment(value: object) -> datetime | None:
    return datetime.fromisoformat(str(value)) if value else None


def _since(moment: datetime | None, begin: datetime) -> bool:
    return moment is not None and moment >= begin
