"""kill -9 of a worker in the middle of its work, with real processes, real services, and the look-alike as witness."""

from collections.abc import Iterator

import pytest

from sandbox.services import Services
from tests.system.living import Living, Row, living

PEOPLE = 260
MEMBERSHIPS = "/workspaces/{workspace_gid}/workspace_memberships"
REMOVE = "/workspaces/{workspace_gid}/removeUser"
ACTS = """SELECT s.user_gid, max(o.acted_at) AS at, max(o.acted_at) FILTER (WHERE o.source = 'audit_log') AS logged
            FROM observation o JOIN subscription s ON s.id = o.subscription_id GROUP BY 1"""


@pytest.fixture
def town(services: Services) -> Iterator[Living]:
    with living(services, PEOPLE, seed=11) as found:
        yield found


def _running(town: Living, kind: str) -> Row | None:
    rows = town.rows("SELECT id, counts, fence FROM run WHERE kind = %s AND state = 'running'", kind)
    return rows[0] if rows else None


def _assert_right(town: Living) -> None:
    """Assert that the cycle's figures are those of the truth: seats, last acts, candidates by state."""
    (began,) = town.rows(
        """SELECT c.started_at AS judged, a.started_at AS pulled FROM run c JOIN run a USING (cycle_id)
            WHERE c.kind = 'candidates' AND c.state = 'finished' AND a.kind = 'activity'"""
    )
    expected = town.expected(began["pulled"], began["judged"])
    assert town.count("SELECT count(*) FROM subscription WHERE state = 'active'") == expected.seats
    acts = town.rows(ACTS)
    assert {act["user_gid"] for act in acts} & expected.asked == expected.seen.keys()
    assert {act["user_gid"]: act["logged"] for act in acts if act["logged"]} == expected.in_log
    assert expected.in_log
    idle = {gid: at for gid, at in expected.seen.items() if gid in expected.ready}
    assert {act["user_gid"]: act["at"] for act in acts if act["user_gid"] in idle} == idle
    query = """SELECT s.user_gid FROM candidate c JOIN subscription s ON s.id = c.subscription_id
                WHERE c.state = %s AND c.closed_at IS NULL"""
    assert {row["user_gid"] for row in town.rows(query, "ready")} == expected.ready
    assert {row["user_gid"] for row in town.rows(query, "attention_required")} == expected.never_seen
    assert town.events("SubscriptionFound") == expected.seats
    assert town.events("CandidateFound") == len(expected.ready) + len(expected.never_seen)


def test_a_worker_that_is_killed_in_the_middle_of_a_download_costs_nothing(town: Living) -> None:
    town.fault("slow", route=MEMBERSHIPS, delay=0.4)
    cycle = town.order("cycle")
    first = town.until("the download runs", lambda: _running(town, "download"))
    town.until(
        "a page was asked for", lambda: town.rows("SELECT FROM run WHERE id = %s AND fence > 0", first["id"]) or None
    )
    town.stack.supervisor.kill("worker")
    assert town.ended(cycle)["state"] == "finished"
    assert town.stack.supervisor.restarts("worker") == 1
    assert town.count("SELECT fence FROM run WHERE id = %s", first["id"]) >= 2, "the slice was not taken up again"
    _assert_right(town)


def test_a_worker_that_is_killed_in_the_middle_of_the_activity_pull_goes_on_where_it_was(town: Living) -> None:
    town.fault("slow", route="/tasks", delay=0.1)
    cycle = town.order("cycle")

    def some_were_asked() -> Row | None:
        run = _running(town, "activity")
        return run if run is not None and run["counts"].get("asked", 0) > 0 else None

    pulled = town.until("some people were asked about", some_were_asked)
    town.stack.supervisor.kill("worker")
    assert town.ended(cycle)["state"] == "finished"
    assert town.stack.supervisor.restarts("worker") == 1
    (run,) = town.rows("SELECT fence, counts FROM run WHERE id = %s", pulled["id"])
    assert run["fence"] >= 2, "the slice was not taken up again"
    assert run["counts"]["asked"] == run["counts"]["due"] > 200, "somebody was asked about twice, or not at all"
    _assert_right(town)


@pytest.mark.parametrize("happens", [True, False], ids=["the-call-came-through", "the-call-was-lost"])
def test_a_worker_that_is_killed_between_intent_and_answer_never_calls_again(town: Living, *, happens: bool) -> None:
    assert town.ended(town.order("cycle"))["state"] == "finished"
    _assert_right(town)
    plan = town.approved_plan(limit=3)
    if happens:
        town.fault("slow", route=REMOVE, delay=20, after_effect=True, times=1)
    else:
        town.fault("slow", route=REMOVE, delay=300, times=1)
    reclaim = town.order("reclaim", plan)
    town.until("a removal is called", lambda: town.rows("SELECT FROM removal WHERE state = 'calling'") or None)
    if happens:
        town.until("Asana has done it", lambda: [call for call in town.removals() if call["accepted"]] or None)
    town.stack.supervisor.kill("reclaim")
    assert town.ended(reclaim)["state"] == "finished"
    _assert_removed_once(town, plan)


def _assert_removed_once(town: Living, plan: str) -> None:
    """Assert that nobody was removed twice, and that our account is the look-alike's."""
    calls = town.removals()
    assert len(calls) == len({call["person"] for call in calls}), "somebody was called twice"
    items = town.rows("SELECT user_gid, outcome FROM plan_item WHERE plan_hash = %s", plan)
    assert len(items) == 3
    accepted = {call["person"] for call in calls if call["accepted"]}
    reclaimed = {item["user_gid"] for item in items if item["outcome"] == "reclaimed"}
    unknown = {item["user_gid"] for item in items if item["outcome"] == "unknown"}
    assert reclaimed | unknown == {item["user_gid"] for item in items}
    assert reclaimed <= accepted
    assert accepted <= reclaimed | unknown
    assert town.events("SubscriptionReclaimed") == len(reclaimed)
    assert town.count("SELECT count(*) FROM removal WHERE recovered") == 1
