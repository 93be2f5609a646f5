"""What the benchmarks of the download stand on: a database with a published profile, and one download as a child.

    with look_alike(people=1000, latency_ms=50) as asana, find_services(durable=True, shared=False) as services:
        with place_for_downloads(services.postgres, asana) as place:
            first = place.download()

Every figure is taken from outside of the child, or by it of itself at its end; the database is the child's alone.
"""

import asyncio
import contextlib
import os
import secrets
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
import psycopg

from benchmarks.children import as_child
from benchmarks.results import ROOT
from connections.sealing import Sealing, credential_row, new_key
from sandbox.services import Postgres
from sandbox.stack import OWNER, ROLES, LookAlike, start_look_alike
from sandbox.supervisor import Supervisor
from store import connections, profiles, runs
from store.connect import Connection, open_connection
from store.profiles import Draft, Publication
from store.runs import Order

MEMBERSHIPS, USERS = "/workspaces/{workspace_gid}/workspace_memberships", "/users"


@dataclass(frozen=True)
class Downloaded:
    """One download. Wall and processor time are those of the whole child, its start included.

    `run_s` begins with the actor and ends with its last transaction; `active_s` is the time in which the database was
    at work for it (Postgres' `active_time`).
    """

    wall_s: float
    cpu_s: float
    run_s: float
    run_cpu_s: float
    peak_mib: float
    wal_bytes: int
    active_s: float
    slices: int
    counts: Mapping[str, int]
    pages: Mapping[str, int]
    """Of memberships and of users, as the look-alike counted them."""

    @property
    def chain(self) -> int:
        """The pages of the longer listing: what cannot be asked for side by side."""
        return max(self.pages.values())


@contextlib.contextmanager
def look_alike(*, people: int, latency_ms: float = 0, seed: int = 1) -> Iterator[LookAlike]:
    """Run an Asana look-alike as a process of its own; each answer waits `latency_ms`."""
    with (
        tempfile.TemporaryDirectory(prefix="seatkeeper-bench-") as folder,
        Supervisor(Path(folder)) as supervisor,
    ):
        yield start_look_alike(supervisor, people, seed, "--latency-ms", str(latency_ms))


def control(asana: LookAlike, method: str, address: str, **sent: object) -> dict[str, object]:
    """Use the look-alike's control surface, for example `control(asana, "POST", "limits", latency_ms=50)`."""
    answer = httpx.request(method, f"{asana.url}/-/sandbox/{address}", json=sent or None, timeout=60, trust_env=False)
    answer.raise_for_status()
    told: dict[str, object] = answer.json()
    return told


@dataclass(frozen=True)
class Place:
    """A database with a published profile for one look-alike, and no other processes."""

    postgres: Postgres
    database: str
    asana: LookAlike
    profile_id: int
    key: str = field(repr=False)

    @property
    def owner_url(self) -> str:
        """The address for the role that owns the database."""
        return self.postgres.url(OWNER, self.database)

    def order(self) -> UUID:
        """Ask for a download, as `./seats run download` does; return the run's id."""
        return asyncio.run(_ordered(self.owner_url, self.profile_id))

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Give a worker's settings for this place."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SEATKEEPER_")}
        url = self.postgres.url("seatkeeper_worker", self.database)
        return {**kept, "SEATKEEPER_DATABASE_URL": url, "SEATKEEPER_KEYS": self.key, **(more or {})}

    def download(self, more: Mapping[str, str] | None = None) -> Downloaded:
        """Order a download, carry it out in a child, and say what it took; `more` are further settings of it."""
        run_id = self.order()
        control(self.asana, "DELETE", "requests")
        with psycopg.connect(self.postgres.admin_url, autocommit=True) as admin:
            wal, active = _wal_position(admin), _active_s(admin, self.database)
            told, wall, cpu = as_child(["benchmarks.one_download", str(run_id)], self.environment(more))
            wal_after = _wal_position(admin)
            _wait_until_alone(admin, self.database)
            active_after = _active_s(admin, self.database)
        return Downloaded(
            wall_s=wall,
            cpu_s=cpu,
            wal_bytes=wal_after - wal,
            active_s=active_after - active,
            pages=self._pages_served(),
            **{name: told[name] for name in ("run_s", "run_cpu_s", "peak_mib", "slices", "counts")},
        )

    def _pages_served(self) -> dict[str, int]:
        served = control(self.asana, "GET", "requests")["by_route"]
        assert isinstance(served, dict)
        routes = {"memberships": MEMBERSHIPS, "users": USERS}
        return {name: served.get(f"GET {route}", 0) for name, route in routes.items()}


@contextlib.contextmanager
def place_for_downloads(postgres: Postgres, asana: LookAlike) -> Iterator[Place]:
    """Make a database with the schema, a credential without a budget, and a published profile; drop it in the end."""
    database = f"bench_{secrets.token_hex(4)}"
    postgres.make_owner(OWNER)
    postgres.create_database(database, owner=OWNER)
    try:
        url = postgres.url(OWNER, database)
        with postgres.changing_roles(), psycopg.connect(url, autocommit=True) as connection:
            connection.execute((ROOT / "schema.sql").read_bytes())
        postgres.set_passwords(*(f"seatkeeper_{role}" for role in ROLES))
        key = new_key()
        yield Place(postgres, database, asana, asyncio.run(_published(url, asana, key)), key)
    finally:
        postgres.drop_database(database)


async def _published(url: str, asana: LookAlike, key: str) -> int:
    now = datetime.now(UTC)
    async with open_connection(url) as owner:
        connection_id = await connected(owner, asana, key, per_minute=None)
        draft = Draft(
            name="acme",
            display_name="Acme",
            connection_id=connection_id,
            organization_gid=asana.organization_gid,
            organization_name="Acme",
            plan="enterprise",
            time_zone="UTC",
            currency="EUR",
            analyze_activity_from=now - timedelta(days=120),
            removal_cap=1000,
            provisioned_by_scim=False,
        )
        await profiles.create(owner, draft)
        profile = await profiles.get(owner, "acme")
        assert profile is not None
        await profiles.publish(owner, profile, Publication(cron="0 5 * * *", threshold_days=60), now)
        return profile.id


async def connected(owner: Connection, asana: LookAlike, key: str, *, per_minute: int | None) -> int:
    """Keep a connection with the admin's token and that budget (None: unlimited); return its id."""
    connection_id = await connections.save(
        owner,
        alias="acme",
        base_url=asana.url,
        client_id=None,
        client_secret_sealed=None,
        requests_per_minute=per_minute,
    )
    row = credential_row("acme", "personal_access_token", "access_token")
    grant = connections.SealedGrant(
        kind="personal_access_token",
        user_gid=str(control(asana, "GET", "about")["admin_gid"]),
        access_token=Sealing([key]).seal(asana.admin_token, row),
    )
    await connections.keep_grant(owner, connection_id, "acme", grant, datetime.now(UTC))
    return connection_id


async def _ordered(url: str, profile_id: int) -> UUID:
    order = Order(profile_id=profile_id, kind="download", requested_by="a benchmark")
    async with open_connection(url) as owner, owner.transaction():
        return await runs.add_step(owner, order, datetime.now(UTC))


def _wal_position(admin: psycopg.Connection) -> int:
    """Give how many bytes of write-ahead log the server has written, ever."""
    row = admin.execute("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint").fetchone()
    assert row is not None
    return int(row[0])


def _active_s(admin: psycopg.Connection, database: str) -> float:
    """Give the seconds in which sessions of a database worked (`active_time`), up to the last one that ended."""
    row = admin.execute("SELECT active_time FROM pg_stat_database WHERE datname = %s", [database]).fetchone()
    assert row is not None
    return float(row[0]) / 1000


def _wait_until_alone(admin: psycopg.Connection, database: str) -> None:
    """Return when nobody is connected: a session hands its figures over when it ends."""
    sessions = "SELECT FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'"
    while admin.execute(sessions, [database]).fetchone():
        time.sleep(0.01)
