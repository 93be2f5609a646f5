"""What a proof about activity stands on: a database, a look-alike whose clock stands still, and the real actors.

No broker: commands are taken out of the outbox and carried out one after another, as relay, RabbitMQ and worker would.
There is one clock, the look-alike's. Each process' role has the rights that it is really granted.
"""

import contextlib
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol
from unittest import mock

import psycopg
from psycopg.rows import dict_row
from pydantic import SecretStr
from rich.console import Console

from asana_api.patience import patiently
from benchmarks.results import ROOT
from connections.sealing import Sealing, credential_row, new_key
from messages.commands import COMMANDS, Command
from messages.kinds import RunKind
from rules.evidence import AsanaPlan, Evidence
from sandbox.asana import Running
from sandbox.services import Postgres, find_services
from sandbox.stack import OWNER, ROLES
from settings import Settings
from sources.isolating import look_alone
from store import connections, cycles, outbox, profiles, runs
from store.connect import Connection, open_connection
from store.profiles import Draft, Publication, Sweep
from store.runs import Order, Run
from workers.consume import ACTORS
from workers.slicing import give_up
from workers.station import Station

THRESHOLD = timedelta(days=60)


class Place(Protocol):
    """A database with the schema in it."""

    def url(self, role: str) -> str:
        """Give the address for a role by its short name."""


@dataclass(frozen=True)
class Database:
    """A database of a proof's own."""

    postgres: Postgres
    name: str

    def url(self, role: str) -> str:
        """Give the address for a role by its short name."""
        return self.postgres.url(OWNER if role == "owner" else f"seatkeeper_{role}", self.name)


@dataclass(frozen=True)
class Addresses:
    """The addresses of a place, by role: what another process can be told of it."""

    urls: Mapping[str, str] = field(repr=False)

    def url(self, role: str) -> str:
        """Give the address for a role by its short name."""
        return self.urls[role]

    @classmethod
    def of(cls, place: Place) -> "Addresses":
        """Take down the addresses of a place."""
        return cls({role: place.url(role) for role in ("owner", *ROLES)})


@contextlib.contextmanager
def new_database(console: Console) -> Iterator[Database]:
    """Find or start the servers, make a database with the schema, and drop it in the end."""
    with new_databases(console, 1) as (database,):
        yield database


@contextlib.contextmanager
def new_databases(console: Console, count: int) -> Iterator[list[Database]]:
    """The same for several: each is played by its own stage, since a stage takes every command in the outbox."""
    with find_services(say=console.print) as services, contextlib.ExitStack() as made:
        yield [made.enter_context(_database_on(services.postgres)) for _ in range(count)]


@contextlib.contextmanager
def _database_on(postgres: Postgres) -> Iterator[Database]:
    name = f"proof_{secrets.token_hex(4)}"
    postgres.make_owner(OWNER)
    postgres.create_database(name, owner=OWNER)
    try:
        with postgres.changing_roles(), psycopg.connect(postgres.url(OWNER, name), autocommit=True) as connection:
            connection.execute((ROOT / "schema.sql").read_bytes())
        postgres.set_passwords(*(f"seatkeeper_{role}" for role in ROLES))
        yield Database(postgres, name)
    finally:
        postgres.drop_database(name)


@dataclass
class Stage:
    """Everything that an actor stands on, for one look-alike."""

    asana: Running
    owner: Connection
    worker: Station
    sealing: Sealing
    callers: dict[str, set[str]] = field(default_factory=dict)

    async def publish(
        self,
        name: str,
        *,
        plan: AsanaPlan,
        evidence: Evidence = "work",
        sweep: Sweep = "economical",
        with_service_account: bool = False,
        look_back: timedelta = 2 * THRESHOLD,
    ) -> int:
        """Make a connection and a published profile, both of that name, for the look-alike; return the profile's id."""
        draft = Draft(
            name=name,
            display_name=name,
            connection_id=await self._connected(name, with_service_account=with_service_account),
            organization_gid=self.asana.organization_gid,
            organization_name=name,
            plan=plan,
            time_zone="UTC",
            currency="EUR",
            analyze_activity_from=self.asana.clock.now() - look_back,
            removal_cap=1000,
            provisioned_by_scim=False,
            sweep=sweep,
        )
        await profiles.create(self.owner, draft)
        profile = await profiles.get(self.owner, name)
        assert profile is not None
        publication = Publication(cron="0 5 * * *", threshold_days=THRESHOLD.days, evidence=evidence)
        await profiles.publish(self.owner, profile, publication, self.asana.clock.now())
        await self.owner.execute("UPDATE schedule SET enabled = false")
        return profile.id

    async def _connected(self, alias: str, *, with_service_account: bool) -> int:
        connection_id = await connections.save(
            self.owner,
            alias=alias,
            base_url=self.asana.url,
            client_id=None,
            client_secret_sealed=None,
            requests_per_minute=None,
        )
        for kind, token in self._tokens(with_service_account=with_service_account).items():
            holder = self.asana.look.credentials.of(f"Bearer {token}")
            self.callers.setdefault(alias, set()).add(holder.name)
            grant = connections.SealedGrant(
                kind=kind,
                user_gid=holder.person.gid,
                access_token=self.sealing.seal(token, credential_row(alias, kind, "access_token")),
            )
            await connections.keep_grant(self.owner, connection_id, alias, grant, self.asana.clock.now())
        return connection_id

    def _tokens(self, *, with_service_account: bool) -> Mapping[connections.CredentialKind, str]:
        """Make tokens of a profile's own, so that its requests can be counted."""
        look = self.asana.look
        own: dict[connections.CredentialKind, str] = {
            "personal_access_token": look.credentials.personal_token(look.state.admins()[0])
        }
        if with_service_account:
            own["service_account"] = look.credentials.service_account_token(look.service_account)
        return own

    def requests_of(self, name: str) -> int:
        """Return how many requests the profile of this name has made so far, as the look-alike counted them."""
        return sum(self.asana.requests.by_credential[caller] for caller in self.callers[name])

    async def run(self, profile_id: int, kind: RunKind) -> Run:
        """Ask for a run, carry it out with everything that follows, and return it as it ended."""
        order = Order(profile_id=profile_id, kind=kind, requested_by="a proof")
        async with self.owner.transaction():
            run_id = await cycles.add(self.owner, order, self.asana.clock.now())
        while command := await self._next():
            await self._deliver(command)
        run = await runs.get(self.owner, run_id)
        assert run is not None
        return run

    async def _next(self) -> Command | None:
        now = self.asana.clock.now()
        while due := await outbox.unsent(self.owner, limit=5000, now=now):
            await outbox.mark_sent(self.owner, [one.id for one in due if one.channel == "event"], now)
            message = next((one for one in due if one.channel == "command"), None)
            if message is not None:
                await outbox.mark_sent(self.owner, [message.id], now)
                return COMMANDS[message.name].model_validate(message.payload)
        return None

    async def _deliver(self, command: Command) -> None:
        try:
            await ACTORS[type(command)](self.worker, command)
        except Exception as error:  # noqa: BLE001 - what Dramatiq would catch: here nothing is tried again
            await give_up(self.worker, command, error)

    async def rows(self, query: str, **values: object) -> list[dict[str, object]]:
        """Read anything."""
        async with self.owner.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(query.encode(), values)
            return await cursor.fetchall()


@contextlib.contextmanager
def no_waits() -> Iterator[None]:
    """Try again without a pause: how long is waited between two tries is another test's matter."""

    async def at_once(_: float) -> None:
        """Sleep no time at all."""

    with (
        mock.patch.dict(patiently.__kwdefaults__, {"sleep": at_once}),
        mock.patch.dict(look_alone.__kwdefaults__, {"sleep": at_once}),
    ):
        yield


@contextlib.asynccontextmanager
async def stage_for(asana: Running, place: Place, **settings: object) -> AsyncIterator[Stage]:
    """Open a stage for a look-alike."""
    key = new_key()
    known = {"database_url": SecretStr(place.url("worker")), "keys": SecretStr(key), **settings}
    async with (
        open_connection(place.url("owner")) as owner,
        Station(Settings.model_validate(known), now=asana.clock.now) as worker,
    ):
        yield Stage(asana, owner, worker, Sealing([key]))
