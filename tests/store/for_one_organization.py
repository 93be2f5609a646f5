"""What each parameter of the store's functions is given when a function is called for one organization.

Most go by the parameter's name alone; where one name means several things, the function's name stands before it.
"""

from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from decimal import Decimal
from uuid import uuid4

from messages.commands import DownloadSubscriptions
from messages.errors import RequestError
from messages.events import CandidateChanged, ProfileUnpublished, RunStarted
from messages.requests import Request
from rules.member_import import Told
from rules.verdict import Verdict
from sources.contract import Found
from store import connections, member_exports, seats
from store.activity import Claimed, Lost
from store.connect import Connection
from store.endings import End
from store.entitlements import Purchase
from store.ledger import Change, Entry
from store.listings import ListedMembership, ListedUser
from store.probes import Probe
from store.profiles import Changes, Publication
from store.readings import Wanted
from store.reclamation_rule import RuleChange
from store.runs import Order
from store.settlements import Settlement
from tests.rows import NOW
from tests.store.two_organizations import PEOPLE, Organization

LATER = NOW + timedelta(hours=1)
DAY = timedelta(days=1)
Value = Callable[[Connection, Organization], Awaitable[object]]


def plain(value: object) -> Value:
    """Give the same to every function."""

    async def give(_: Connection, __: Organization) -> object:
        return value

    return give


async def _subscription(connection: Connection, mine: Organization) -> int:
    return await mine.id_of(connection, "subscription")


async def _candidate(connection: Connection, mine: Organization) -> int:
    return await mine.id_of(connection, "candidate")


async def _step(_: Connection, __: Organization) -> Change:
    return _change()


def _change() -> Change:
    return Change(
        state_from="ready", state_to="closed_skipped", by="ann", why="ann said so", evidence={}, correlation_id=uuid4()
    )


async def _removal(connection: Connection, mine: Organization) -> object:
    return (await mine.item(connection, "1002")).removal_id


async def _command(_: Connection, mine: Organization) -> object:
    return DownloadSubscriptions(run_id=mine.run_id(2), slice=0, correlation_id=uuid4())


async def _next_command(_: Connection, mine: Organization) -> object:
    return DownloadSubscriptions(run_id=mine.run_id(2), slice=1, correlation_id=uuid4())


async def _request(_: Connection, mine: Organization) -> object:
    known = {"id": uuid4(), "kind": "reconcile", "profile": mine.profile.name, "requested_by": "ann"}
    return Request.model_validate(known)


async def _error(_: Connection, mine: Organization) -> object:
    return RequestError("it is refused", str(uuid4()), mine.profile.name)


async def _order(_: Connection, mine: Organization) -> object:
    return Order(profile_id=mine.profile.id, kind="reconcile", requested_by="ann")


async def _found(connection: Connection, mine: Organization) -> object:
    found = await seats.to_judge(connection, mine.profile.id, now=NOW)
    return [(one, Verdict("ready", "idle", "is idle")) for one in found if one.candidate_id is None]


async def _entries(connection: Connection, mine: Organization) -> object:
    event = CandidateChanged(
        profile=mine.profile.name,
        subscription_id=await _subscription(connection, mine),
        user_gid="1001",
        candidate_id=await _candidate(connection, mine),
        state_from="ready",
        state_to="closed_skipped",
        by="ann",
        why="ann said so",
    )
    return [Entry(_change(), event)]


async def _credential(connection: Connection, mine: Organization) -> object:
    return await connections.credential_of(connection, mine.profile.connection_id)


async def _credential_id(connection: Connection, mine: Organization) -> int:
    credential = await connections.credential_of(connection, mine.profile.connection_id)
    assert credential is not None
    return credential.id


async def _schedule(connection: Connection, mine: Organization) -> object:
    cursor = await connection.execute("SELECT id FROM schedule WHERE profile_id = %s", [mine.profile.id])
    row = await cursor.fetchone()
    return row[0] if row else None


async def _item(connection: Connection, mine: Organization) -> object:
    return await mine.item(connection)


async def _unanswered(connection: Connection, mine: Organization) -> object:
    return await mine.item(connection, "1002")


def run_of(number: int) -> Value:
    """Give a run of the organization by its place."""

    async def give(connection: Connection, mine: Organization) -> object:
        return await mine.run(connection, number)

    return give


def with_subscription(make: Callable[[int], object]) -> Value:
    """Give something that is made of a subscription's id."""

    async def give(connection: Connection, mine: Organization) -> object:
        return make(await _subscription(connection, mine))

    return give


async def _profile_id(_: Connection, mine: Organization) -> int:
    return mine.profile.id


async def _connection_id(_: Connection, mine: Organization) -> int:
    return mine.profile.connection_id


async def _parent(connection: Connection, _: Organization) -> object:
    parent = await connections.get(connection, "mine")
    return parent.id if parent else None


async def _steps(connection: Connection, mine: Organization) -> object:
    return {await _candidate(connection, mine): _change()}


VALUES: dict[str, Value] = {
    "profile_id": _profile_id,
    "connection_id": _connection_id,
    "connections.children_of.connection_id": _parent,
    "credential_id": _credential_id,
    "credential": _credential,
    "schedule_id": _schedule,
    "run": run_of(2),
    "candidates.close_for_the_gone.run": run_of(4),
    "endings.end_without_start.run": run_of(9),
    "slices.start.run": run_of(9),
    "reconciliation.reconcile.run": run_of(6),
    "removals.take_up_plan.run": run_of(5),
    "removals.intend.run": run_of(5),
    "run_id": lambda _, mine: plain(mine.run_id(2))(_, mine),
    "cycle_id": lambda _, mine: plain(mine.run_id(1))(_, mine),
    "plan_hash": lambda _, mine: plain(mine.plan)(_, mine),
    "subscription_id": _subscription,
    "candidate_id": _candidate,
    "removal_id": _removal,
    "person": _item,
    "settlements.settle.person": _unanswered,
    "readings.user_gids.person": plain("mine1001@example.com"),
    "item": _item,
    "order": _order,
    "request": _request,
    "error": _error,
    "command": _command,
    "slices.hand_on.command": _next_command,
    "wanted": lambda _, mine: plain(Wanted(profile=mine.profile.name))(_, mine),
    "counted": plain(False),  # noqa: FBT003 - a value
    "found": _found,
    "probes.keep.found": plain([Probe("page-has-limit", "refuted", "seen", NOW)]),
    "entries": _entries,
    "step": _step,
    "steps": _steps,
    "acts": with_subscription(lambda one: [(one, "task_created", NOW, "task/1")]),
    "streams.keep_acts.acts": plain([Found(gid, NOW, "user_login_succeeded", "audit_log_event/1") for gid in PEOPLE]),
    "windows": with_subscription(lambda one: [Claimed(one, NOW - DAY, LATER)]),
    "window": plain((NOW - DAY, LATER)),
    "removals.intend.window": plain(timedelta(seconds=10)),
    "troubles": with_subscription(lambda one: {one: "it was refused"}),
    "trouble": plain("it was refused"),
    "lost": with_subscription(lambda one: [Lost(one, "1001", "tasks", "it was refused")]),
    "ids": with_subscription(lambda one: [one]),
    "told": with_subscription(
        lambda one: [
            Told(subscription_id=one, joined_at=NOW - 900 * DAY, line=2, last_activity_at=NOW - DAY, whole=True)
        ]
    ),
    "draft": plain(member_exports.Draft(file_sha256=b"x" * 32, exported_at=NOW - DAY, people=5, matched=5, by="ann")),
    "rows": plain([ListedMembership("1003", "91003", True, False, False, False, NOW)]),  # noqa: FBT003 - as a page has it
    "listings.stage_users.rows": plain([ListedUser("1003", "Mara", None)]),
    "user_gids": plain(list(PEOPLE)),
    "user_gid": plain("1001"),
    "exemptions.add.user_gid": plain("1003"),
    "exemptions.remove.user_gid": plain("1003"),
    "purchase": plain(
        Purchase(
            software_model="member",
            quantity=5,
            unit_cost=Decimal(10),
            starts_on=date(2026, 1, 1),
            ends_on=None,
            order_number=None,
        )
    ),
    "changes": plain(Changes(plan="free", time_zone="Europe/Berlin")),
    "publication": plain(Publication(cron="0 6 * * *", threshold_days=30)),
    "said": plain(RuleChange(evidence="any_use", threshold_days=90)),
    "event": plain(ProfileUnpublished(profile="mine")),
    "endings.say_of_run.event": lambda _, mine: plain(
        RunStarted(run_id=mine.run_id(2), kind="download", profile="mine", cycle_id=None)
    )(_, mine),
    "end": plain(End(state="not_run", reason="not today")),
    "settlement": plain(Settlement(state="done", outcome="reclaimed", why="gone")),
    "look": plain({"at": NOW.isoformat()}),
    "grant": plain(connections.SealedGrant(kind="personal_access_token", user_gid="1001", access_token=b"new")),
    "now": plain(NOW),
    "asked_at": plain(NOW),
    "pull_started_at": plain(LATER),
    "started_at": plain(LATER),
    "offset": plain("next"),
    "source": plain("tasks"),
    "threshold": plain(60 * DAY),
    "after": plain(0),
    "but_not": plain([]),
    "subject": plain("profile/mine"),
    "correlation_id": lambda _, mine: plain(mine.run_id(2))(_, mine),
    "alias": plain("mine.child"),
    "body": plain(b"{}"),
    "body_sha256": plain(b"x" * 32),
    "by": plain("ann"),
    "made_by": plain("ann"),
    "why": plain("ann said so"),
    "outcome": plain("kept"),
    "reason": plain("ann said so"),
    "until": plain(None),
    "work_goes_to": plain("ann"),
    "kind": plain("download"),
    "cron": plain("0 6 * * *"),
    "time_zone": plain("Europe/Berlin"),
    "zone": plain("Europe/Berlin"),
    "days": plain(30),
    "limit": plain(1000),
    "counts": plain({"seats": 1}),
    "cursor": plain({"after": 1}),
    "slice_number": plain(0),
    "proven": plain(True),  # noqa: FBT003 - a value
    "permits": plain(1),
    "longest_wait": plain(1.0),
    "pause": plain(timedelta(seconds=1)),
    "access_token_sealed": plain(b"new"),
    "refresh_token_sealed": plain(b"new"),
    "expires_at": plain(LATER),
}
