"""Seatkeeper under Docker Compose, as compose.yaml has it on a server, beside the look-alike, for a trial of its own.

    with composed_stack(people=2000) as stack:
        stack.seats("profile", "list")

The project's name, its secrets, its image and its ports are this trial's alone, so an installation on the same machine
is never touched; all of it is taken down with the block, whatever ends it.
"""

import contextlib
import os
import secrets
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import httpx

from sandbox.compose_secrets import make_secrets
from sandbox.stack import ROOT, LookAlike, StackError, free_port

FILES = ("compose.yaml", "compose.sandbox.yaml")
OVERRIDE = "SEATKEEPER_COMPOSE_OVERRIDE"
"""Names one more file for Compose, for a machine whose builds need something special."""
OURS = ("relay", "intake", "scheduler", "worker", "reclaim")
SERVERS = ("postgres", "rabbitmq", "asana")
LONGEST_START = 180
_KEPT_OUT = ("SEATKEEPER_", "COMPOSE_")
_PROGRESS = ("Container ", "Network ", "Volume ")
_ERASE = "\x1b[2K"
"""Compose writes it before a line of a log, whether or not anybody looks at a screen."""


@dataclass(frozen=True)
class Compose:
    """`docker compose` for one project. Its child does not hear Ctrl-C: we end it in order, and then take down."""

    project: str
    environment: Mapping[str, str]

    def command(self, *arguments: str) -> list[str]:
        """Give the command line; no .env file of the checkout is read."""
        files = [*FILES, *filter(None, [os.environ.get(OVERRIDE)])]
        words = [word for file in files for word in ("--file", file)]
        fixed = ["--ansi", "never", "--project-name", self.project, "--env-file", os.devnull, "--profile", "sandbox"]
        return ["docker", "compose", *fixed, *words, *arguments]

    def begin(self, argv: Sequence[str], more: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a command with pipes to it, in this project's environment."""
        return subprocess.Popen(
            argv,
            cwd=ROOT,
            env={**self.environment, **(more or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        """Run one `docker compose …` to its end and return what it printed; StackError with its last lines."""
        return self._ended(self.command(*arguments), stdin)

    def docker(self, *arguments: str) -> str:
        """Run one `docker …` in the same way."""
        return self._ended(["docker", *arguments], None)

    def _ended(self, argv: list[str], stdin: str | None) -> str:
        process = self.begin(argv)
        try:
            out, complaint = process.communicate(stdin)
        except BaseException:
            process.terminate()  # Compose stops what it is doing; what it made already is taken down afterwards
            process.communicate()
            raise
        if process.returncode:
            lines = [line.strip() for line in (complaint.strip() or out.strip()).splitlines()]
            said = " / ".join(dict.fromkeys(line for line in lines[-4:] if not line.startswith(_PROGRESS)))
            raise StackError(f"{' '.join(argv[:2])} … {argv[-1]} ended with {process.returncode}: {said}")
        return out

    def container(self, service: str) -> str:
        """Give the id of a service's one container, running or not."""
        found = self.run("ps", "--all", "--quiet", service).split()
        if len(found) != 1:
            raise StackError(f"there is no one container of {service}: {len(found)}")
        return found[0]


@dataclass(frozen=True)
class ComposedStack:
    """The running whole, reached as an operator and as outsiders reach it."""

    compose: Compose
    folder: Path
    ports: Mapping[str, int]

    @cached_property
    def asana(self) -> LookAlike:
        """The look-alike, by what it tells of itself."""
        url = f"http://127.0.0.1:{self.ports['asana']}"
        about = httpx.get(f"{url}/-/sandbox/about", trust_env=False).raise_for_status().json()
        known = ("admin_token", "client_id", "client_secret", "organization_gid")
        return LookAlike(url, *(str(about[key]) for key in known))

    def database_url(self, role: str) -> str:
        """Give the published database's address for a process by its short name."""
        address = (self.folder / f"{role}_database_url").read_text(encoding="utf-8").strip()
        return address.replace("@postgres:5432/", f"@127.0.0.1:{self.ports['postgres']}/")

    def edge_url(self, user: str) -> str:
        """Give the published edge's address for `requester` or `consumer`."""
        return (self.folder / f"{user}_edge_url").read_text(encoding="utf-8").strip()

    def seats(self, *arguments: str, stdin: str | None = None) -> str:
        """Run the command in a container of its own, as an operator of a server does."""
        return self.compose.run("run", "--rm", "--no-deps", "--no-TTY", "console", *arguments, stdin=stdin)

    def terminal(self, *arguments: str, more: Mapping[str, str]) -> subprocess.Popen[str]:
        """Begin the command in a container of its own; of `more`, only the names stand on its command line."""
        names = [word for name in more for word in ("--env", name)]
        command = self.compose.command("run", "--rm", "--no-deps", "--no-TTY", *names, "console", *arguments)
        return self.compose.begin(command, more)


@contextlib.contextmanager
def composed_stack(*, people: int, seed: int, say: Callable[[str], None]) -> Iterator[ComposedStack]:
    """Build the image, bring everything up and yield it healthy; StackError where that cannot be."""
    with tempfile.TemporaryDirectory(prefix="seatkeeper-compose-") as place:
        folder = Path(place) / "secrets"
        ports = {name: free_port() for name in ("amqp", "management", "postgres", "asana")}
        make_secrets(folder, ports["amqp"])
        project = f"seatkeeper-demo-{secrets.token_hex(3)}"
        compose = Compose(project, _environment(project, folder, ports, people, seed))
        try:
            say(f"building the image {compose.environment['SEATKEEPER_IMAGE']}")
            compose.run("build", "--quiet", "init")
            say(f"starting the project {project}: docker compose up --wait, with {people:,} people in the look-alike")
            _start(compose)
            yield ComposedStack(compose, folder, ports)
        finally:
            say("taking everything down: containers, networks, volumes, the image")
            with _undisturbed():
                take_down(compose)


def _start(compose: Compose) -> None:
    try:
        compose.run("up", "--detach", "--wait", "--wait-timeout", str(LONGEST_START), "--no-build")
    except StackError as error:
        raise StackError(f"{error}; {_unwell(compose) or 'nothing is unwell'}") from None


def _unwell(compose: Compose) -> str:
    """Say which containers are not well, each with the last line of its log."""
    rows = compose.run("ps", "--all", "--format", "{{.Service}} {{.State}} {{.ExitCode}} {{.Health}}").splitlines()
    well = ("running 0 healthy", "exited 0")
    found = [row.split()[0] for row in rows if not row.partition(" ")[2].strip().startswith(well)]
    logs = {one: compose.run("logs", "--no-log-prefix", "--tail", "1", one) for one in found}
    lines = {service: log.replace(_ERASE, "").strip() for service, log in logs.items()}
    return "; ".join(f"{service} is not well: {line}" for service, line in lines.items() if line)


def _environment(project: str, folder: Path, ports: Mapping[str, int], people: int, seed: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_KEPT_OUT)}
    published = {f"SEATKEEPER_{name.upper()}_PORT": str(port) for name, port in ports.items()}
    ours = {
        "SEATKEEPER_SECRETS": str(folder),
        "SEATKEEPER_IMAGE": f"seatkeeper:{project.rpartition('-')[2]}",
        "SEATKEEPER_ASANA_PEOPLE": str(people),
        "SEATKEEPER_ASANA_SEED": str(seed),
        "SEATKEEPER_OPERATOR": "demo",
    }
    return {**kept, **published, **ours}


def take_down(compose: Compose) -> None:
    """Remove all that the project made; what cannot be removed is said by StackError."""
    compose.run("--profile", "console", "down", "--volumes", "--remove-orphans", "--timeout", "10")
    with contextlib.suppress(StackError):  # it was not built
        compose.docker("image", "rm", compose.environment["SEATKEEPER_IMAGE"])


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C does not stop the taking down."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
