"""Validating: each permission that the plan and the switches of a profile call for is tried, without harm."""

import psycopg
import pytest

from connections.sealing import Sealing, credential_row
from sandbox.asana import Running
from tests.conftest import Database
from tests.console.conftest import Seats

pytestmark = pytest.mark.services
SEARCH, LOG = "tasks/search", "audit_log_events"
ONE_PAGE = '{"data": [], "next_page": null}'
ALL = ("token", "organization", "memberships", "users", "tasks", "search", "audit log", "admin")


def drafted(seats: Seats, *options: str, plan: str = "advanced") -> None:
    seats.ok("profile", "create", "acme", "--connection=acme", f"--plan={plan}", *options)


def search_answers(asana: Running, status: int) -> None:
    body = ONE_PAGE if status == 200 else '{"errors": [{"message": "no"}]}'
    asana.faults.add("answer", path=SEARCH, status=status, body=body)


def log_answers(asana: Running, status: int) -> None:
    body = ONE_PAGE if status == 200 else '{"errors": [{"message": "no"}]}'
    asana.faults.add("answer", path=LOG, status=status, body=body)


def with_service_account(seats: Seats, database: Database, asana: Running) -> None:
    """Give the connection a service account's token, as `seats connect` does."""
    row = credential_row("acme", "service_account", "access_token")
    sealed = Sealing([seats.env["SEATKEEPER_KEYS"]]).seal(asana.look.service_account_token, row)
    with psycopg.connect(database.owner_url) as owner:
        owner.execute(
            """INSERT INTO credential (connection_id, kind, state, user_gid, access_token_sealed, connected_at)
               SELECT id, 'service_account', 'connected', '99', %s, now() FROM connection""",
            [sealed],
        )


def validated(seats: Seats, *, valid: bool = True) -> dict[str, dict[str, str]]:
    ended = seats("profile", "validate", "acme", "--json")
    assert ended.code == (0 if valid else 1), ended.err
    document = ended.json()
    assert document["valid"] is valid
    return {check["check"]: check for check in document["checks"]}


def outcomes(checks: dict[str, dict[str, str]]) -> list[str]:
    assert tuple(checks) == ALL
    return [check["outcome"] for check in checks.values()]


def test_a_paid_plan_without_a_service_account(connected: Seats, asana: Running) -> None:
    search_answers(asana, 200)
    drafted(connected)
    assert outcomes(validated(connected)) == ["ok"] * 6 + ["not_needed", "ok"]


def test_what_is_switched_off_is_not_needed_and_not_tried(connected: Seats, asana: Running) -> None:
    search_answers(asana, 500)
    drafted(connected, "--no-activity", "--no-reclaim")
    assert outcomes(validated(connected)) == ["ok"] * 4 + ["not_needed"] * 4
    assert connected("profile", "publish", "acme", "--no-first-cycle").code == 0


def test_a_paid_plan_that_asana_does_not_know_is_told_and_not_published(connected: Seats, asana: Running) -> None:
    search_answers(asana, 402)
    drafted(connected)
    check = validated(connected, valid=False)["search"]
    assert check["why"] == "the plan on the profile says advanced but Asana answers 402 to a search, as on free"
    assert check["to_do"] == "./seats profile set acme --plan free"
    ended = connected("profile", "publish", "acme")
    assert (ended.code, "--plan free" in ended.err) == (4, True)


def test_a_free_plan_whose_search_works_is_told_and_published(connected: Seats, asana: Running) -> None:
    search_answers(asana, 200)
    drafted(connected, plan="free")
    check = validated(connected)["search"]
    assert check["outcome"] == "not_needed"
    assert check["why"] == "the plan on the profile says free but Asana answers a search, as on a paid plan"
    assert connected("profile", "publish", "acme", "--no-first-cycle").code == 0


def test_a_free_plan_is_not_asked_for_a_search(connected: Seats, asana: Running) -> None:
    search_answers(asana, 402)
    drafted(connected, plan="free")
    assert validated(connected)["search"]["why"] == "a free plan has no search"


@pytest.mark.parametrize(
    ("plan", "status", "outcome", "word"),
    [
        ("enterprise", 200, "ok", "0 events"),
        ("enterprise", 403, "not_ok", "does not show the audit log"),
        ("advanced", 403, "not_needed", "the advanced plan has no audit log"),
        ("advanced", 200, "not_needed", "says advanced but Asana answers with the audit log"),
    ],
)
def test_the_audit_log_by_plan(
    connected: Seats, asana: Running, database: Database, plan: str, status: int, outcome: str, word: str
) -> None:
    search_answers(asana, 200)
    log_answers(asana, status)
    with_service_account(connected, database, asana)
    drafted(connected, plan=plan)
    check = validated(connected, valid=outcome != "not_ok")["audit log"]
    assert (check["outcome"], check["credential"]) == (outcome, "service account")
    assert word in check["why"]


def test_scim_needs_no_admin(connected: Seats, asana: Running) -> None:
    search_answers(asana, 200)
    drafted(connected, "--provisioned-by-scim")
    assert validated(connected)["admin"]["outcome"] == "not_needed"


def test_nothing_is_changed(connected: Seats, asana: Running) -> None:
    search_answers(asana, 200)
    drafted(connected, plan="enterprise")
    asana.look.traffic.reset()
    validated(connected)
    assert {route.split()[0] for route in asana.look.traffic.by_route} == {"GET"}
