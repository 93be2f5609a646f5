"""What every cell of the matrix begins with: a small organization on its second day, and the database as it then was.

Day one is carried out whole: download, activity, candidates, and a plan that is approved. Then people come back to
work, each where another source sees it, one leaves, one is made an admin, and the next day begins. The database of that
moment is kept in a second schema of itself and put back before each cell; the look-alike is changed by none, since it
refuses every removal. No cell waits: a pause that Asana asks for puts the work off at once.
"""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import psycopg
from pydantic import SecretStr

from asana_api.errors import TryLater
from benchmarks.proofs.answers_place import PAGE_SIZE, Elsewhere, OwnDatabase, SmallPages, keep_the_morning, no_waits
from benchmarks.proofs.stage import Stage, stage_for
from connections.sealing import Sealing, connection_row, credential_row, new_key
from messages.commands import COMMANDS, Command
from messages.kinds import RunKind
from sandbox.asana import Running, running
from sandbox.asana.credentials import Credential
from settings import Settings
from store import connections, cycles, outbox, plans, runs
from store.connect import Connection
from store.runs import Order, Run
from workers.consume import ACTORS
from workers.retrying import RetryLater
from workers.slicing import give_up
from workers.station import Station

START = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
UNTIL_DAY_ONE = timedelta(days=52)
"""Who had worked last before the look-alike was made is idle by then, or nearly."""
LOOK_BACK = timedelta(days=85)
PEOPLE, SEED = 15, 3
ALIAS = "acme"
REMOVE = "/workspaces/{workspace_gid}/removeUser"


@dataclass
class Endings:
    """How a cell's work ended: what put it off, why runs failed, and errors that no actor should raise."""

    put_off: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    crashes: list[str] = field(default_factory=list)
    open: int = 0


@dataclass
class Scene:
    """The organization on its second day, and what a cell does in it."""

    asana: Running
    elsewhere: Elsewhere
    stage: Stage
    database: OwnDatabase
    settings: Settings
    admin: Connection
    profile_id: int
    plan_hash: str = ""
    idle: list[str] = field(default_factory=list)

    async def put_back(self, before: str) -> None:
        """Bring back the database of the second morning, changed by `before`; forget every fault and removal."""
        await self.admin.execute("SELECT answers_kept.put_back()")
        await self.admin.execute(before.encode())
        self.asana.faults.clear()
        self.asana.removals.reset()
        self.asana.faults.add("answer", route=REMOVE, status=404)
        self.elsewhere.seen.clear()

    async def carry_out(self, role: str, kinds: Sequence[RunKind]) -> Endings:
        """Ask for runs one after another, as the process of that role, and carry out everything that follows."""
        ended = Endings()
        async with Station(self.settings_for(role), now=self.asana.clock.now) as station:
            for kind in kinds:
                run = await self._run(station, kind, ended)
                if run.state == "failed":
                    ended.failed.append(f"{kind}: {run.reason}")
                ended.open += run.state not in {"failed", "finished"}
        return ended

    def settings_for(self, role: str) -> Settings:
        """Return the settings of a process."""
        return self.settings.model_copy(update={"database_url": SecretStr(self.database.url(role))})

    async def _run(self, station: Station, kind: RunKind, ended: Endings) -> Run:
        plan = self.plan_hash if kind == "reclaim" else None
        order = Order(profile_id=self.profile_id, kind=kind, requested_by="a proof", plan_hash=plan)
        async with self.stage.owner.transaction():
            run_id = await cycles.add(self.stage.owner, order, self.asana.clock.now())
        while command := await self._next():
            await _deliver(station, command, ended)
        run = await runs.get(self.stage.owner, run_id)
        assert run is not None
        return run

    async def _next(self) -> Command | None:
        now = self.asana.clock.now()
        due = await outbox.unsent(self.stage.owner, limit=5000, now=now)
        message = next((one for one in due if one.channel == "command"), None)
        if message is None:
            return None
        await outbox.mark_sent(self.stage.owner, [message.id], now)
        return COMMANDS[message.name].model_validate(message.payload)


async def _deliver(station: Station, command: Command, ended: Endings) -> None:
    """Carry out one command; what Dramatiq would try again gives the run up at once, and is noted."""
    try:
        await ACTORS[type(command)](station, command)
    except (TryLater, RetryLater) as error:
        ended.put_off.append(str(error))
        await give_up(station, command, error)
    except Exception as error:  # noqa: BLE001 - an actor that raises anything else has a fault
        ended.crashes.append(f"{type(error).__name__}: {error}")
        await give_up(station, command, error)


@contextlib.asynccontextmanager
async def scene(place: OwnDatabase) -> AsyncIterator[Scene]:
    """Play the first day, and keep what the second begins with."""
    with no_waits(), Elsewhere() as elsewhere, running(PEOPLE, SEED, start=START, plan="enterprise") as asana:
        asana.look.pages = SmallPages(asana.clock)
        asana.clock.move(UNTIL_DAY_ONE)
        admin = await psycopg.AsyncConnection.connect(place.postgres.admin_url_of(place.name), autocommit=True)
        async with admin, stage_for(asana, place) as stage:
            profile_id = await stage.publish(
                ALIAS, plan="enterprise", evidence="any_use", with_service_account=True, look_back=LOOK_BACK
            )
            key = new_key()
            settings = Settings.model_validate({"keys": SecretStr(key), "recovery_pause_seconds": 0})
            new = Scene(asana, elsewhere, stage, place, settings, admin, profile_id)
            await _connect(new, Sealing([key]))
            await _first_day(new)
            _meanwhile(new)
            await _connect(new, Sealing([key]))
            await keep_the_morning(admin)
            yield new


async def _connect(at: Scene, sealing: Sealing) -> None:
    """Keep an OAuth grant of the admin, and the service account's token, both good for this day."""
    asana, held, owner = at.asana, at.asana.look.credentials, at.stage.owner
    admin = asana.organization.admins()[0]
    connection_id = await connections.save(
        owner,
        alias=ALIAS,
        base_url=asana.url,
        client_id=asana.client_id,
        client_secret_sealed=sealing.seal(asana.client_secret, connection_row(ALIAS, "client_secret")),
        requests_per_minute=None,
    )
    credential = Credential("oauth:proof", "oauth", admin)
    tokens = {"access_token": held.access_token(credential), "refresh_token": held.refresh_token(credential)}
    oauth = connections.SealedGrant(
        kind="oauth",
        user_gid=admin.gid,
        access_token=sealing.seal(tokens["access_token"], credential_row(ALIAS, "oauth", "access_token")),
        refresh_token=sealing.seal(tokens["refresh_token"], credential_row(ALIAS, "oauth", "refresh_token")),
        expires_at=datetime.now(UTC) + timedelta(days=1),
    )
    row = credential_row(ALIAS, "service_account", "access_token")
    service = connections.SealedGrant(
        kind="service_account",
        user_gid=asana.look.service_account.gid,
        access_token=sealing.seal(asana.service_account_token, row),
    )
    for grant in (oauth, service):
        await connections.keep_grant(owner, connection_id, ALIAS, grant, asana.clock.now())


async def _first_day(at: Scene) -> None:
    """A whole day, and an approved plan of everybody who is ready."""
    owner, now = at.stage.owner, at.asana.clock.now()
    ended = await at.carry_out("worker", ["download", "activity", "candidates"])
    assert (ended.failed, ended.put_off, ended.crashes) == ([], [], []), ended
    await owner.execute("UPDATE profile SET work_goes_to = 'the admin', leashed = false")
    async with owner.transaction():
        plan = await plans.make(owner, profile_id=at.profile_id, made_by="a proof", now=now)
        await plans.approve(owner, plan.hash, by="an approver", now=now)
    items = await at.stage.rows("SELECT user_gid FROM plan_item ORDER BY position")
    at.plan_hash, at.idle = plan.hash, [str(item["user_gid"]) for item in items]


def _meanwhile(at: Scene) -> None:
    """Several who were idle come back, each where another source sees it; then it is the next day."""
    asana, changes = at.asana, at.asana.changes
    ours = {asana.organization.admins()[0].gid, asana.look.service_account.gid}
    idle = [gid for gid in at.idle if gid not in ours]
    assert len(idle) >= 7, f"only {len(idle)} are idle after the first day"
    asana.clock.move(timedelta(hours=20))
    worked, completed, commented, logged_in, admin, left = idle[:6]
    giver = asana.organization.admins()[0].gid
    for gid in (worked, completed):  # several pages of tasks
        given = [changes.create(giver, assignee=gid) for _ in range(2 * PAGE_SIZE)]
        for _ in range(2 * PAGE_SIZE if gid == worked else 0):  # and of the stories of one
            changes.act(gid, "section_changed", task=given[0].gid)
        for task in given:  # what they do here only the tasks show, and no search
            task.followers.pop(gid, None)
            asana.organization.related("followers", gid).pop(task.gid, None)
    changes.complete(completed, task=given[0].gid)
    changes.act(commented, task=given[1].gid)
    for _ in range(2 * PAGE_SIZE):
        changes.log(logged_in, "attachment_uploaded")
    changes.set_roles(admin, is_admin=True)
    changes.leave(left)
    asana.clock.move(timedelta(hours=1))
