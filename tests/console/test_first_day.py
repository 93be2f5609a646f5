"""The whole way of a new installation: init, connect through OAuth, a profile, validate, publish."""

import json
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg
import pytest

from sandbox.asana import Running
from sandbox.services import Services
from tests.conftest import OWNER, PROCESSES, Database
from tests.console.conftest import ROOT, Seats, connect_by_browser

pytestmark = pytest.mark.services


@pytest.fixture
def empty(services: Services, schema_template: str) -> Iterator[Database]:
    """An empty database on a server where the roles exist already, with passwords that other tests use."""
    name = f"test_{secrets.token_hex(6)}"
    services.postgres.create_database(name, owner=OWNER)
    yield Database(name, services.postgres)
    services.postgres.drop_database(name)


def test_the_whole_way(empty: Database, asana: Running, key: str) -> None:
    passwords = [f"--password-for={name}={unquote(urlsplit(empty.url(name)).password or '')}" for name in PROCESSES]
    with empty.postgres.changing_roles():
        made = Seats({"SEATKEEPER_OWNER_URL": empty.owner_url}).ok("init", *passwords)
    assert made["loaded"] is True
    assert set(made["database_urls"]) == set(PROCESSES)
    env = {"SEATKEEPER_DATABASE_URL": made["database_urls"]["console"], "SEATKEEPER_KEYS": made["new_key"]}
    seats = Seats(env)

    connected = connect_by_browser(
        {**env, "SEATKEEPER_CLIENT_SECRET": asana.client_secret},
        "acme",
        f"--url={asana.url}",
        f"--client-id={asana.client_id}",
        "--requests-per-minute=unlimited",
    )
    assert connected.returncode == 0, connected.stderr
    assert asana.organization.company.name in connected.stdout
    assert asana.client_secret not in connected.stdout + connected.stderr

    created = seats.ok("profile", "create", "acme", "--connection=acme", "--plan=advanced", "--time-zone=Europe/Berlin")
    assert (created["status"], created["organization_gid"]) == ("draft", asana.organization_gid)
    assert (created["leashed"], created["remarks"]) == (True, [])

    refused = seats("run", "cycle", "acme")
    assert refused.code == 4
    assert "publish" in refused.err

    valid = seats.ok("profile", "validate", "acme")
    assert valid["valid"] is True
    assert [check["outcome"] for check in valid["checks"]] == ["ok"] * 6 + ["not_needed", "ok"]

    published = seats.ok("profile", "publish", "acme", "--cron=30 2 * * *")
    assert published["status"] == "published"
    assert ":30:00Z" in published["next_due_at"]

    shown = seats.ok("profile", "show", "acme")
    assert shown["rule"] == {"software_model": "member", "threshold_days": 60, "evidence": "work", "notify": False}
    assert shown["schedule"]["cron"] == "30 2 * * *"
    assert shown["connection_state"] == "connected"

    run = seats.ok("runs", "show", published["run_id"][:8])
    assert (run["kind"], run["state"], [step["kind"] for step in run["steps"]]) == ("cycle", "running", ["download"])
    assert {event["type"] for event in seats.ok("events", "tail")["events"]} == {
        "ConnectionRestored",
        "ProfilePublished",
        "RunStarted",
    }


def test_init_again_changes_nothing_and_says_so(database: Database) -> None:
    ended = Seats({"SEATKEEPER_OWNER_URL": database.owner_url})("init")
    assert ended.code == 0, ended.err
    assert "ready already" in ended.out
    assert "postgresql://" not in ended.out
    with psycopg.connect(database.url("worker")):
        pass  # its password is what it was


def test_init_refuses_another_version(database: Database) -> None:
    with psycopg.connect(database.owner_url) as connection:
        connection.execute("UPDATE schema_version SET version = 99")
    ended = Seats({"SEATKEEPER_OWNER_URL": database.owner_url})("init")
    assert ended.code == 4
    assert "version 99" in ended.err


@pytest.fixture
def server_without_roles(breakable_services: Services) -> Iterator[Database]:
    """A server on which nobody has heard of Seatkeeper: roles of other tests step aside."""
    postgres, name = breakable_services.postgres, f"test_{secrets.token_hex(6)}"
    postgres.make_owner(OWNER)
    with psycopg.connect(postgres.admin_url, autocommit=True) as connection:
        found = connection.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE 'seatkeeper\\_%'").fetchall()
        there = [str(role) for (role,) in found if role != OWNER]
        for role in there:
            connection.execute(f"ALTER ROLE {role} RENAME TO aside_{role}")
        postgres.create_database(name, owner=OWNER)
        yield Database(name, postgres)
        postgres.drop_database(name)
        for process in PROCESSES:
            connection.execute(f"DROP ROLE seatkeeper_{process}")
        for role in there:
            connection.execute(f"ALTER ROLE aside_{role} RENAME TO {role}")


def test_init_makes_up_passwords_and_a_key(server_without_roles: Database) -> None:
    made = Seats().ok("init", "--owner-url", server_without_roles.owner_url)
    assert len(made["new_key"]) == 44
    for process, url in made["database_urls"].items():
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT session_user").fetchone() == (f"seatkeeper_{process}",)
    again = Seats().ok("init", "--owner-url", server_without_roles.owner_url)
    assert again == {
        "loaded": False,
        "database_urls": dict.fromkeys(PROCESSES),
        "passwords_from_files": [],
        "new_key": None,
        "migrated_to": [],
    }


def test_init_takes_only_known_processes() -> None:
    ended = Seats({"SEATKEEPER_OWNER_URL": "postgresql://nobody@127.0.0.1:1/x"})("init", "--password-for=cook=secret")
    assert ended.code == 2
    assert "scheduler" in ended.err
    assert "secret" not in ended.err.replace("PROCESS=PASSWORD", "")


def test_init_without_a_server() -> None:
    ended = Seats({"SEATKEEPER_OWNER_URL": "postgresql://nobody:secret@127.0.0.1:1/x"})("init")
    assert ended.code == 69
    assert "secret" not in ended.err


def test_the_command_runs_from_anywhere(tmp_path: Path) -> None:
    link = tmp_path / "seats"
    link.symlink_to(ROOT / "seats")
    shown = subprocess.run([link, "keys", "new", "--json"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert len(json.loads(shown.stdout)["key"]) == 44
