"""Limits and scripted faults, as they reach a client over a real connection."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from sandbox.asana import Running, running
from sandbox.asana.limits import PLANS, Limits, Plan
from tests.sandbox.asking import Asking


class Ticks:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_bucket_holds_one_second_and_is_refilled_steadily() -> None:
    ticks = Ticks()
    limits = Limits(PLANS["paid"], ticks)
    assert [limits.enter("a", "GET") for _ in range(26)] == [None] * 25 + [1]
    assert limits.enter("b", "GET") is None, "each credential has its own"
    ticks.seconds += 0.2  # five calls' worth: one pays for the rejected call
    assert [limits.enter("a", "GET") for _ in range(5)] == [None] * 4 + [1]


def test_a_rejected_call_still_counts() -> None:
    ticks = Ticks()
    limits = Limits(PLANS["free"], ticks)
    while limits.enter("a", "GET") is None:
        pass
    waits = [limits.enter("a", "GET") or 0 for _ in range(200)]
    assert waits == sorted(waits)
    assert waits[-1] == 31, "and never digs deeper than half a minute"
    ticks.seconds += waits[-1]
    assert limits.enter("a", "GET") is None


def test_what_is_in_flight_is_counted_apart() -> None:
    limits = Limits(Plan(60_000, reads=2, writes=1))
    assert [limits.enter("a", "GET") for _ in range(3)] == [None, None, 1]
    assert [limits.enter("a", "POST") for _ in range(2)] == [None, 1]
    limits.leave("a", "GET")
    assert limits.enter("a", "GET") is None


def test_a_client_over_its_limit_is_told_to_wait() -> None:
    with running(people=30, limits="free") as asana, Asking(asana) as api:
        answers = [api.answer("GET", "/users/me") for _ in range(4)]
        assert [one.status_code for one in answers[:2]] == [200, 200]
        assert answers[-1].status_code == 429
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert "rate limit" in answers[-1].json()["errors"][0]["message"]
        asana.limits.switch(None)
        assert all(api.get("/users/me") for _ in range(20))


def test_too_much_at_once() -> None:
    with running(people=30, latency_ms=150) as asana, Asking(asana) as api:
        asana.limits.switch(Plan(60_000, reads=3))
        with ThreadPoolExecutor(6) as pool:
            statuses = list(pool.map(lambda _: api.answer("GET", "/users/me").status_code, range(6)))
        assert sorted(statuses) == [200, 200, 200, 429, 429, 429]
        assert asana.requests.most_in_flight >= 3
        assert asana.requests.in_flight == 0


def test_a_fault_has_its_turn_and_no_more(asana: Running, api: Asking) -> None:
    fault = asana.faults.add("answer", method="get", route="/users/{user_gid}", skip=1, times=2, status=503)
    assert [api.client.get("/users/me").status_code for _ in range(5)] == [200, 503, 503, 200, 200]
    assert (fault.met, fault.fired) == (5, 2)
    asana.faults.clear()
    asana.faults.add("answer", path=r"/users/\w+$", query={"opt_fields": "na.*"}, status=402)
    assert api.client.get("/users/me").status_code == 200
    assert api.client.get("/users/me", params={"opt_fields": "name"}).status_code == 402
    assert api.client.get("/users", params={"opt_fields": "name"}).status_code == 200


def test_the_first_fault_due_is_taken(asana: Running, api: Asking) -> None:
    asana.faults.add("answer", status=500, times=1)
    second = asana.faults.add("answer", status=502)
    assert [api.client.get("/users/me").status_code for _ in range(2)] == [500, 502]
    assert asana.faults.remove(second)
    assert not asana.faults.remove(second)


def test_answers_of_any_kind(asana: Running, api: Asking) -> None:
    asana.faults.add("answer", times=1, status=429, headers={"Retry-After": "7"}, body='{"errors": []}')
    asana.faults.add("html", times=1)
    asana.faults.add("answer", times=1, status=200, body=b"\xff\xfe not JSON")
    limited, page, rubbish = (api.client.get("/users/me") for _ in range(3))
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "7")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html")
    assert rubbish.content.startswith(b"\xff")


def test_a_cut_answer_promises_more_than_it_holds(asana: Running, api: Asking) -> None:
    asana.faults.add("cut", route="/users", times=1)
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        api.client.get("/users")
    assert api.client.get("/users").is_success


@pytest.mark.parametrize(
    ("spoil", "told", "accepted"),
    [
        (lambda asana: asana.faults.add("lost", method="POST"), None, True),
        (lambda asana: asana.faults.add("cut", method="POST"), None, True),
        (lambda asana: asana.faults.add("close", method="POST"), None, False),
        (lambda asana: asana.faults.add("answer", method="POST", status=502), 502, False),
        (lambda asana: asana.faults.add("answer", method="POST", status=504, after_effect=True), 504, True),
    ],
)
def test_a_removal_whose_outcome_the_caller_cannot_tell(
    asana: Running, api: Asking, spoil: Callable[[Running], object], told: int | None, accepted: object
) -> None:
    sleeper = next(one for one in asana.organization.people.values() if one.archetype == "sleeper")
    spoil(asana)
    path = f"/workspaces/{asana.organization_gid}/removeUser"
    try:
        status = api.client.post(path, json={"data": {"user": sleeper.gid}}).status_code
    except httpx.RemoteProtocolError:
        status = None
    assert status == told
    assert [(one.status, one.accepted) for one in asana.removals.calls] == [(told, accepted)]
    assert (sleeper.gid in asana.organization.company.by_person) is not accepted


def test_slow_before_and_after_the_effect(asana: Running, api: Asking) -> None:
    """A caller that hangs up does not stop what it asked for."""
    first, second = [one for one in asana.organization.people.values() if one.archetype == "sleeper"][:2]
    path = f"/workspaces/{asana.organization_gid}/removeUser"
    for person, after_effect in ((first, True), (second, False)):
        fault = asana.faults.add("slow", delay=0.3, after_effect=after_effect)
        with pytest.raises(httpx.ReadTimeout):
            api.client.post(path, json={"data": {"user": person.gid}}, timeout=0.1)
        assert bool(asana.removals.accepted) is after_effect
        asana.faults.remove(fault)
        deadline = time.monotonic() + 5
        while asana.requests.in_flight and time.monotonic() < deadline:
            time.sleep(0.01)
        assert [(one.person, one.status) for one in asana.removals.accepted] == [(person.gid, None)]
        asana.removals.reset()


def test_a_dripping_answer_is_whole_in_the_end(asana: Running, api: Asking) -> None:
    asana.faults.add("drip", delay=0.4)
    began = time.monotonic()
    with api.client.stream("GET", "/users/me") as answer:
        pieces = list(answer.iter_raw())
    assert time.monotonic() - began >= 0.4
    assert len(pieces) > 3
    assert b"".join(pieces).endswith(b"}")


def test_a_patch_changes_the_json(asana: Running, api: Asking) -> None:
    def without_flag(body: object) -> object:
        assert isinstance(body, dict)
        del body["data"][0]["is_active"]
        return body

    asana.faults.add("patch", route="/workspaces/{workspace_gid}/workspace_memberships", times=1, patch=without_flag)
    spoilt, whole = api.memberships(), api.memberships()
    assert "is_active" not in spoilt[0]
    assert "is_active" in whole[0]


def test_bytes_are_rewritten_under_other_headers_where_a_parameter_is_absent(asana: Running) -> None:
    web = {"content-type": "text/html"}
    asana.faults.add("bytes", query={"opt_pretty": None}, headers=web, rewrite=lambda body: body[:9])
    auth = {"Authorization": f"Bearer {asana.admin_token}"}
    spoilt = httpx.get(f"{asana.api_url}/users/me", headers=auth)
    whole = httpx.get(f"{asana.api_url}/users/me?opt_pretty=true", headers=auth)
    assert (spoilt.status_code, spoilt.headers["content-type"], len(spoilt.content)) == (200, "text/html", 9)
    assert whole.json()["data"]["gid"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "unheard of"},
        {"kind": "patch"},
        {"kind": "bytes"},
        {"kind": "answer", "path": "("},
        {"kind": "cut", "query": {"a": "["}},
    ],
)
def test_a_script_that_makes_no_sense(asana: Running, wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"fault|expression"):
        asana.faults.add(**wrong)  # type: ignore[arg-type]  # wrong on purpose


def test_several_look_alikes_stand_side_by_side() -> None:
    with running(people=20, seed=1) as one, running(people=20, seed=2) as other:
        assert one.url != other.url
        one.faults.add("answer", status=503)
        with Asking(other) as api:
            api.get("/users/me")


def test_a_look_alike_starts_and_ends_quickly() -> None:
    began = time.perf_counter()
    with running(people=50) as asana, httpx.Client() as client:
        client.get(asana.url)
        started = time.perf_counter() - began
    assert started < 0.5
    assert time.perf_counter() - began < 2
    assert not any(thread.name == "asana look-alike" for thread in threading.enumerate())
