"""An outbox full of events, the queue that they end in, and the relay as the process that a server runs.

Both sides send the same bodies to the same queue: the peer's are written by the relay's own code beforehand.
"""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID

import pika
import psycopg

from messages.commands import DownloadSubscriptions
from messages.events import CandidateChanged, Event, SubscriptionFound
from messages.routing import EVENTS_EXCHANGE
from sandbox.services import Services
from store import outbox
from store.connect import open_connection
from workers.letters import write

ROOT = Path(__file__).parent.parent
OWNER = "seatkeeper_owner"
ROLES = ("relay", "worker", "scheduler", "intake", "reclaim", "console")
QUEUE = "consumer.benchmark"
COMMANDS_QUEUE = "download"
NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
CORRELATION = UUID(int=9)
PATIENCE = 120.0
"""Seconds that one round may take."""


@dataclass(frozen=True)
class Stage:
    """One database and one pair of virtual hosts; addresses hold passwords of throw-away servers."""

    services: Services
    database: str
    internal: str
    edge: str

    def sql(self, statement: LiteralString, *values: object) -> list[Any]:
        """Run a statement as the superuser; give its rows."""
        with psycopg.connect(self.services.postgres.admin_url_of(self.database), autocommit=True) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def url(self, user: str, vhost: str) -> str:
        """Give RabbitMQ's address for a user."""
        return self.services.rabbitmq.url(user, vhost)

    def admin(self, vhost: str) -> pika.BlockingConnection:
        """Connect as RabbitMQ's administrator."""
        name = pika.URLParameters(self.services.rabbitmq.admin_url).credentials.username
        return pika.BlockingConnection(pika.URLParameters(self.url(name, vhost)))

    def relay_settings(self) -> dict[str, str]:
        """Give the environment of the relay."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SEATKEEPER_")}
        return kept | {
            "SEATKEEPER_DATABASE_URL": self.services.postgres.url("seatkeeper_relay", self.database),
            "SEATKEEPER_INTERNAL_URL": self.url("relay", self.internal),
            "SEATKEEPER_EDGE_URL": self.url("relay", self.edge),
            "PYTHONUNBUFFERED": "1",
        }


@contextlib.contextmanager
def staged(services: Services) -> Iterator[Stage]:
    """Make the database, the virtual hosts and a queue for all events; drop them in the end."""
    name = secrets.token_hex(4)
    database, prefix = f"bench_{name}", f"bench-{name}-"
    services.postgres.make_owner(OWNER)
    services.postgres.create_database(database, owner=OWNER)
    try:
        with services.postgres.changing_roles(), psycopg.connect(services.postgres.url(OWNER, database)) as connection:
            connection.execute((ROOT / "schema.sql").read_bytes())
        services.postgres.set_passwords(*(f"seatkeeper_{role}" for role in ROLES))
        stage = Stage(services, database, *services.rabbitmq.make_vhosts(prefix))
        stage.sql("INSERT INTO connection (alias, base_url) VALUES ('acme', 'http://127.0.0.1:1')")
        stage.sql(
            """INSERT INTO profile (name, display_name, connection_id, organization_gid, plan, analyze_activity_from)
               SELECT 'acme', 'Acme', id, '1201', 'enterprise', %s FROM connection""",
            NOW,
        )
        with contextlib.closing(stage.admin(stage.edge)) as connection:
            channel = connection.channel()
            channel.queue_declare(QUEUE, durable=True)
            channel.queue_bind(QUEUE, EVENTS_EXCHANGE, "#")
        yield stage
    finally:
        services.postgres.drop_database(database)
        services.rabbitmq.delete_vhosts(prefix)


def event_of(number: int) -> tuple[Event, str, int]:
    """Give the payload of one event, its subject and its sequence: a person is found and then becomes a candidate."""
    person, sequence = divmod(number, 2)
    gid = str(1_200_000_000_000_000 + person)
    if not sequence:
        found = SubscriptionFound(
            profile="acme",
            subscription_id=person + 1,
            user_gid=gid,
            software_model="member",
            is_admin=False,
            joined_at=NOW,
        )
        return found, f"subscription/{person + 1}", 1
    changed = CandidateChanged(
        profile="acme",
        subscription_id=person + 1,
        user_gid=gid,
        candidate_id=person + 1,
        state_from="attention_required",
        state_to="ready",
        by="rule",
        why="no act of work seen for 60 days; the last on 2026-01-01: task_created; the rule allows 60",
    )
    return changed, f"subscription/{person + 1}", 2


def _rows(channel: str, number: int, profile_id: int) -> Iterator[tuple[object, ...]]:
    for count in range(number):
        if channel == "command":
            command = DownloadSubscriptions(run_id=UUID(int=count), slice=0, correlation_id=CORRELATION)
            what: tuple[object, ...] = (command.actor, None, None, command.model_dump_json())
        else:
            event, subject, sequence = event_of(count)
            what = (type(event).__name__, subject, sequence, event.model_dump_json())
        yield channel, profile_id, *what, CORRELATION, NOW


def fill(stage: Stage, channel: str, number: int) -> None:
    """Let exactly these messages wait, committed, in a table as a vacuum leaves it."""
    stage.sql("TRUNCATE outbox")
    ((profile_id,),) = stage.sql("SELECT id FROM profile")
    with (
        psycopg.connect(stage.services.postgres.admin_url_of(stage.database)) as connection,
        connection.cursor() as cursor,
    ):
        columns = "channel, profile_id, name, subject, sequence, payload, correlation_id, occurred_at"
        with cursor.copy(f"COPY outbox ({columns}) FROM STDIN") as copy:
            for row in _rows(channel, number, profile_id):
                copy.write_row(row)
    stage.sql("VACUUM (ANALYZE) outbox")
    stage.sql("CHECKPOINT")


async def letters(stage: Stage, number: int) -> Iterator[str]:
    """Give what the relay would publish, a line of JSON for each."""
    async with open_connection(stage.services.postgres.url(OWNER, stage.database)) as connection:
        waiting = await outbox.unsent(connection, limit=number, now=datetime.now(UTC))
    written = ((write(message), message.message_id) for message in waiting)
    return (
        json.dumps([one.exchange, one.routing_key, one.content_type, one.mandatory, name, one.body.decode()])
        for one, name in written
    )


@contextlib.contextmanager
def relay_running(stage: Stage) -> Iterator[tuple[int, float]]:
    """Run `python -m workers.relay`; give its pid and when it began to lead, in Unix seconds."""
    process = subprocess.Popen(
        [sys.executable, "-m", "workers.relay"], cwd=ROOT, env=stage.relay_settings(), stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        said = next(line for line in process.stderr if '"leading"' in line)
        yield process.pid, datetime.fromisoformat(json.loads(said)["at"]).timestamp()
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def wait_until_sent(stage: Stage, vhost: str, queue: str, number: int) -> float:
    """Return the moment (Unix seconds) at which the last row was marked; looks at the queue first, which is cheap."""
    deadline = time.time() + PATIENCE
    with contextlib.closing(stage.admin(vhost)) as connection:
        channel = connection.channel()
        while channel.queue_declare(queue, passive=True).method.message_count < number and time.time() < deadline:
            time.sleep(0.02)
    with psycopg.connect(stage.services.postgres.admin_url_of(stage.database), autocommit=True) as database:
        while database.execute("SELECT 1 FROM outbox WHERE sent_at IS NULL LIMIT 1").fetchone():
            if time.time() > deadline:
                raise TimeoutError(f"{number} messages were not sent within {PATIENCE:.0f} seconds")
            time.sleep(0.005)
    return time.time()


def arrived(stage: Stage, vhost: str, queue: str) -> int:
    """Count what is in the queue, and empty it."""
    with contextlib.closing(stage.admin(vhost)) as connection:
        return int(connection.channel().queue_purge(queue).method.message_count)


def cpu_seconds(pid: int) -> float:
    """Give the processor time of a process that runs, user and system together; not a number where nobody tells."""
    told = Path(f"/proc/{pid}/stat")
    if not told.exists():
        return float("nan")
    fields = told.read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


Say = Callable[[str], None]
