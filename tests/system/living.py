"""A living Seatkeeper for tests that break it: the stack of the demo, published without the console, driven by rows.

Its organization pays for everything: activity comes of tasks, search and audit log, read as a service account.
"""

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import anyio
import httpx
import psycopg
from psycopg.rows import dict_row

from connections.sealing import Sealing, credential_row
from messages.kinds import RunKind
from sandbox.demo.truths import Expected, Views, expect, log_from, read_removals, read_truth
from sandbox.services import Services
from sandbox.stack import Stack, running_stack
from store import connections, cycles, plans, profiles
from store.connect import Connection, open_connection
from store.connections import CredentialKind
from store.profiles import Draft, Publication
from store.runs import Order

T = TypeVar("T")
Row = dict[str, Any]  # a row, whose columns the query names

IMPATIENT = {
    "SEATKEEPER_CALL_WINDOW_SECONDS": "3",
    "SEATKEEPER_RECOVERY_AFTER_SECONDS": "1",
    "SEATKEEPER_RECOVERY_PAUSE_SECONDS": "0.2",
}
"""What is seconds or minutes on a server, short enough for a test."""
LONGEST_WAIT = 90.0


@dataclass
class Living:
    """A published profile on a running stack."""

    stack: Stack
    since: datetime
    ours: str
    service: str = ""
    """The service account, which activity is read as; empty where there is none."""

    def rows(self, query: str, *values: object) -> list[Row]:
        """Read anything, as the owner."""
        url = self.stack.database_url("owner")
        with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
            return connection.execute(query.encode(), values).fetchall()

    def count(self, query: str, *values: object) -> int:
        """Read one number."""
        (row,) = self.rows(query, *values)
        (number,) = row.values()
        return int(number)

    def order(self, kind: RunKind, plan: str | None = None) -> UUID:
        """Ask for a run."""

        async def work(connection: Connection) -> UUID:
            order = Order(profile_id=1, kind=kind, requested_by="a test", plan_hash=plan)
            return await cycles.add(connection, order, datetime.now(UTC))

        return self._in_transaction(work)

    def approved_plan(self, limit: int) -> str:
        """Unleash the profile, plan for so many people, approve it; return its hash."""

        async def work(connection: Connection) -> str:
            await connection.execute("UPDATE profile SET work_goes_to = 'the admin', leashed = false")
            now = datetime.now(UTC)
            plan = await plans.make(connection, profile_id=1, made_by="a test", now=now, limit=limit)
            await plans.approve(connection, plan.hash, by="an approver", now=now)
            return plan.hash

        return self._in_transaction(work)

    def _in_transaction(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        async def inside() -> T:
            async with open_connection(self.stack.database_url("owner")) as connection, connection.transaction():
                return await work(connection)

        return anyio.run(inside)

    def ended(self, run_id: UUID) -> Row:
        """Wait for a run's end and return its row."""

        def look() -> Row | None:
            (row,) = self.rows("SELECT state, reason, counts FROM run WHERE id = %s", run_id)
            return row if row["state"] in {"finished", "failed", "coalesced", "not_run"} else None

        return self.until(f"run {run_id} ends", look)

    def until(self, what: str, look: Callable[[], T | None]) -> T:
        """Look again and again until something is there."""
        deadline = time.monotonic() + LONGEST_WAIT
        while time.monotonic() < deadline:
            if (found := look()) is not None:
                return found
            time.sleep(0.02)
        logs = {path.name: path.read_text()[-1500:] for path in self.stack.folder.glob("*.log")}
        raise AssertionError(f"{what}: not within {LONGEST_WAIT:.0f} s; logs end with {logs}")

    def fault(self, kind: str, **script: object) -> None:
        """Script the look-alike's answers."""
        answer = httpx.post(f"{self.stack.asana.url}/-/sandbox/faults", json={"kind": kind, **script}, trust_env=False)
        assert answer.is_success, answer.text

    def expected(self, pulled_at: datetime, judged_at: datetime) -> Expected:
        """Say what a right cycle found whose activity pull and whose verdicts began at these moments."""
        logged = log_from(self.since, pulled_at)
        truth = read_truth(self.stack.asana.url, self.service, self.since, logged)
        return expect(truth, {self.ours, self.service}, judged_at, Views(log_from=logged))

    def removals(self) -> list[Row]:
        """Return the look-alike's own record of removal calls."""
        return read_removals(self.stack.asana.url)

    def events(self, name: str) -> int:
        """Count the events of a type that were said."""
        return self.count("SELECT count(*) FROM outbox WHERE channel = 'event' AND name = %s", name)


@contextmanager
def living(services: Services, people: int, seed: int) -> Iterator[Living]:
    """Bring up a stack with a published profile for so many people."""
    with running_stack(people=people, seed=seed, more=IMPATIENT, services=services) as stack:
        about = httpx.get(f"{stack.asana.url}/-/sandbox/about", trust_env=False).json()
        since = datetime.now(UTC) - timedelta(days=120)
        admin, service = about["admin_gid"], _service_account(stack.asana.url, about["service_account_token"])
        tokens: dict[CredentialKind, tuple[str, str]] = {
            "personal_access_token": (admin, stack.asana.admin_token),
            "service_account": (service, about["service_account_token"]),
        }
        anyio.run(_publish, stack, tokens, since)
        yield Living(stack, since, admin, service)


def _service_account(url: str, token: str) -> str:
    answer = httpx.get(f"{url}/api/1.0/users/me", headers={"Authorization": f"Bearer {token}"}, trust_env=False)
    return str(answer.raise_for_status().json()["data"]["gid"])


async def _publish(stack: Stack, tokens: dict[CredentialKind, tuple[str, str]], since: datetime) -> None:
    now = datetime.now(UTC)
    async with open_connection(stack.database_url("owner")) as connection, connection.transaction():
        connection_id = await connections.save(
            connection,
            alias="acme",
            base_url=stack.asana.url,
            client_id=None,
            client_secret_sealed=None,
            requests_per_minute=None,
        )
        for kind, (user_gid, token) in tokens.items():
            sealed = Sealing([stack.key]).seal(token, credential_row("acme", kind, "access_token"))
            grant = connections.SealedGrant(kind=kind, user_gid=user_gid, access_token=sealed)
            await connections.keep_grant(connection, connection_id, "acme", grant, now)
        draft = Draft(
            name="acme",
            display_name="Acme",
            connection_id=connection_id,
            organization_gid=stack.asana.organization_gid,
            organization_name="Acme",
            plan="enterprise",
            time_zone="UTC",
            currency="EUR",
            analyze_activity_from=since,
            removal_cap=1000,
            provisioned_by_scim=False,
        )
        await profiles.create(connection, draft)
        profile = await profiles.get(connection, "acme")
        assert profile is not None
        publication = Publication(cron="0 5 * * *", threshold_days=None)
        await profiles.publish(connection, profile, publication, now)
