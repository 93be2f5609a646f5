"""Seatkeeper as a server runs it, on one machine: the real processes beside throw-away servers and the look-alike.

    with running_stack(people=300) as stack:
        stack.seats("profile", "list")

The demo and the tests that kill processes stand on it. Everything ends with the block, whatever ends it; a process that
dies in between is started again, as systemd or Compose would.
"""

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from connections.sealing import new_key
from sandbox.peaks import Highest, run_watched
from sandbox.services import Services, find_services
from sandbox.supervisor import Supervisor

ROOT = Path(__file__).parent.parent
OWNER = "seatkeeper_owner"
ROLES = ("scheduler", "relay", "intake", "worker", "reclaim", "console")
SLOW_QUEUES = ("download", "activity", "candidates", "reconcile")


class StackError(Exception):
    """The stack cannot be brought up; the sentence says what is wrong."""


@dataclass(frozen=True)
class LookAlike:
    """Where the look-alike is, and what it told of itself at its start."""

    url: str
    admin_token: str
    client_id: str
    client_secret: str
    organization_gid: str


@dataclass
class Stack:
    """The running whole. Addresses hold passwords of throw-away servers."""

    services: Services
    supervisor: Supervisor
    asana: LookAlike
    folder: Path
    internal_vhost: str
    edge_vhost: str
    database: str
    key: str
    ports: dict[str, int] = field(default_factory=dict)
    largest_command: Highest = field(default_factory=Highest)
    """How much memory `./seats` took at most."""

    def database_url(self, role: str) -> str:
        """Give the database's address for a process by its short name, or `owner`."""
        return self.services.postgres.url(f"seatkeeper_{role}", self.database)

    def edge_url(self, user: str) -> str:
        """Give the edge's address for `requester`, `consumer`, `relay` or `intake`."""
        return self.services.rabbitmq.url(user, self.edge_vhost)

    def health(self, process: str) -> str:
        """Give the address that answers 200 while the process is well."""
        return f"http://127.0.0.1:{self.ports[process]}/health"

    def seats(self, *arguments: str, stdin: str | None = None) -> str:
        """Run `./seats` as an operator would; return what it printed. StackError with its complaint if it fails."""
        command = [sys.executable, "-m", "console", *arguments]
        environment = self.environment("console")
        done = run_watched(command, self.largest_command, folder=ROOT, env=environment, stdin=stdin)
        if done.returncode:
            raise StackError(f"./seats {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def terminal(self, *arguments: str, more: Mapping[str, str]) -> subprocess.Popen[str]:
        """Begin `./seats` as a person does who will be asked something; `more` is added to its environment."""
        return subprocess.Popen(
            [sys.executable, "-m", "console", *arguments],
            cwd=ROOT,
            env=self.environment("console", more),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def environment(self, process: str, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Give the environment of a process: what it needs, and nothing that it does not."""
        rabbitmq = self.services.rabbitmq
        ours = {
            "SEATKEEPER_DATABASE_URL": self.database_url(process),
            "SEATKEEPER_OPERATIONS_PORT": str(self.ports.get(process, 0)),
        }
        if process in {"worker", "reclaim", "console"}:
            ours["SEATKEEPER_KEYS"] = self.key
        if process in {"worker", "reclaim", "relay", "intake"}:
            ours["SEATKEEPER_INTERNAL_URL"] = rabbitmq.url(process, self.internal_vhost)
        if process in {"relay", "intake"}:
            ours["SEATKEEPER_EDGE_URL"] = rabbitmq.url(process, self.edge_vhost)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SEATKEEPER_")}
        return {**kept, "PYTHONUNBUFFERED": "1", **ours, **(more or {})}

    def start(self, process: str, *argv: str, more: Mapping[str, str] | None = None) -> None:
        """Start one of our processes and keep it running."""
        self.ports[process] = free_port()
        command = [sys.executable, "-m", *argv]
        self.supervisor.start(process, command, self.environment(process, more))

    def wait_healthy(self, *processes: str) -> None:
        """Return when each of them says that it is well."""
        for process in processes:
            self.supervisor.wait_ready(process, self.health(process))


PROCESSES: dict[str, tuple[str, ...]] = {
    "relay": ("workers.relay",),
    "intake": ("workers.intake",),
    "scheduler": ("workers.scheduler",),
    "worker": ("workers.consume", *SLOW_QUEUES),
    "reclaim": ("workers.consume", "reclaim"),
}
"""Each process, and the module that it is."""


@contextlib.contextmanager
def running_stack(
    *,
    people: int,
    seed: int = 1,
    say: Callable[[str], None] = print,
    more: Mapping[str, str] | None = None,
    services: Services | None = None,
) -> Iterator[Stack]:
    """Bring everything up and yield it: empty database with the schema, processes well, nobody connected yet.

    `more` is added to every process's environment (SEATKEEPER_… settings). Raises ServiceError, NotReadyError or
    StackError, each with one line on what to do.
    """
    with contextlib.ExitStack() as until_the_end:
        found = services or until_the_end.enter_context(find_services(say=say))
        folder = Path(until_the_end.enter_context(tempfile.TemporaryDirectory(prefix="seatkeeper-stack-")))
        supervisor = until_the_end.enter_context(Supervisor(folder))
        name = secrets.token_hex(4)
        vhosts = found.rabbitmq.make_vhosts(f"stack-{name}-")
        until_the_end.callback(found.rabbitmq.delete_vhosts, f"stack-{name}-")
        database = f"seatkeeper_{name}"
        found.postgres.make_owner(OWNER)
        found.postgres.create_database(database, owner=OWNER)
        until_the_end.callback(found.postgres.drop_database, database)
        say(f"starting an Asana look-alike with {people:,} people")
        asana = start_look_alike(supervisor, people, seed)
        stack = Stack(found, supervisor, asana, folder, *vhosts, database, new_key())
        until_the_end.enter_context(_processes(stack, say, more))
        yield stack


@contextlib.contextmanager
def _processes(stack: Stack, say: Callable[[str], None], more: Mapping[str, str] | None) -> Iterator[None]:
    """Load the schema and run our processes; they end before their database and virtual hosts are dropped."""
    say("loading the schema and starting the processes")
    load_schema(stack)
    try:
        for process, argv in PROCESSES.items():
            stack.start(process, *argv, more=more)
        stack.wait_healthy(*PROCESSES)
        yield
    finally:
        for process in PROCESSES:
            with contextlib.suppress(KeyError):
                stack.supervisor.stop(process)


def load_schema(stack: Stack) -> None:
    """Run `seats init`, with the passwords that the sandbox's servers know these roles by."""
    passwords = [f"{role}={urlsplit(stack.database_url(role)).password}" for role in ROLES]
    with stack.services.postgres.changing_roles():
        stack.seats(
            "init",
            "--owner-url",
            stack.database_url("owner"),
            *(word for password in passwords for word in ("--password-for", password)),
        )


def start_look_alike(supervisor: Supervisor, people: int, seed: int, *arguments: str) -> LookAlike:
    """Start the look-alike as a process of its own and read what it tells of itself."""
    argv = [sys.executable, "-m", "sandbox.asana", "--port", "0", "--people", str(people), "--seed", str(seed)]
    supervisor.start("asana", [*argv, *arguments], {**os.environ, "PYTHONUNBUFFERED": "1"})
    log = supervisor.log("asana")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        line = log.read_text(encoding="utf-8").partition("\n")
        if line[1]:
            return _read_about(line[0], log)
        time.sleep(0.02)
    raise StackError(f"the look-alike does not start; its output is in {log}")


def _read_about(line: str, log: Path) -> LookAlike:
    try:
        about = json.loads(line)
    except json.JSONDecodeError:
        raise StackError(f"the look-alike does not start: {log.read_text(encoding='utf-8')[-500:]}") from None
    return LookAlike(
        *(str(about[key]) for key in ("url", "admin_token", "client_id", "client_secret", "organization_gid"))
    )


def free_port() -> int:
    """Find a port of 127.0.0.1 that nobody listens on just now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
