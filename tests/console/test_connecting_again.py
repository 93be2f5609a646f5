"""Connecting an alias that others use meanwhile, and what is refused before anything is asked or saved."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from connections.sealing import new_key
from console.errors import explained
from sandbox.asana import Running, running
from tests.conftest import Database
from tests.console.conftest import ROOT, Seats, code_for

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def shared_elsewhere() -> Iterator[Running]:
    """Another Asana."""
    with running(people=10, seed=9) as one:
        yield one


@pytest.fixture
def elsewhere(shared_elsewhere: Running) -> Iterator[Running]:
    yield shared_elsewhere
    shared_elsewhere.look.begin_again()


@contextmanager
def at_the_prompt(env: dict[str, str], *args: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Run `seats connect` until it waits for the code; yields the process and the address that it printed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SEATKEEPER_")}
    pipe = subprocess.PIPE
    command = [sys.executable, "-m", "console", "connect", *args]
    with subprocess.Popen(
        command, cwd=ROOT, env=clean | env, stdin=pipe, stdout=pipe, stderr=pipe, text=True
    ) as process:
        assert process.stderr is not None
        said = ""
        while not said.endswith("Paste the code that Asana shows: "):
            said += process.stderr.read(1)
        try:
            yield process, next(line for line in said.splitlines() if line.startswith("http"))
        finally:
            process.kill()


def pasted(process: "subprocess.Popen[str]", code: str) -> str:
    """Paste the code and return what is said then."""
    assert process.stdin is not None
    assert process.stderr is not None
    process.stdin.write(code + "\n")
    process.stdin.close()
    said = process.stderr.read()
    process.wait()
    return said


def with_secret(seats: Seats, asana: Running) -> dict[str, str]:
    return seats.env | {"SEATKEEPER_CLIENT_SECRET": asana.client_secret}


def stands(database: Database, alias: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database.owner_url) as owner:
        return owner.execute(
            """SELECT c.base_url, r.kind, r.user_gid::text FROM connection c JOIN credential r ON r.connection_id = c.id
                WHERE c.alias = %s""",
            [alias],
        ).fetchall()


# Two who connect one alias


def test_who_connects_an_alias_elsewhere_meanwhile_is_not_moved(
    seats: Seats, asana: Running, elsewhere: Running, database: Database
) -> None:
    arguments = ("race", f"--url={asana.url}", f"--client-id={asana.client_id}")
    with at_the_prompt(with_secret(seats, asana), *arguments) as (process, address):
        seats.ok("connect", "race", f"--url={elsewhere.url}", "--token-file=-", stdin=elsewhere.admin_token + "\n")
        seats.ok("profile", "create", "onrace", "--connection=race", "--plan=advanced")
        before = stands(database, "race")
        said = pasted(process, code_for(address))
    assert process.returncode == 4, said
    assert "somebody else connected or changed race" in said
    assert stands(database, "race") == before
    assert before[0][0] == elsewhere.url


def test_a_profile_that_came_meanwhile_holds_its_connection(
    seats: Seats, asana: Running, elsewhere: Running, database: Database
) -> None:
    seats.ok("connect", "race", f"--url={elsewhere.url}", "--token-file=-", stdin=elsewhere.admin_token + "\n")
    arguments = ("race", f"--url={asana.url}", f"--client-id={asana.client_id}")
    with at_the_prompt(with_secret(seats, asana), *arguments) as (process, address):
        seats.ok("profile", "create", "onrace", "--connection=race", "--plan=advanced")
        said = pasted(process, code_for(address))
    assert process.returncode == 4, said
    assert "profile onrace stands on" in said
    assert stands(database, "race")[0][0] == elsewhere.url


def test_an_account_of_another_organization_is_refused(drafted: Seats, asana: Running, database: Database) -> None:
    before = stands(database, "acme")
    with psycopg.connect(database.owner_url) as owner:
        owner.execute("UPDATE profile SET organization_gid = '77', organization_name = 'Other'")
    ended = drafted("connect", "acme", "--token-file=-", stdin=asana.admin_token + "\n")
    assert ended.code == 4
    assert "profile acme stands on acme for organization 77 (Other)" in ended.err
    assert stands(database, "acme") == before


# What can be none


@pytest.mark.parametrize("alias", ["E 1/ü", "a" * 300, "", "Acme", "-a"])
def test_a_name_that_can_be_none(seats: Seats, asana: Running, alias: str) -> None:
    asked = asana.requests.total
    for arguments in (["--", alias], ["acme", f"--parent={alias}"]):
        ended = seats("connect", f"--url={asana.url}", "--token-file=-", *arguments, stdin="2/x\n")
        assert ended.code == 2, ended.err
        assert "1 to 63 lower-case letters" in ended.err
    assert asana.requests.total == asked


def test_a_row_that_the_database_refuses_is_shown_to_nobody(database: Database) -> None:
    with psycopg.connect(database.owner_url) as owner, pytest.raises(psycopg.Error) as refused:
        owner.execute("INSERT INTO connection (alias, base_url, client_secret_sealed) VALUES ('X', 'http://x', 's3cr')")
    assert "Failing row" in str(refused.value)
    wrapped = RuntimeError("something else")
    wrapped.__cause__ = refused.value
    for error in (refused.value, wrapped, ExceptionGroup("several", [refused.value])):
        told = explained(error)
        assert told is not None
        assert "violates check constraint" in told[0]
        assert "Failing row" not in told[0]


def test_a_service_account_needs_a_person_first(seats: Seats, asana: Running) -> None:
    ended = seats("connect", "new", f"--url={asana.url}", "--service-account-token-file=-", stdin="2/x\n")
    assert ended.code == 2
    assert "connect a person first" in ended.err


def test_a_service_account_is_added_though_the_same_address_is_given(connected: Seats, asana: Running) -> None:
    ordinary = next(p for p in asana.organization.people.values() if p not in asana.organization.admins())
    token = asana.look.credentials.service_account_token(ordinary)
    arguments = ("connect", "acme", "--service-account-token-file=-")
    assert connected(*arguments, "--url=http://127.0.0.1:1", stdin=token + "\n").code == 4
    added = connected.ok(*arguments, f"--url={asana.url}/", stdin=token + "\n")
    assert [one["kind"] for one in added["credentials"]] == ["service_account"]


def test_a_code_that_asana_does_not_take(seats: Seats, asana: Running) -> None:
    arguments = ("connect", "acme", f"--url={asana.url}", f"--client-id={asana.client_id}")
    ended = seats(*arguments, stdin="2/not-a-code\n", SEATKEEPER_CLIENT_SECRET=asana.client_secret)
    assert ended.code == 77
    assert "it is wrong, was used, or is too old. Run the command again" in ended.err
    assert "refresh token" not in ended.err


def test_nobody_there_is_said_without_the_name_of_a_class(seats: Seats, nowhere: str) -> None:
    ended = seats("connect", "acme", f"--url={nowhere}", "--token-file=-", stdin="2/x\n")
    assert ended.code == 69
    assert f"could not be reached at {nowhere}" in ended.err
    assert "Error" not in ended.err


# What is taken with a warning


def test_a_token_that_another_connection_has(connected: Seats, asana: Running) -> None:
    arguments = (f"--url={asana.url}", "--token-file=-", "--json")
    ended = connected("connect", "twin", *arguments, stdin=asana.admin_token + "\n")
    assert ended.code == 0
    assert "connection acme has this same token" in ended.err
    assert asana.admin_token not in ended.err
    assert connected("connect", "acme", "--token-file=-", stdin=asana.admin_token + "\n").err.count("same token") == 1
    ordinary = next(p for p in asana.organization.people.values() if p not in asana.organization.admins())
    other = asana.look.credentials.personal_token(ordinary)
    assert not connected("connect", "other", *arguments, stdin=other + "\n").err


def test_a_service_accounts_token_given_as_a_persons(seats: Seats, asana: Running) -> None:
    ordinary = next(p for p in asana.organization.people.values() if p not in asana.organization.admins())
    token = asana.look.credentials.service_account_token(ordinary)
    ended = seats("connect", "acme", f"--url={asana.url}", "--token-file=-", stdin=token + "\n")
    assert ended.code == 0
    assert "--service-account-token-file" in ended.err


# Keys


def test_keys_that_open_nothing(connected: Seats) -> None:
    connected.env["SEATKEEPER_KEYS"] = new_key()
    for command in ("status", "rotate"):
        ended = connected("keys", command)
        assert ended.code == 78
        assert "none of 1 sealed value opens with these keys" in ended.err
        assert "Nothing is sealed" not in ended.out


# Ctrl-C


def test_ctrl_c_at_the_code_ends_it_at_once(seats: Seats, asana: Running) -> None:
    arguments = ("acme", f"--url={asana.url}", f"--client-id={asana.client_id}")
    with at_the_prompt(with_secret(seats, asana), *arguments) as (process, _):
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130


SAYS_THAT_IT_READS = """
import sys
from console.app import app
class Told:
    def __init__(self, real): self.real = real
    def __getattr__(self, name): return getattr(self.real, name)
    def readline(self, *of):
        sys.stderr.write("it reads"); sys.stderr.flush()
        return self.real.readline(*of)
sys.stdin = Told(sys.stdin)
app()
"""


@pytest.mark.parametrize(
    ("arguments", "prompt"),
    [
        (["connect", "acme", "--client-id=1"], b"Client secret"),
        (["connect", "acme", "--token-file=-"], b"it reads"),
        (["profile", "delete", "acme"], b"Type its name"),
    ],
)
def test_ctrl_c_at_a_terminal_ends_it_at_once(seats: Seats, arguments: list[str], prompt: bytes) -> None:
    ours, theirs = pty.openpty()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SEATKEEPER_")}
    command = [sys.executable, "-c", SAYS_THAT_IT_READS, *arguments]
    with subprocess.Popen(
        command, cwd=ROOT, env=clean | seats.env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        said = b""
        while prompt not in said:
            said += os.read(ours, 1024)
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(timeout=20) == 130
        finally:
            process.kill()
    os.close(ours)
