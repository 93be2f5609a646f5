"""Each process says how it is, refuses to start by name, and ends when it is asked to."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator

import pytest

from sandbox.proxy import Proxy
from store.connect import SCHEMA_VERSION, Connection, open_connection
from tests.conftest import Database, Vhosts
from tests.eventually import eventually
from tests.rows import add_profile
from tests.workers.relay_stage import add_commands, add_events
from tests.workers.running import get, start

pytestmark = pytest.mark.anyio


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[Connection]:
    async with open_connection(database.owner_url) as connection:
        yield connection


def settings_of(database: Database, vhosts: Vhosts, role: str) -> dict[str, str]:
    """Return the environment of one process."""
    addresses = {"SEATKEEPER_DATABASE_URL": database.url(role)}
    if role != "scheduler":
        addresses["SEATKEEPER_INTERNAL_URL"] = vhosts.internal_url(role)
        addresses["SEATKEEPER_EDGE_URL"] = vhosts.edge_url(role)
    return addresses


@pytest.mark.services
@pytest.mark.parametrize("role", ["relay", "intake", "scheduler"])
async def test_each_process_starts_is_well_and_ends_when_asked(
    database: Database, vhosts: Vhosts, owner: Connection, role: str
) -> None:
    with start(f"workers.{role}", settings_of(database, vhosts, role)) as running:
        address = (await asyncio.to_thread(running.until, "operations_listening"))["address"]

        async def is_well() -> bool:
            return (await asyncio.to_thread(get, f"{address}/health"))[0] == 200

        assert await eventually(is_well), await asyncio.to_thread(get, f"{address}/health")
        code = await asyncio.to_thread(running.stop, signal.SIGINT if role == "relay" else signal.SIGTERM)
        assert code == 0
        said = running.rest()
    assert [line["event"] for line in said if isinstance(line, dict)][-1] == "stopped"
    assert not [line for line in said if isinstance(line, str)], "every line is JSON"


@pytest.mark.services
async def test_the_relay_shows_the_figures_and_says_when_the_outbox_is_old(
    database: Database, vhosts: Vhosts, owner: Connection
) -> None:
    acme = await add_profile(owner)
    await owner.execute("UPDATE connection SET requests_per_minute = 60")
    await owner.execute(
        """INSERT INTO credential (connection_id, kind, state, user_gid, access_token_sealed, connected_at,
                                   theoretical_arrival)
           SELECT id, 'personal_access_token', 'connected', '1', 'x', now(), now() + interval '1 hour'
             FROM connection"""
    )
    await owner.execute(
        """INSERT INTO run (profile_id, kind, state, correlation_id, requested_by, created_at, ended_at, reason)
           VALUES (%s, 'download', 'failed', gen_random_uuid(), 'ann', now(), now(), 'x')""",
        [acme],
    )
    await add_events(owner, acme)
    with Proxy(vhosts.internal_url("relay")) as proxy:
        proxy.stop()
        settings = settings_of(database, vhosts, "relay")
        settings["SEATKEEPER_INTERNAL_URL"] = proxy.through(settings["SEATKEEPER_INTERNAL_URL"])
        with start("workers.relay", settings) as running:
            address = (await asyncio.to_thread(running.until, "operations_listening"))["address"]
            lost = await asyncio.to_thread(running.until, "connection_lost")
            status, body = await asyncio.to_thread(get, f"{address}/health")
            _, figures = await asyncio.to_thread(get, f"{address}/metrics")
            proxy.restart()
            await asyncio.to_thread(running.until, "leading")
    checks = json.loads(body)["checks"]
    assert status == 503
    assert "refused" in lost["reason"]
    assert "refused" in checks["broker"]
    assert checks["database"] == "ok"
    assert checks["outbox_age"].startswith("1 messages wait, the oldest for ")
    for line in (
        'seatkeeper_runs{kind="download",state="failed"} 1.0',
        "seatkeeper_outbox_waiting 1.0",
        'seatkeeper_budget_left_ratio{connection="acme",credential="personal_access_token"} 0.0',
        "seatkeeper_quarantined 0.0",
        "seatkeeper_dead_letters 0.0",
    ):
        assert line in figures


@pytest.mark.services
async def test_sigterm_in_the_middle_of_the_outbox_ends_well_and_the_next_one_goes_on(
    database: Database, vhosts: Vhosts, owner: Connection
) -> None:
    acme = await add_profile(owner)
    settings = settings_of(database, vhosts, "relay")
    async with owner.transaction():
        await add_commands(owner, acme, 3000)

    async def unsent() -> int:
        cursor = await owner.execute("SELECT count(*) FROM outbox WHERE sent_at IS NULL")
        row = await cursor.fetchone()
        return int(row[0]) if row else 0

    async def under_way() -> bool:
        return await unsent() < 3000

    async def done() -> bool:
        return await unsent() == 0

    with start("workers.relay", settings) as running:
        assert await eventually(under_way)
        assert await asyncio.to_thread(running.stop) == 0
    with start("workers.relay", settings):
        assert await eventually(done)
    depths = await asyncio.to_thread(vhosts.rabbitmq.queue_depths, vhosts.internal)
    assert depths["download"] == 3000, "asked to stop, it finishes its batch: nothing twice"


@pytest.mark.parametrize(
    ("module", "settings", "line"),
    [
        (
            "workers.relay",
            {"SEATKEEPER_DATABASE_URL": "postgresql://x"},
            "relay: SEATKEEPER_INTERNAL_URL, SEATKEEPER_EDGE_URL must be set",
        ),
        (
            "workers.scheduler",
            {"SEATKEEPER_DATABASE_URL": "mysql://me:secret@x"},
            "scheduler: SEATKEEPER_DATABASE_URL: must begin with postgresql:// or postgres://",
        ),
        (
            "workers.scheduler",
            {"SEATKEEPER_DATABASE_URL": "postgresql://x", "SEATKEEPER_OPERATIONS_PORT": "99999"},
            "scheduler: SEATKEEPER_OPERATIONS_PORT: Input should be less than or equal to 65535",
        ),
    ],
)
def test_a_missing_or_wrong_setting_is_one_line_and_78(module: str, settings: dict[str, str], line: str) -> None:
    with start(module, settings) as running:
        assert running.process.wait(timeout=30) == 78
        assert running.rest() == [line]


@pytest.mark.services
async def test_a_database_that_is_not_ours_is_one_line_and_69(database: Database, owner: Connection) -> None:
    await owner.execute("UPDATE schema_version SET version = 99")
    with start("workers.scheduler", {"SEATKEEPER_DATABASE_URL": database.url("scheduler")}) as running:
        assert await asyncio.to_thread(running.process.wait, 30) == 69
        assert running.rest() == [f"scheduler: the database has schema version 99, this code needs {SCHEMA_VERSION}"]


@pytest.mark.services
async def test_a_database_that_comes_up_late_is_waited_for(database: Database) -> None:
    with Proxy(database.url("scheduler")) as proxy:
        proxy.stop()
        with start(
            "workers.scheduler", {"SEATKEEPER_DATABASE_URL": proxy.through(database.url("scheduler"))}
        ) as running:
            await asyncio.sleep(1)
            assert running.process.poll() is None
            proxy.restart()
            await asyncio.to_thread(running.until, "started")
