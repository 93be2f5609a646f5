"""The look-alike as a program of its own, told what to do through its control surface."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.asana import Running

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-W", "error", "-m", "sandbox.asana"]


@pytest.fixture
def control(asana: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{asana.url}/-/sandbox") as client:
        yield client


def ask(control: httpx.Client, method: str, path: str, sent: object = None, *, status: int = 200) -> dict[str, Any]:
    answer = control.request(method, path, json=sent)
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    return body


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_is_serves_and_ends_well(ending: signal.Signals) -> None:
    command = [*PROGRAM, "--port", "0", "--people", "30", "--limits", "paid", "--latency-ms", "1"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stdout
        told = json.loads(program.stdout.readline())
        headers = {"Authorization": f"Bearer {told['admin_token']}"}
        with httpx.Client(base_url=told["url"], headers=headers) as client:
            me = client.get("/api/1.0/users/me").json()["data"]
            limits = client.get("/-/sandbox/limits").json()
        program.send_signal(ending)
        output, errors = program.communicate(timeout=10)
    assert (program.returncode, output, errors) == (0, "", "")
    assert me["gid"] == told["admin_gid"]
    assert told["organization_gid"] in {one["gid"] for one in me["workspaces"]}
    assert limits == {"per_minute": 1500, "reads": 50, "writes": 15, "latency_ms": 1.0}
    assert told.keys() >= {"client_id", "client_secret", "service_account_token"}


def test_it_explains_itself_and_refuses_what_it_cannot_do() -> None:
    told = subprocess.run([*PROGRAM, "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "python -m sandbox.asana --port 8900 --people 5000 --seed 1" in told.stdout
    refused = subprocess.run(
        [*PROGRAM, "--port", "0", "--people", "1"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert refused.stderr == "sandbox.asana: an organization needs at least 2 people (an admin and another), not 1\n"


def test_the_clock_is_set_from_outside(asana: Running, control: httpx.Client) -> None:
    assert ask(control, "POST", "clock", {"set": "2026-01-02T03:04:05Z", "frozen": True})["frozen"] is True
    assert ask(control, "POST", "clock", {"move": 60})["now"].startswith("2026-01-02T03:05:05")
    assert ask(control, "POST", "clock", {"frozen": False})["now"].startswith("2026-01-02T03:05:0")
    ask(control, "POST", "clock", {"reset": True})
    assert not asana.clock.frozen
    assert asana.clock.offset == timedelta()
    assert "error" in ask(control, "POST", "clock", {"set": "tomorrow"}, status=400)


def test_people_are_changed_from_outside(asana: Running, control: httpx.Client) -> None:
    gid = next(one.gid for one in asana.organization.people.values() if one.archetype == "sleeper")
    ask(control, "POST", "people", {"person": gid, "is_admin": True, "is_view_only": True})
    membership = asana.organization.company.by_person[gid]
    assert (membership.is_admin, membership.is_view_only, membership.is_guest) == (True, True, False)
    assert ask(control, "POST", "people", {"person": gid, "leave": True})["is_member"] is False
    assert ask(control, "POST", "people", {"person": gid, "rejoin": True})["is_member"] is True
    assert asana.organization.company.by_person[gid].gid != membership.gid
    assert ask(control, "POST", "people", {"person": "nobody", "leave": True}, status=400) == {
        "error": "there is no person 'nobody'"
    }


def test_acts_are_added_from_outside(asana: Running, control: httpx.Client) -> None:
    gid = next(one.gid for one in asana.organization.people.values() if one.archetype == "sleeper")
    at = asana.clock.now() - timedelta(days=1)
    ask(control, "POST", "acts", {"person": gid, "at": at.isoformat()})

    def told() -> dict[str, Any]:
        rows = ask(control, "GET", f"truth?since={(at - timedelta(days=60)).strftime('%Y-%m-%dT%H:%M:%SZ')}")["people"]
        row: dict[str, Any] = next(row for row in rows if row["gid"] == gid)
        return row

    commented = told()
    assert commented["seen_by_tasks"]["act"] == "comment_added"
    assert commented["last_use_at"] == commented["last_work_seen_by_tasks_at"]
    ask(control, "POST", "acts", {"person": gid, "act": "read"})
    assert told()["last_use_at"] > told()["last_work_at"]
    task = ask(control, "POST", "acts", {"person": gid, "act": "created", "assignee": None})["task"]
    assert told()["last_work"]["task"] == task
    assert ask(control, "POST", "acts", {"person": gid, "act": "completed"})["task"] != task
    assert told()["seen_by_tasks"]["act"] == "completed"
    ask(control, "POST", "acts", {"person": gid, "task": "12"}, status=400)
    ask(control, "POST", "acts", {}, status=400)


def test_faults_limits_and_counters_from_outside(asana: Running, control: httpx.Client) -> None:
    fault = ask(control, "POST", "faults", {"kind": "answer", "route": "/users/{user_gid}", "times": 1, "status": 503})
    with httpx.Client(base_url=asana.api_url, headers={"Authorization": f"Bearer {asana.admin_token}"}) as client:
        assert [client.get("/users/me").status_code for _ in range(2)] == [503, 200]
    assert ask(control, "GET", "faults")["faults"] == [fault | {"met": 2, "fired": 1}]
    assert ask(control, "DELETE", f"faults?number={fault['number']}")["faults"] == []
    ask(control, "DELETE", "faults?number=99", status=400)
    ask(control, "POST", "faults", {"kind": "patch"}, status=400)
    counted = ask(control, "GET", "requests")
    assert counted["by_route"] == {"GET /users/{user_gid}": 2}
    assert counted["by_status"] == {"503": 1, "200": 1}
    assert list(counted["by_credential"].values()) == [2]
    assert counted["most_in_flight"] == 1
    assert ask(control, "DELETE", "requests")["total"] == 0
    assert ask(control, "POST", "limits", {"plan": "free"})["per_minute"] == 150
    assert ask(control, "POST", "limits", {"per_minute": 600, "reads": 5})["reads"] == 5
    assert ask(control, "POST", "limits", {"plan": None})["per_minute"] is None
    ask(control, "POST", "limits", {"plan": "golden"}, status=400)


def test_a_reset_gives_the_same_organization_again(asana: Running, control: httpx.Client) -> None:
    before = ask(control, "GET", "about")
    people = sorted(asana.organization.people)
    sleeper = next(one.gid for one in asana.organization.people.values() if one.archetype == "sleeper")
    headers = {"Authorization": f"Bearer {asana.admin_token}"}
    with httpx.Client(base_url=asana.api_url, headers=headers) as client:
        path = f"/workspaces/{asana.organization_gid}/removeUser"
        assert client.post(path, json={"data": {"user": sleeper}}).is_success
        assert ask(control, "GET", "removals")["accepted"] == 1
        asana.faults.add("answer", status=503)
        assert ask(control, "POST", "reset") == before
        assert ask(control, "GET", "removals") == {"calls": [], "accepted": 0}
        assert client.get(f"/users/{sleeper}").is_success, "tokens stay good, and nobody is gone"
    assert sorted(asana.organization.people) == people


def test_how_removals_go_is_set_from_outside(asana: Running, control: httpx.Client) -> None:
    second = asana.organization.admins()[1].gid
    told = ask(control, "POST", "removing", {"stay_listed": True, "receiver": second})
    assert told == {"stay_listed": True, "receiver": second}
    ask(control, "PUT", "removing", {}, status=400)
