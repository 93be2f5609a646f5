"""What each command prints: one JSON document with stable keys, and for people the same in a table."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from typer.main import get_command

from console.app import app
from tests.conftest import Database
from tests.console.conftest import Seats

pytestmark = pytest.mark.services

PEOPLE = """
INSERT INTO run (profile_id, kind, state, correlation_id, requested_by, created_at, started_at, ended_at, counts)
SELECT id, kind, 'finished', gen_random_uuid(), 'Ola', now() - interval '1 hour', now() - interval '1 hour', now(),
       '{"people": 3, "asked": 3}'
  FROM profile, unnest(ARRAY['activity', 'candidates']) AS kind;
INSERT INTO person SELECT id, p.gid, p.name, p.mail FROM profile, (VALUES
       ('101', 'Mara Lind', 'mara@example.com'), ('102', E'Evil \\x1b[31m Name', 'EVIL@example.com'),
       ('103', 'Busy Bee', NULL)) AS p (gid, name, mail);
INSERT INTO subscription (profile_id, user_gid, membership_gid, software_model, is_admin, joined_at, found_at)
SELECT profile_id, user_gid, '9' || user_gid, 'member', false, now() - interval '900 days', now() FROM person;
INSERT INTO observation
SELECT profile_id, id, 'tasks', 'task_completed', now() - CASE user_gid WHEN '103' THEN interval '2 days'
       ELSE interval '100 days' END, 'task/7', now() FROM subscription;
INSERT INTO coverage
SELECT profile_id, id, source, tstzmultirange(tstzrange(now() - interval '80 days', now())), now()
  FROM subscription, unnest(ARRAY['tasks', 'search']) AS source;
INSERT INTO candidate (profile_id, subscription_id, state, why, verdict, found_run, opened_at, changed_at)
SELECT s.profile_id, s.id, 'ready', 'no act of work seen for 100 days', '{"reason": "idle"}', r.id, now(), now()
  FROM subscription s JOIN run r ON r.profile_id = s.profile_id AND r.kind = 'candidates' WHERE s.user_gid <> '103';
INSERT INTO decision (profile_id, candidate_id, subscription_id, user_gid, state_to, decided_by, why, evidence,
                      decided_at)
SELECT c.profile_id, c.id, s.id, s.user_gid, 'ready', 'seatkeeper', c.why, '{}', now()
  FROM candidate c JOIN subscription s ON s.id = c.subscription_id;
INSERT INTO reconciliation_result
SELECT r.id, r.profile_id, 'member', '2026-01-15 12:00Z', 5, 3, 2, 0, 24.5, 0, 49, 49, 'USD', true
  FROM run r WHERE r.kind = 'activity';
INSERT INTO quarantine (received_at, reason, body, body_bytes)
VALUES (now(), 'it is not JSON', E'\\\\x1b5b316d00ff', 6);
INSERT INTO dead_letter (queue, body, body_sha256, reason, died_at)
VALUES ('download', 'not an envelope', '\\x00', 'it is not a command of ours', now());
"""


@pytest.fixture
def full(published: Seats, database: Database) -> Seats:
    """Profile acme with two people who are ready, one who is busy, and something of everything else."""
    with psycopg.connect(database.owner_url) as owner:
        owner.execute(PEOPLE.encode())
    return published


def test_every_command_has_examples_and_prints_documents() -> None:
    def walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - Typer keeps its types to itself
        if hasattr(command, "commands"):
            for name, one in command.commands.items():
                yield from walk(one, (*path, name))
        else:
            yield " ".join(path), command

    found = dict(walk(get_command(app), ()))
    assert len(found) >= 34
    for path, command in found.items():
        shown = Seats()(*path.split(), "--help")
        assert shown.code == 0
        assert f"./seats {path}" in shown.out, path
        assert "--json" in shown.out, path
        assert len(command.help) > 10, path


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        (["profile", "list"], {"profiles"}),
        (["profile", "show", "acme"], {"name", "status", "rule", "schedule", "leashed", "connection_state"}),
        (["profile", "validate", "acme"], {"profile", "valid", "checks"}),
        (["runs", "list"], {"runs"}),
        (["plans", "list"], {"plans"}),
        (["candidates", "acme"], {"profile", "by_state", "candidates"}),
        (["candidates", "acme", "--state=ready"], {"profile", "by_state", "candidates"}),
        (
            ["explain", "MARA@example.com"],
            {"sentence", "verdict", "sources", "decisions", "candidate_state"},
        ),
        (["coverage", "acme"], {"profile", "sources", "days", "unknown"}),
        (["activity", "imports", "acme"], {"profile", "imports"}),
        (["position", "acme"], {"profile", "positions"}),
        (["entitlement", "list", "acme"], {"entitlements"}),
        (["exempt", "list", "acme"], {"exemptions"}),
        (["events", "tail"], {"events"}),
        (["quarantine", "list"], {"quarantine"}),
        (["quarantine", "show", "1"], {"id", "reason", "body"}),
        (["dead", "list"], {"dead_letters"}),
        (["dead", "show", "1"], {"id", "queue", "reason", "body"}),
        (["keys", "new"], {"key"}),
    ],
)
def test_what_is_read(full: Seats, arguments: list[str], keys: set[str]) -> None:
    document = full.ok(*arguments)
    assert keys <= document.keys()
    told = full(*arguments)
    assert told.code == 0
    assert told.out.strip()
    assert "\x1b" not in told.out  # neither colours in a pipe nor what strangers send
    assert told.err == ""


def test_explained_in_words_and_in_the_zone_of_the_profile(full: Seats) -> None:
    document = full.ok("explain", "101")
    assert document["verdict"]["outcome"] == "ready"
    assert document["joined_at"].endswith("Z")
    told = full("explain", "mara@example.com", "--profile=acme").out
    assert "Mara Lind does not use the seat: no act of work seen for 100 days" in told
    assert "Europe/Berlin" in told
    assert "cannot see: reading, logging in" in told
    assert "Busy Bee keeps the seat: was active on" in full("explain", "103").out


def test_the_position_in_the_profiles_time(full: Seats) -> None:
    document = full.ok("position", "acme")["positions"][0]
    assert (document["over_licensed_amount"], document["compliant"], document["as_of"]) == (
        "49.00",
        True,
        "2026-01-15T12:00:00Z",
    )
    assert "2026-01-15 13:00 Europe/Berlin" in full("position", "acme").out


def test_from_a_plan_to_its_reclaim(full: Seats, database: Database) -> None:
    made = full.ok("plan", "acme", "--limit=1", "--due-in=0h")
    assert (made["people"], made["state"], [one["name"] for one in made["items"]]) == (1, "not approved", ["Mara Lind"])
    approved = full.ok("approve", made["hash"][:8], "--by=Mara Lind")
    assert (approved["state"], approved["approved_by"], approved["leashed"]) == ("approved", "Mara Lind", True)
    assert "leashed" in full("approve", made["hash"], "--by=Mara Lind").out
    assert full("approve", made["hash"], "--by=Another").code == 4
    unleashed = full.ok("profile", "unleash", "acme", "--work-goes-to=Ola Berg")
    assert (unleashed["leashed"], unleashed["work_goes_to"]) == (False, "Ola Berg")
    ordered = full.ok("run", "reclaim", "acme", f"--plan={made['hash'][:10]}")
    assert (ordered["state"], ordered["plan_hash"], ordered["requested_by"]) == ("queued", made["hash"], "Ola")
    assert full.ok("plans", "show", made["hash"][:6])["items"][0]["outcome"] is None
    assert full.ok("profile", "leash", "acme")["leashed"] is True
    with psycopg.connect(database.owner_url) as owner:
        sent = owner.execute("SELECT name FROM outbox WHERE channel = 'command'").fetchall()
    assert sent == [("reclaim_subscriptions",)]


def test_nothing_to_plan_is_a_refusal(published: Seats) -> None:
    ended = published("plan", "acme")
    assert ended.code == 4
    assert "ready" in ended.err


def test_stop_and_resume_are_said_once_each(full: Seats) -> None:
    stopped = full.ok("reclaim", "stop", "acme", "--why=wrong rule")["profiles"][0]
    assert (stopped["reclaim_stopped_by"], stopped["reclaim_stopped_why"]) == ("Ola", "wrong rule")
    assert "stopped by Ola: wrong rule" in full("profile", "list").out
    for _ in range(2):
        assert full.ok("reclaim", "resume", "--all")["profiles"][0]["reclaim_stopped_at"] is None
    said = [event["type"] for event in full.ok("events", "tail", "--profile=acme")["events"]]
    assert said == ["ProfilePublished", "ReclaimStopped", "ReclaimResumed"]


def test_entitlements_and_exemptions(full: Seats) -> None:
    terms = ("--quantity=1200", "--unit-cost=24.9900", "--starts-on=2026-01-01", "--ends-on=2026-12-31")
    added = full.ok("entitlement", "add", "acme", *terms, "--order-number=PO 7")
    assert (added["quantity"], added["unit_cost"], added["currency"]) == (1200, "24.9900", "USD")
    assert "1,200" in full("entitlement", "list", "acme").out
    assert (
        full.ok("exempt", "add", "acme", "mara@example.com", "--reason=on leave", "--until=2999-07-01")["user_gid"]
        == "101"
    )
    exempt = full.ok("exempt", "list", "acme")["exemptions"][0]
    assert (exempt["name"], exempt["until"]) == ("Mara Lind", "2999-07-01T22:00:00Z")  # the day is over in Berlin
    assert full.ok("explain", "101")["verdict"]["reason"] == "exempt"
    full.ok("exempt", "remove", "acme", "101")
    assert full("exempt", "remove", "acme", "101").code == 3


@pytest.mark.parametrize(("state", "code"), [("finished", 0), ("failed", 1)])
def test_waiting_ends_with_the_run(published: Seats, database: Database, state: str, code: int) -> None:
    def worker() -> None:
        with psycopg.connect(database.owner_url, autocommit=True) as owner:
            for _ in range(300):
                ended = owner.execute(
                    """UPDATE run SET state = %s, started_at = now(), ended_at = now(), reason = 'Asana is in trouble',
                              counts = '{"people": 3}' WHERE state = 'queued'""",
                    [state],
                )
                if ended.rowcount:
                    return
                time.sleep(0.1)

    thread = threading.Thread(target=worker)
    thread.start()
    ended = published("run", "download", "acme", "--wait", "--json")
    thread.join()
    assert ended.code == code, ended.err
    assert (ended.json()["state"], ended.json()["reason"]) == (state, "Asana is in trouble")
    assert state in ended.err  # how it went stands beside, not in the document


def test_tables_stay_on_one_line_in_a_pipe(full: Seats, database: Database) -> None:
    with psycopg.connect(database.owner_url) as owner:
        owner.execute("UPDATE candidate SET why = repeat('because ', 60)")
    out = full("candidates", "acme", COLUMNS="40").out
    assert out.count("\n") == 4  # headings, two people, how many of each state
    assert " \n" not in out
    assert ("because " * 60).strip() in out
