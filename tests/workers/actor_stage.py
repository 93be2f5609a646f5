"""A stage for actors: the look-alike, a database of its own, a published profile, and no broker.

`stage.play()` takes the commands out of the outbox and carries them out one after another, as the relay, RabbitMQ and a
worker would, until there are none. What each worker role may do in the database is what is really granted to it.
There is one clock, the look-alike's: it stands still until `stage.later(...)`.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from cryptography.fernet import Fernet
from psycopg.rows import dict_row
from pydantic import SecretStr

from connections.sealing import Sealing, credential_row
from messages.commands import COMMANDS, Command
from messages.kinds import RunKind
from rules.evidence import AsanaPlan
from sandbox.asana import Running, running
from sandbox.asana.model import Person
from settings import Settings
from store import connections, cycles, outbox, plans, profiles, runs
from store.connect import Connection, open_connection
from store.profiles import Draft, Publication
from store.runs import Order, Run
from tests.conftest import Database
from workers.consume import ACTORS
from workers.slicing import give_up
from workers.station import Station

START = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
LOOK_BACK = timedelta(days=120)
THRESHOLD = timedelta(days=60)
KEY = Fernet.generate_key().decode()

Row = dict[str, object]


@contextmanager
def organization(people: int, seed: int = 5) -> Iterator[Running]:
    """Serve a seeded organization whose clock stands still at START."""
    with running(people=people, seed=seed, start=START) as asana:
        yield asana


@dataclass
class Stage:
    """Everything that an actor stands on."""

    asana: Running
    owner: Connection
    worker: Station
    reclaim: Station
    profile_id: int
    errors: list[str] = field(default_factory=list)

    @property
    def now(self) -> datetime:
        """What every clock on the stage shows."""
        return self.asana.clock.now()

    def later(self, **how_much: float) -> datetime:
        """Move the clock, and with it Asana's; return the new time."""
        self.asana.clock.move(timedelta(**how_much))
        return self.now

    @property
    def us(self) -> Person:
        """Whose token the connection has."""
        return self.asana.look.credentials.of(f"Bearer {self.asana.admin_token}").person

    async def order(self, kind: RunKind, plan: str | None = None) -> UUID:
        """Ask for a run."""
        order = Order(profile_id=self.profile_id, kind=kind, requested_by="a test", plan_hash=plan)
        async with self.owner.transaction():
            return await cycles.add(self.owner, order, self.now)

    async def take(self) -> Command | None:
        """Take the next command out of the outbox; None if there is none that is due."""
        due = await outbox.unsent(self.owner, limit=5000, now=self.now)
        message = next((message for message in due if message.channel == "command"), None)
        if message is None:
            return None
        await outbox.mark_sent(self.owner, [message.id], self.now)
        return COMMANDS[message.name].model_validate(message.payload)

    async def take_a(self, command: type[Command]) -> Command:
        """Carry out what waits until a command of this kind comes, and return it as yet undone."""
        while taken := await self.take():
            if isinstance(taken, command):
                return taken
            await self.deliver(taken)
        raise AssertionError(f"no {command.__name__} came")

    async def play(self, *, most: int = 500) -> int:
        """Carry out every command that waits, and those that they add; return how many."""
        for played in range(most):
            command = await self.take()
            if command is None:
                return played
            await self.deliver(command)
        raise AssertionError(f"more than {most} commands")

    async def attempt(self, command: Command) -> None:
        """Carry out one command once, and raise what Dramatiq would retry for."""
        station = self.reclaim if command.queue == "reclaim" else self.worker
        await ACTORS[type(command)](station, command)

    async def deliver(self, command: Command) -> None:
        """Carry out one command; an error that would be retried gives the run up at once, and is kept."""
        try:
            await self.attempt(command)
        except Exception as error:  # noqa: BLE001 - what Dramatiq would catch
            self.errors.append(f"{type(error).__name__}: {error}")
            await give_up(self.reclaim if command.queue == "reclaim" else self.worker, command, error)

    async def run(self, kind: RunKind, plan: str | None = None) -> Run:
        """Ask for a run, carry it out with everything that follows, and return it as it ended."""
        run_id = await self.order(kind, plan)
        await self.play()
        return await self.read(run_id)

    async def read(self, run_id: UUID) -> Run:
        """Return the run as it is now."""
        run = await runs.get(self.owner, run_id)
        assert run is not None
        return run

    async def steps(self, cycle: Run) -> dict[RunKind, Run]:
        """Return the steps of a cycle by kind."""
        return {step.kind: step for step in await runs.steps_of(self.owner, cycle.id)}

    async def rows(self, query: str) -> list[Row]:
        """Read anything."""
        async with self.owner.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(query.encode())
            return await cursor.fetchall()

    async def count(self, query: str) -> int:
        """Read one number."""
        (row,) = await self.rows(query)
        (number,) = row.values()
        assert isinstance(number, int)
        return number

    async def events(self, name: str, since: datetime = START) -> list[Row]:
        """Return the payloads of an event that was said since a time, oldest first."""
        rows = await self.rows(
            f"""SELECT payload FROM outbox
                 WHERE channel = 'event' AND name = '{name}' AND occurred_at >= '{since}' ORDER BY id"""
        )
        return [row["payload"] for row in rows]  # type: ignore[misc] # jsonb objects

    async def subscriptions(self) -> dict[str, Row]:
        """Return every subscription by the person's gid."""
        return {str(row["user_gid"]): row for row in await self.rows("SELECT * FROM subscription")}

    async def candidates(self) -> dict[str, tuple[str, str]]:
        """Return state and reason of each person's newest candidate, by gid."""
        rows = await self.rows(
            """SELECT s.user_gid, c.state, coalesce(c.verdict ->> 'reason', '') AS reason
                 FROM candidate c JOIN subscription s ON s.id = c.subscription_id ORDER BY c.id"""
        )
        return {str(row["user_gid"]): (str(row["state"]), str(row["reason"])) for row in rows}

    async def picture(self) -> tuple[dict[str, Row], dict[str, tuple[str, str]]]:
        """Return all that is believed of everybody: to be compared with a later one."""
        return await self.subscriptions(), await self.candidates()

    async def approved_plan(self, limit: int | None = None) -> str:
        """Unleash the profile, make a plan of who is ready, and approve it; return its hash."""
        await self.owner.execute("UPDATE profile SET work_goes_to = 'the admin', leashed = false")
        async with self.owner.transaction():
            plan = await plans.make(self.owner, profile_id=self.profile_id, made_by="a test", now=self.now, limit=limit)
        async with self.owner.transaction():
            await plans.approve(self.owner, plan.hash, by="an approver", now=self.now)
        return plan.hash


@asynccontextmanager
async def actor_stage(
    asana: Running, database: Database, plan: AsanaPlan = "free", name: str = "acme", key: str = KEY, **settings: object
) -> AsyncIterator[Stage]:
    """Open a stage with a published profile for the look-alike's organization, looking back 120 days.

    On the free plan the tasks are the only source of activity: what is true is what they show. Profile and connection
    have the same `name`; two stages on one database each carry out the commands of both.
    """
    async with open_connection(database.owner_url) as owner:
        profile_id = await _published(owner, asana, key, plan, name)

        def station(role: str) -> Station:
            known = {"database_url": SecretStr(database.url(role)), "keys": SecretStr(key), "recovery_pause_seconds": 0}
            return Station(Settings.model_validate({**known, **settings}), now=asana.clock.now)

        async with station("worker") as worker, station("reclaim") as reclaim:
            yield Stage(asana, owner, worker, reclaim, profile_id)


async def _published(owner: Connection, asana: Running, key: str, plan: AsanaPlan, name: str) -> int:
    now = asana.clock.now()
    connection_id = await connections.save(
        owner,
        alias=name,
        base_url=asana.url,
        client_id=None,
        client_secret_sealed=None,
        requests_per_minute=None,
    )
    row = credential_row(name, "personal_access_token", "access_token")
    grant = connections.SealedGrant(
        kind="personal_access_token",
        user_gid=asana.look.credentials.of(f"Bearer {asana.admin_token}").person.gid,
        access_token=Sealing([key]).seal(asana.admin_token, row),
    )
    await connections.keep_grant(owner, connection_id, name, grant, now)
    draft = Draft(
        name=name,
        display_name="Acme",
        connection_id=connection_id,
        organization_gid=asana.organization_gid,
        organization_name="Acme",
        plan=plan,
        time_zone="UTC",
        currency="EUR",
        analyze_activity_from=now - LOOK_BACK,
        removal_cap=1000,
        provisioned_by_scim=False,
    )
    await profiles.create(owner, draft)
    profile = await profiles.get(owner, name)
    assert profile is not None
    publication = Publication(cron="0 5 * * *", threshold_days=THRESHOLD.days)
    await profiles.publish(owner, profile, publication, now)
    return profile.id
