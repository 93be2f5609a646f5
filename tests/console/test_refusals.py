"""What goes wrong ends with one line that says what to do, and with the exit code of its kind."""

import json

import psycopg
import pytest

from console.errors import FAILED, NO_PERMISSION, NOT_FOUND, REFUSED, SETTINGS, UNAVAILABLE, USAGE
from sandbox.asana import Running
from tests.conftest import Database
from tests.console.conftest import Ended, Seats, connect_by_browser

pytestmark = pytest.mark.services


def assert_refused(ended: Ended, code: int, *words: str) -> None:
    assert ended.code == code, (ended.code, ended.err)
    assert ended.err.count("\n") == 1, ended.err
    assert ended.err.startswith("seats: ")
    assert "Traceback" not in ended.err
    for word in words:
        assert word in ended.err


# Settings and the database


def test_a_missing_setting_is_named() -> None:
    assert_refused(Seats()("profile", "list"), SETTINGS, "SEATKEEPER_DATABASE_URL")


def test_a_wrong_setting_is_named_and_not_shown() -> None:
    ended = Seats({"SEATKEEPER_DATABASE_URL": "mysql://me:secret@host/x"})("profile", "list")
    assert_refused(ended, SETTINGS, "SEATKEEPER_DATABASE_URL", "postgresql://")
    assert "secret" not in ended.err


def test_bad_keys_are_named_and_not_shown(seats: Seats) -> None:
    seats.env["SEATKEEPER_KEYS"] = "not-a-key"
    ended = seats("connect", "acme", "--token-file=-", stdin="t\n")
    assert_refused(ended, SETTINGS, "key 1 of SEATKEEPER_KEYS", "keys new")
    assert "not-a-key" not in ended.err


def test_a_database_that_does_not_answer() -> None:
    ended = Seats({"SEATKEEPER_DATABASE_URL": "postgresql://me:secret@127.0.0.1:1/x"})("runs", "list")
    assert_refused(ended, UNAVAILABLE, "does not answer")
    assert "secret" not in ended.err


def test_a_role_that_may_not(database: Database) -> None:
    ended = Seats({"SEATKEEPER_DATABASE_URL": database.url("intake")})("profile", "list")
    assert_refused(ended, NO_PERMISSION, "permission denied")


def test_errors_are_documents_too(seats: Seats) -> None:
    ended = seats("profile", "show", "nobody", "--json")
    assert ended.code == NOT_FOUND
    assert json.loads(ended.err) == {
        "error": "there is no profile nobody; see `./seats profile list`",
        "code": NOT_FOUND,
    }


# The command line


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["profile", "crate"], "create"),
        (["run", "cykle", "acme"], "cycle"),
        (["run", "cycle"], "PROFILE"),
        (["run", "download", "acme", "--plan", "abcd"], "only a reclaim"),
        (["reclaim", "stop", "--why", "x"], "--all"),
        (["reclaim", "stop", "acme", "--all", "--why", "x"], "--all"),
        (["reclaim", "stop", "acme", "--why", " "], "--why"),
        (["plan", "acme", "--due-in", "soon"], "24h"),
        (["events", "tail", "--type", "Removed"], "SubscriptionReclaimed"),
        (["events", "tail", "--since", "yesterday"], "24h"),
        (["runs", "show", "no-run"], "first 4"),
        (["approve", "abc", "--by", "x"], "first 4"),
        (["entitlement", "add", "acme", "--quantity=5", "--unit-cost=NaN", "--starts-on=2026-01-01"], "24.99"),
        (["entitlement", "add", "acme", "--quantity=0", "--unit-cost=1", "--starts-on=2026-01-01"], "quantity"),
        (["entitlement", "add", "acme", "--quantity=5", "--unit-cost=1", "--starts-on=1.1.2026"], "--starts-on"),
        (
            [
                "entitlement",
                "add",
                "acme",
                "--quantity=5",
                "--unit-cost=1",
                "--starts-on=2026-02-01",
                "--ends-on=2026-01-01",
            ],
            "--ends-on",
        ),
        (["connect", "acme"], "--client-id"),
        (["connect", "acme", "--client-id=1"], "SEATKEEPER_CLIENT_SECRET"),
        (["connect", "acme", "--token-file=/nowhere/at/all"], "cannot be read"),
        (["connect", "acme", "--token-file=-", "--requests-per-minute=many"], "number"),
        (["connect", "acme", "--token-file=-", "--url=https://app.asana.com/api/1.0"], "without a path"),
    ],
)
def test_a_wrong_command_line(published: Seats, arguments: list[str], word: str) -> None:
    assert_refused(published(*arguments, stdin=""), USAGE, word)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["Acme", "--plan=free"], "lower-case"),
        (["acme", "--plan=gold"], "advanced"),
        (["acme", "--plan=free", "--time-zone=Mars/Base"], "Europe/Berlin"),
        (["acme", "--plan=free", "--currency=euro"], "EUR"),
        (["acme", "--plan=free", "--analyze-activity-from=2999-01-01"], "future"),
        (["acme", "--plan=free", "--analyze-activity-from=long ago"], "60d"),
    ],
)
def test_a_wrong_profile(seats: Seats, arguments: list[str], word: str) -> None:
    assert_refused(seats("profile", "create", *arguments, "--connection=acme"), USAGE, word)


# Connecting


def test_a_wrong_client_secret(seats: Seats, asana: Running) -> None:
    env = {**seats.env, "SEATKEEPER_CLIENT_SECRET": "wrong-secret"}
    ended = connect_by_browser(env, "acme", f"--url={asana.url}", f"--client-id={asana.client_id}")
    assert ended.returncode == NO_PERMISSION, ended.stderr
    assert "client id and secret" in ended.stderr
    assert "wrong-secret" not in ended.stderr
    assert seats("profile", "create", "acme", "--connection=acme", "--plan=free").code == NOT_FOUND


def test_a_code_of_another_request(seats: Seats, asana: Running) -> None:
    arguments = ("connect", "acme", f"--url={asana.url}", f"--client-id={asana.client_id}")
    secret = {"SEATKEEPER_CLIENT_SECRET": asana.client_secret}
    ended = seats(*arguments, stdin="https://example.com/?code=2/abc&state=another\n", **secret)
    assert ended.code == REFUSED
    assert ended.err.endswith("run the command again\n")
    assert seats(*arguments, stdin="\n", **secret).code == FAILED
    assert seats(*arguments, stdin="2/not-a-code\n", **secret).code == NO_PERMISSION


def test_asana_that_does_not_answer(seats: Seats, nowhere: str) -> None:
    assert_refused(
        seats("connect", "acme", f"--url={nowhere}", "--token-file=-", stdin="2/x\n"), UNAVAILABLE, "not be reached"
    )


def test_a_token_that_asana_does_not_know(seats: Seats, asana: Running) -> None:
    ended = seats("connect", "acme", f"--url={asana.url}", "--token-file=-", stdin="2/canary\n")
    assert_refused(ended, NO_PERMISSION, "does not accept the token")
    assert "canary" not in ended.err


def test_only_a_look_alike_is_unlimited(seats: Seats) -> None:
    ended = seats("connect", "acme", "--token-file=-", "--requests-per-minute=unlimited", stdin="t\n")
    assert_refused(ended, REFUSED, "look-alike")


def test_a_plain_http_address_elsewhere(seats: Seats) -> None:
    ended = seats("connect", "acme", "--url=http://asana.example", "--token-file=-", stdin="t\n")
    assert_refused(ended, USAGE, "--url: the base URL must be https")


def test_another_asana_under_a_used_alias(drafted: Seats, asana: Running) -> None:
    other = asana.url.replace("127.0.0.1", "localhost")
    ended = drafted("connect", "acme", f"--url={other}", "--token-file=-", stdin=asana.admin_token + "\n")
    assert_refused(ended, REFUSED, "another alias")


# Profiles


def test_a_draft_runs_nothing(drafted: Seats) -> None:
    assert_refused(drafted("run", "cycle", "acme"), REFUSED, "profile publish acme")
    assert_refused(
        drafted("entitlement", "add", "acme", "--quantity=5", "--unit-cost=1", "--starts-on=2026-01-01"), REFUSED
    )


def test_an_unpublished_profile_runs_nothing(published: Seats) -> None:
    assert published.ok("profile", "unpublish", "acme")["status"] == "draft"
    assert_refused(published("run", "download", "acme"), REFUSED, "draft")
    assert published.ok("profile", "show", "acme")["schedule"]["enabled"] is False


def test_a_name_that_is_taken(drafted: Seats) -> None:
    ended = drafted("profile", "create", "acme", "--connection=acme", "--plan=free")
    assert_refused(ended, REFUSED, "profile show acme")


def test_a_workspace_is_no_organization(connected: Seats, asana: Running) -> None:
    workspace = next(one for one in asana.organization.workspaces.values() if not one.is_organization)
    created = connected.ok(
        "profile", "create", "small", "--connection=acme", "--plan=free", f"--organization={workspace.gid}"
    )
    assert created["remarks"]  # 1500 requests a minute are too many for the free plan
    assert_refused(connected("profile", "publish", "small"), REFUSED, "only a workspace")
    ended = connected("profile", "validate", "small", "--json")
    assert ended.code == FAILED
    assert {check["check"]: check["ok"] for check in ended.json()["checks"]}["organization"] is False
    assert connected.ok("profile", "show", "small")["status"] == "draft"


def test_somebody_who_is_no_admin(seats: Seats, asana: Running) -> None:
    member = next(
        one.person
        for one in asana.organization.company.by_person.values()
        if one.is_active and not (one.is_admin or one.is_guest or one.is_view_only)
    )
    token = asana.look.credentials.personal_token(member)
    seats.ok("connect", "acme", f"--url={asana.url}", "--token-file=-", stdin=token + "\n")
    seats.ok("profile", "create", "acme", "--connection=acme", "--plan=advanced")
    ended = seats("profile", "publish", "acme")
    assert ended.code in {REFUSED, NO_PERMISSION}
    assert "admin" in ended.err
    assert seats.ok("profile", "list")["profiles"][0]["status"] == "draft"


def test_asana_in_trouble_publishes_nothing(drafted: Seats, asana: Running) -> None:
    asana.faults.add("answer", route="/users", status=503)
    assert_refused(drafted("profile", "publish", "acme"), UNAVAILABLE, "Asana is in trouble")
    assert drafted.ok("profile", "show", "acme")["status"] == "draft"


def test_a_bad_cron_expression(drafted: Seats) -> None:
    assert_refused(drafted("profile", "publish", "acme", "--cron=every day"), USAGE, "0 5 * * *")


def test_a_profile_of_scim_stays_leashed(connected: Seats) -> None:
    connected.ok("profile", "create", "acme", "--connection=acme", "--plan=enterprise", "--provisioned-by-scim")
    assert_refused(connected("profile", "unleash", "acme", "--work-goes-to=Ola"), REFUSED, "SCIM")


# What is not there


@pytest.mark.parametrize(
    "arguments",
    [
        ["profile", "show", "nobody"],
        ["profile", "create", "new", "--connection=nobody", "--plan=free"],
        ["run", "cycle", "nobody"],
        ["runs", "show", "abcdef01"],
        ["plans", "show", "abcdef01"],
        ["approve", "abcdef01", "--by=Ola"],
        ["explain", "nobody@example.com"],
        ["explain", "1201", "--profile=acme"],
        ["exempt", "add", "acme", "nobody@example.com", "--reason=x"],
        ["quarantine", "show", "1"],
        ["dead", "show", "1"],
        ["dead", "replay", "1"],
        ["position", "nobody"],
        ["candidates", "nobody"],
        ["events", "tail", "--profile=nobody"],
        ["reclaim", "stop", "nobody", "--why=x"],
    ],
)
def test_what_does_not_exist(published: Seats, arguments: list[str]) -> None:
    assert_refused(published(*arguments), NOT_FOUND, "no")


def test_a_lost_connection_says_what_to_do(drafted: Seats, database: Database) -> None:
    with psycopg.connect(database.owner_url) as owner:
        owner.execute("UPDATE credential SET state = 'reconnect_needed', lost_reason = 'it was revoked'")
    assert_refused(drafted("profile", "publish", "acme"), NO_PERMISSION, "it was revoked", "seats connect acme")
