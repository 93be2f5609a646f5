"""`seats` as a person or a program runs it: a command line in, its output, its error line and its exit code out."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from typer.testing import CliRunner

from connections.sealing import new_key
from console.app import app
from sandbox.asana import Running, running
from tests.conftest import Database

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:  # noqa: ANN401 - a document of any shape
        return json.loads(self.out)


@dataclass
class Seats:
    """The command with an environment."""

    env: dict[str, str] = field(default_factory=dict)

    def __call__(self, *args: str, stdin: str | None = None, **env: str) -> Ended:
        result = CliRunner(env={"COLUMNS": "300"}).invoke(app, list(args), input=stdin, env={**self.env, **env})
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ended(result.exit_code, result.stdout, result.stderr)

    def ok(self, *args: str, stdin: str | None = None) -> Any:  # noqa: ANN401 - a document of any shape
        """Run with --json, and read the one document of a command that went well."""
        ended = self(*args, "--json", stdin=stdin)
        assert ended.code == 0, ended.err
        return ended.json()


@pytest.fixture(scope="session")
def key() -> str:
    return new_key()


@pytest.fixture
def seats(database: Database, key: str) -> Seats:
    return Seats(
        {"SEATKEEPER_DATABASE_URL": database.url("console"), "SEATKEEPER_KEYS": key, "SEATKEEPER_OPERATOR": "Ola"}
    )


@pytest.fixture(scope="module")
def shared_asana() -> Iterator[Running]:
    with running(people=30, seed=3) as one:
        yield one


@pytest.fixture
def asana(shared_asana: Running) -> Iterator[Running]:
    yield shared_asana
    shared_asana.look.begin_again()


@pytest.fixture
def nowhere() -> str:
    """An address at which nobody answers."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}"


def code_for(address: str) -> str:
    """Be the administrator's browser: open the address, press Allow, and read the code from the page."""
    page = httpx.get(address)
    assert page.status_code == 200, page.text
    form = {name: unescape(value) for name, value in re.findall(r'type="hidden" name="(.*?)" value="(.*?)"', page.text)}
    assert form == dict(parse_qsl(urlsplit(address).query))
    allowed = httpx.post(str(httpx.URL(address).join("/-/oauth_authorize")), data={**form, "allow": "yes"})
    found = re.search(r'<code id="code">(.*?)</code>', allowed.text)
    assert found, allowed.text
    return unescape(found[1])


def connect_by_browser(env: dict[str, str], *args: str) -> subprocess.CompletedProcess[str]:
    """Run `seats connect` as its own process: read the address that it prints, be the browser, paste the code."""
    command = [sys.executable, "-m", "console", "connect", *args]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SEATKEEPER_")}
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**clean, **env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if line.startswith("http"):
                process.stdin.write(code_for(line.strip()) + "\n")
                process.stdin.flush()
                break
        out, rest = process.communicate(timeout=30)
        return subprocess.CompletedProcess(command, process.returncode, out, said + rest)


@pytest.fixture
def connected(seats: Seats, asana: Running) -> Seats:
    """Connection acme, by a personal access token of the first admin."""
    seats.ok("connect", "acme", f"--url={asana.url}", "--token-file=-", stdin=asana.admin_token + "\n")
    return seats


@pytest.fixture
def drafted(connected: Seats) -> Seats:
    """Profile acme as a draft, its times in Berlin."""
    connected.ok("profile", "create", "acme", "--connection=acme", "--plan=advanced", "--time-zone=Europe/Berlin")
    return connected


@pytest.fixture
def published(drafted: Seats) -> Seats:
    """Profile acme, published without a first cycle."""
    drafted.ok("profile", "publish", "acme", "--no-first-cycle")
    return drafted
