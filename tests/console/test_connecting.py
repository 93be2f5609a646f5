"""`seats connect` beyond one account: our own page, child aliases, a service account beside the person."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from threading import Timer
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import psycopg
import pytest

from sandbox.asana import Running
from tests.conftest import Database
from tests.console.conftest import ROOT, Seats, connect_by_browser

pytestmark = pytest.mark.services


@contextmanager
def program(env: dict[str, str], *args: str) -> Iterator["subprocess.Popen[str]"]:
    """Run `seats` as its own process, and end it with the block."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SEATKEEPER_")}
    pipe = subprocess.PIPE
    command = [sys.executable, "-m", "console", *args]
    with subprocess.Popen(command, cwd=ROOT, env=clean | env, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=10)


@pytest.fixture
def page(seats: Seats) -> Iterator[str]:
    """The address of a running `seats serve`; in the end nothing that came in an address was printed."""
    with program(seats.env, "serve", "--port=0", "--json") as process:
        assert process.stdout is not None
        document = ""
        while not document.endswith("}\n"):
            document += process.stdout.readline()
        yield json.loads(document)["url"]
        process.terminate()
        _, said = process.communicate(timeout=10)
        assert process.returncode == 0, said
        assert "code" not in said
        assert "2/" not in said


def address_of(process: "subprocess.Popen[str]") -> str:
    assert process.stderr is not None
    return next(line.strip() for line in process.stderr if line.startswith("http"))


def ending_of(process: "subprocess.Popen[str]") -> tuple[str, str]:
    """Wait for the end; return its output and what it said since the last line that was read.

    Not `communicate`: that reads beside the stream, and misses what the stream has taken in already.
    """
    assert process.stdout is not None
    assert process.stderr is not None
    patience = Timer(30, process.kill)
    patience.start()
    said, out = process.stderr.read(), process.stdout.read()
    process.wait()
    patience.cancel()
    return out, said


def decide(address: str, answer: str) -> str:
    """Be the browser: press a button, and return where Asana sends it back to."""
    form = dict(parse_qsl(urlsplit(address).query))
    decided = httpx.post(str(httpx.URL(address).join("/-/oauth_authorize")), data={**form, "allow": answer})
    return unescape(decided.headers["location"])


@contextmanager
def connecting(seats: Seats, asana: Running, page: str) -> Iterator["subprocess.Popen[str]"]:
    asana.look.app.redirect_uris.add(f"{page}/oauth/callback")
    more = {"SEATKEEPER_PUBLIC_URL": page, "SEATKEEPER_CLIENT_SECRET": asana.client_secret}
    arguments = ("connect", "acme", f"--url={asana.url}", f"--client-id={asana.client_id}", "--json")
    with program(seats.env | more, *arguments) as process:
        yield process


def test_the_answer_comes_to_our_own_page_once(seats: Seats, asana: Running, page: str, database: Database) -> None:
    with connecting(seats, asana, page) as process:
        back = decide(address_of(process), "yes")
        foreign = str(httpx.URL(back).copy_set_param("state", "x" * 32))
        assert httpx.head(back).status_code == 405
        assert httpx.get(foreign).status_code == 400
        answer = httpx.get(back)
        assert httpx.get(back).status_code == 400, "an answer counts once"
        out, said = ending_of(process)
    assert answer.status_code == 200
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    secrets = [*parse_qs(urlsplit(back).query)["code"], *parse_qs(urlsplit(back).query)["state"], asana.client_secret]
    assert not [secret for secret in secrets if secret in answer.text + out]
    assert process.returncode == 0, said
    assert json.loads(out)["kind"] == "oauth"
    assert f"register {page}/oauth/callback" in said
    with psycopg.connect(database.owner_url) as owner:
        assert owner.execute("SELECT count(*) FROM authorization_request").fetchone() == (0,)
    assert httpx.get(f"{page}/health").json() == {"database": "ok"}


def test_a_refusal_is_shown_on_the_page_and_in_the_terminal(seats: Seats, asana: Running, page: str) -> None:
    with connecting(seats, asana, page) as process:
        answer = httpx.get(decide(address_of(process), "no"))
        _, said = ending_of(process)
    assert "access was denied" in answer.text
    assert process.returncode == 4
    assert "access was denied" in said
    assert "oauth/callback" in said


@pytest.mark.parametrize(
    "query",
    ["", "state=x", "code=1", "state=a&state=b&code=1", f"state={'s' * 32}", f"state={'s' * 32}&code=1&error=x",
     f"state={'s' * 32}&code=<script>alert(1)</script>", f"state={'s' * 32}&error=<b>"],
)  # fmt: skip
def test_what_is_no_answer_is_refused_and_not_repeated(page: str, query: str) -> None:
    answer = httpx.get(f"{page}/oauth/callback?{query}")
    assert answer.status_code == 400
    assert "<script>" not in answer.text
    assert "<b>" not in answer.text


def test_an_answer_that_came_too_late_is_refused(seats: Seats, asana: Running, page: str, database: Database) -> None:
    with connecting(seats, asana, page) as process:
        back = decide(address_of(process), "yes")
        with psycopg.connect(database.owner_url, autocommit=True) as owner:
            owner.execute("UPDATE authorization_request SET begun_at = now() - interval '1 h', expires_at = now()")
        assert httpx.get(back).status_code == 400


@pytest.mark.parametrize("url", ["http://seats.example.com", "https://seats.example.com/x", "https://u:p@example.com"])
def test_a_public_address_that_is_none(seats: Seats, url: str) -> None:
    ended = seats("serve", SEATKEEPER_PUBLIC_URL=url)
    assert ended.code == 78
    assert "SEATKEEPER_PUBLIC_URL" in ended.err


# Child aliases


@pytest.fixture
def parent(seats: Seats, asana: Running) -> Seats:
    """Connection acme through OAuth."""
    secret = {"SEATKEEPER_CLIENT_SECRET": asana.client_secret}
    arguments = ("acme", f"--url={asana.url}", f"--client-id={asana.client_id}", "--requests-per-minute=unlimited")
    ended = connect_by_browser(seats.env | secret, *arguments)
    assert ended.returncode == 0, ended.stderr
    return seats


def test_a_child_has_a_grant_of_its_own_on_its_parents_app(parent: Seats, asana: Running, database: Database) -> None:
    child = connect_by_browser(parent.env, "acme-emea", "--parent=acme", "--requests-per-minute=unlimited")
    assert child.returncode == 0, child.stderr
    listed = {one["connection"]: one for one in parent.ok("connections")}
    assert (listed["acme-emea"]["parent"], listed["acme-emea"]["client_id"]) == ("acme", asana.client_id)
    asana.look.app.client_secret = "changed-at-asana"
    secret = {"SEATKEEPER_CLIENT_SECRET": "changed-at-asana"}
    assert connect_by_browser(parent.env | secret, "acme", f"--client-id={asana.client_id}").returncode == 0
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute("UPDATE credential SET expires_at = now() - interval '1 h'")
    created = parent("profile", "create", "emea", "--connection=acme-emea", "--plan=advanced")
    assert created.code == 0, created.err


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["x", "--parent=acme-emea"], "has no app of its own"),
        (["x", "--parent=nobody"], "there is no connection nobody"),
        (["x", "--parent=by-token"], "has no app"),
        (["x", "--parent=acme", "--client-id=1"], "a child has none of its own"),
        (["acme", "--parent=acme"], "has no app of its own"),
        (["x", "--parent=acme", "--url=https://app.asana.com"], "the app of acme is at"),
    ],
)
def test_a_parent_that_can_be_none(
    seats: Seats, asana: Running, database: Database, arguments: list[str], word: str
) -> None:
    seats.ok("connect", "by-token", f"--url={asana.url}", "--token-file=-", stdin=asana.admin_token + "\n")
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute(
            """INSERT INTO connection (alias, base_url, client_id, client_secret_sealed, requests_per_minute)
               VALUES ('acme', %s, '1', 'sealed', 1500)""",
            [asana.url],
        )
        owner.execute(
            """INSERT INTO connection (alias, base_url, requests_per_minute, parent_id)
               SELECT 'acme-emea', base_url, 1500, id FROM connection WHERE alias = 'acme'"""
        )
    ended = seats("connect", *arguments)
    assert ended.code in {2, 3, 4}, ended.err
    assert word in ended.err


# The service account


def test_a_service_account_stands_beside_the_person(connected: Seats, asana: Running) -> None:
    ordinary = next(p for p in asana.organization.people.values() if p not in asana.organization.admins())
    token = asana.look.credentials.service_account_token(ordinary)
    added = connected.ok("connect", "acme", "--service-account-token-file=-", stdin=token + "\n")
    assert [one["kind"] for one in added["credentials"]] == ["service_account"]
    (listed,) = connected.ok("connections")
    assert [one["kind"] for one in listed["credentials"]] == ["personal_access_token", "service_account"]
    connected.ok("connect", "acme", "--token-file=-", stdin=asana.admin_token + "\n")
    assert len(connected.ok("connections")[0]["credentials"]) == 2, "connecting the person again keeps it"


def test_a_persons_token_is_no_service_accounts(connected: Seats, asana: Running) -> None:
    ended = connected("connect", "acme", "--service-account-token-file=-", stdin=asana.admin_token + "\n")
    assert ended.code == 4
    assert "no service account" in ended.err
    assert asana.admin_token not in ended.err
    assert len(connected.ok("connections")[0]["credentials"]) == 1


def test_what_a_connection_can_serve_is_said(seats: Seats, asana: Running) -> None:
    arguments = ("connect", "acme", f"--url={asana.url}", "--token-file=-")
    document = seats.ok(*arguments, stdin=asana.admin_token + "\n")
    assert document["organizations"][0]["is_admin"] is True
    assert document["credentials"][0]["serves"]["reclaim"] == f"admin of {asana.organization.company.name}"
    member = next(p for p in asana.organization.people.values() if p not in asana.organization.admins())
    told = seats("connect", "other", f"--url={asana.url}", "--token-file=-",
                 stdin=asana.look.credentials.personal_token(member) + "\n").out  # fmt: skip
    assert re.search(r"personal access token .* not an admin", told)
