"""Probing: claims are settled by reading, and by nothing else; what was found is kept and shown."""

from collections.abc import Iterator

import pytest

from asana_api.claims import CLAIMS
from console.probe_seats import NOBODY
from sandbox.asana import Running, running
from tests.conftest import Database
from tests.console.conftest import Seats
from tests.console.test_profiles_validated import with_service_account

pytestmark = pytest.mark.services
STORIES = "/tasks/{task_gid}/stories"
MEMBERSHIPS = "/workspaces/{workspace_gid}/workspace_memberships"
Lines = dict[str, dict[str, object]]


@pytest.fixture
def shared_asana() -> Iterator[Running]:
    """An organization of more than one page."""
    with running(people=150, seed=4) as one:
        yield one


def probed(seats: Seats) -> Lines:
    return {line["claim"]: line for line in seats.ok("probe", "acme")["claims"]}


def outcomes(lines: Lines) -> dict[str, object]:
    return {claim: line["outcome"] for claim, line in lines.items()}


def test_a_probe_only_reads(connected: Seats, asana: Running) -> None:
    asana.look.traffic.reset()
    probed(connected)
    asked = asana.look.traffic.by_route
    assert asked.total() > 10
    assert {route.split()[0] for route in asked} == {"GET"}
    assert asana.removals.calls == []


def test_what_holds_is_confirmed(connected: Seats) -> None:
    found = outcomes(probed(connected))
    assert found.keys() == {claim.id for claim in CLAIMS}
    for claim in ("membership-fields", "page-has-way-on", "page-of-100", "stale-offset-400",
                  "not-there-is-404", "refusals-have-a-form", "stories-move-tasks"):  # fmt: skip
        assert found[claim] == "confirmed", claim
    assert "refuted" not in found.values()
    by_reading = {claim.id for claim in CLAIMS if claim.reads is not None}
    assert {claim for claim, outcome in found.items() if outcome != "unsettled"} <= by_reading


def test_what_does_not_hold_is_refuted_and_says_what_to_do(connected: Seats, asana: Running) -> None:
    asana.faults.add("answer", route=STORIES, path=NOBODY, status=403)
    line = probed(connected)["not-there-is-404"]
    assert (line["outcome"], line["seen"]) == ("refuted", "Forbidden, answer 403")
    assert line["to_do"]
    assert line["if_refuted"]
    asana.faults.clear()
    assert probed(connected)["not-there-is-404"]["outcome"] == "confirmed"


def test_what_was_settled_before_stays_when_nothing_new_is_seen(connected: Seats, asana: Running) -> None:
    asana.faults.add("answer", route=MEMBERSHIPS, status=403)
    assert {probed(connected)[claim]["outcome"] for claim in ("page-of-100", "agents-have-no-seat")} == {"unsettled"}
    asana.faults.clear()
    before = probed(connected)["page-of-100"]
    assert before["outcome"] == "confirmed"
    asana.faults.add("answer", route=MEMBERSHIPS, status=403)
    assert probed(connected)["page-of-100"] == before


def test_the_search_and_the_log_of_an_enterprise(connected: Seats, asana: Running, database: Database) -> None:
    with_service_account(connected, database, asana)
    lines = probed(connected)
    for claim in ("log-is-for-service-accounts", "log-ascends", "log-keeps-90-days", "search-of-25-people",
                  "commenters-follow", "removed-is-inactive", "agents-have-no-seat"):  # fmt: skip
        assert lines[claim]["outcome"] == "confirmed", lines[claim]
    assert "refuted" not in outcomes(lines).values(), lines


def test_nothing_that_is_seen_names_anybody(connected: Seats, asana: Running) -> None:
    told = " ".join(str(line["seen"]) for line in probed(connected).values())
    people = asana.look.state.people.values()
    assert not [one.gid for one in people if one.gid in told or one.name in told or (one.email or "@@") in told]


def test_claims_are_listed_with_what_breaks(seats: Seats) -> None:
    listed = seats.ok("claims")["claims"]
    assert len({one["id"] for one in listed}) == len(listed) == len(CLAIMS)
    assert all(one["sentence"].endswith(".") and one["breaks"] and one["source"] and one["to_do"] for one in listed)


def test_an_unknown_connection(seats: Seats) -> None:
    assert seats("probe", "nobody").code == 3
