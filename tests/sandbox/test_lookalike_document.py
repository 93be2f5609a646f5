"""Every answer of every route, right and wrong, is one that Asana's published document allows."""

from collections.abc import Callable, Iterator
from hashlib import sha256

import httpx
import pytest
from openapi_core.validation.response.exceptions import InvalidData

from sandbox.asana import Running, running
from sandbox.asana.routes import ROUTES
from tests.sandbox.asking import EXTRACT_VALIDATOR, Asking
from tests.sandbox.openapi_document import EXTRACT, load, whole_document
from tests.sandbox.validation import Undeclared, Validator

TASK_FIELDS = "created_by,created_at,completed_by,completed_at,assigned_by.name,modified_at,assignee,followers.name"
MEMBERSHIP_FIELDS = (
    "user.name,user.email,is_active,is_admin,is_guest,is_view_only,created_at,vacation_dates.start_on,"
    "user_task_list.owner,workspace"
)
USER_FIELDS = "name,email,photo,workspaces.name"

DOCUMENTS = ["extract", "whole"] if whole_document() else ["extract"]


@pytest.fixture(scope="module")
def served() -> Iterator[Running]:
    with running(people=50, seed=3) as look_alike:
        yield look_alike


@pytest.fixture(scope="module", params=DOCUMENTS)
def validator(request: pytest.FixtureRequest) -> Validator:
    """Against the extract always, and against the whole document where it is at hand."""
    if request.param == "extract":
        return EXTRACT_VALIDATOR
    path = whole_document()
    assert path
    return Validator(load(path))


def test_the_extract_is_what_the_whole_document_says() -> None:
    path = whole_document()
    extract = load(EXTRACT)
    assert extract["info"]["x-source"]["license"]["name"] == "Apache 2.0"
    if path:
        assert load(path) == extract
        assert extract["info"]["x-source"]["sha256"] == sha256(path.read_bytes()).hexdigest()


def test_right_answers(served: Running, validator: Validator) -> None:
    organization = served.organization_gid
    person = next(one for one in served.organization.people.values() if one.archetype == "active")
    task = next(iter(person.assigned.values()))
    membership = person.memberships[organization]
    with Asking(served, validator=validator) as api:
        for name in ("me", person.gid, person.email or ""):
            api.get(f"/users/{name}")
            api.get(f"/users/{name}/workspace_memberships", limit=1, opt_fields=MEMBERSHIP_FIELDS)
        api.get(f"/users/{person.gid}", opt_fields=USER_FIELDS)
        api.get("/users", limit=7, opt_fields=USER_FIELDS)
        api.get("/users", workspace=organization)
        api.get("/workspaces", limit=1, opt_fields="name,is_organization,email_domains")
        api.get("/workspaces", opt_pretty="true")
        api.get(f"/workspaces/{organization}")
        api.get(f"/workspaces/{organization}/agents", opt_fields="name")
        api.get(f"/workspaces/{organization}/agents", limit=2)
        api.get(f"/workspaces/{organization}/users", opt_fields=USER_FIELDS)
        api.get(f"/workspaces/{organization}/users")
        api.get(f"/workspaces/{organization}/workspace_memberships")
        api.get(f"/workspaces/{organization}/workspace_memberships", user=person.gid, limit=10)
        assert len(list(api.memberships(MEMBERSHIP_FIELDS))) > 50
        api.get(f"/workspace_memberships/{membership.gid}")
        api.get(f"/workspace_memberships/{membership.gid}", opt_fields=MEMBERSHIP_FIELDS)
        for assignee in served.organization.members(served.organization.company):
            api.get("/tasks", assignee=assignee.gid, workspace=organization, limit=1, opt_fields=TASK_FIELDS)
            api.get("/tasks", assignee=assignee.gid, workspace=organization)
        api.get(f"/tasks/{task.gid}")
        api.get(f"/tasks/{task.gid}", opt_fields=TASK_FIELDS)
        api.get(f"/tasks/{task.gid}/stories")
        api.get(f"/tasks/{task.gid}/stories", limit=1, opt_fields="created_at,created_by.name,resource_subtype,type")


def test_removing_and_inviting(validator: Validator) -> None:
    with running(people=50, seed=4) as asana, Asking(asana, validator=validator) as api:
        person = next(one for one in asana.organization.people.values() if one.archetype == "sleeper")
        api.remove(person.gid)
        api.post(f"/workspaces/{asana.organization_gid}/addUser", person.gid)
        api.post(f"/workspaces/{asana.organization_gid}/addUser", "new.person@nordwind.example")


def every_route(asana: Running) -> Iterator[tuple[str, str]]:
    """Each route with things that there are."""
    person = next(one for one in asana.organization.people.values() if one.archetype == "active")
    gids = {
        "{workspace_gid}": asana.organization_gid,
        "{user_gid}": person.gid,
        "{workspace_membership_gid}": person.memberships[asana.organization_gid].gid,
        "{task_gid}": next(iter(person.assigned)),
    }
    for method, template, _ in ROUTES:
        path = template
        for parameter, gid in gids.items():
            path = path.replace(parameter, gid)
        yield method, path


def test_every_route_refuses_a_bad_token(served: Running, validator: Validator) -> None:
    with Asking(served, "no such token", validator) as nobody:
        for method, path in every_route(served):
            assert nobody.answer(method, path).status_code == 401


def test_every_route_may_fail_with_a_phrase(
    served: Running, validator: Validator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr("sandbox.asana.answering.Call", broken)
    with Asking(served, validator=validator) as api:
        for method, path in every_route(served):
            answer = api.answer(method, path)
            assert (answer.status_code, len(answer.json()["errors"][0]["phrase"].split())) == (500, 5)


@pytest.mark.parametrize(
    ("status", "path"),
    [
        (404, "/users/404"),
        (404, "/users/nobody@nordwind.example"),
        (400, "/users/not-a-gid"),
        (404, "/users?workspace=404"),
        (404, "/users?team=404"),
        (400, "/users?limit=0"),
        (400, "/users?limit=101"),
        (400, "/users?limit=ten"),
        (400, "/users?limit=10&offset=eyJ2-0-00"),
        (404, "/users/404/workspace_memberships"),
        (400, "/workspaces?limit="),
        (404, "/workspaces/404"),
        (400, "/workspaces/Nordwind"),
        (404, "/workspaces/404/agents"),
        (404, "/workspaces/404/users"),
        (400, "/workspaces/{organization}/users?offset=eyJ2-0-00"),
        (404, "/workspaces/404/workspace_memberships"),
        (404, "/workspaces/{organization}/workspace_memberships?user=404"),
        (400, "/workspaces/{organization}/workspace_memberships?limit=1000"),
        (404, "/workspace_memberships/404"),
        (400, "/tasks"),
        (400, "/tasks?assignee=me"),
        (400, "/tasks?workspace={organization}"),
        (404, "/tasks?workspace={organization}&assignee=404"),
        (400, "/tasks?workspace={organization}&assignee=me&modified_since=yesterday"),
        (400, "/tasks?workspace={organization}&assignee=me&limit=-1"),
        (404, "/tasks/404"),
        (404, "/tasks/404/stories"),
    ],
)
def test_wrong_questions(served: Running, validator: Validator, status: int, path: str) -> None:
    with Asking(served, validator=validator) as api:
        answer = api.answer("GET", path.replace("{organization}", served.organization_gid))
    assert answer.status_code == status
    assert list(answer.json()) == ["errors"]
    assert answer.json()["errors"][0].keys() == {"message", "help"}


def test_what_others_may_not_do(served: Running, validator: Validator) -> None:
    """403: a workspace of somebody else, a private task, and removing people without being an admin."""
    organization = served.organization
    private = next(task for task in organization.tasks.values() if task.is_private)
    stranger = next(
        one
        for one in organization.members(organization.company)
        if not private.is_seen_by(one) and one.archetype == "active"
    )
    with Asking(served, served.look.credentials.personal_token(stranger), validator) as other:
        other.get(f"/workspaces/{organization.personal.gid}", status=403)
        other.get(f"/workspaces/{organization.personal.gid}/users", status=403)
        other.get(f"/tasks/{private.gid}", status=403)
        other.get(f"/tasks/{private.gid}/stories", status=403)
        other.remove("me", status=403)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"data": {}}', b'{"data": {"user": 7}}', b'{"user": "me"}', b"\xff"]
)
@pytest.mark.parametrize("route", ["removeUser", "addUser"])
def test_bad_bodies(served: Running, validator: Validator, route: str, body: bytes) -> None:
    with Asking(served, validator=validator) as api:
        answer = api.answer("POST", f"/workspaces/{served.organization_gid}/{route}", content=body)
    assert answer.status_code == 400


def test_paths_that_are_none(served: Running) -> None:
    with Asking(served, validator=None) as api:
        for method, path in [("GET", "/nothing"), ("GET", "/users/"), ("POST", "/users"), ("DELETE", "/tasks/1")]:
            answer = api.answer(method, path)
            assert (answer.status_code, list(answer.json())) == (404, ["errors"])


BREAKAGES: list[tuple[str, Callable[[dict[str, object]], object], type[Exception]]] = [
    ("a number for a gid", lambda row: row.update(gid=12), InvalidData),
    ("a word for a flag", lambda row: row.update(is_active="yes"), InvalidData),
    ("null where none may be", lambda row: row.update(user=None), InvalidData),
    ("a field that is spelt wrongly", lambda row: row.update(isactive=True), Undeclared),
]


@pytest.mark.parametrize(("what", "spoil", "refusal"), BREAKAGES)
def test_the_validation_sees_a_route_that_answers_wrongly(
    served: Running, what: str, spoil: Callable[[dict[str, object]], object], refusal: type[Exception]
) -> None:
    def patch(body: object) -> object:
        assert isinstance(body, dict)
        spoil(body["data"][0])
        return body

    fault = served.faults.add("patch", route="/workspaces/{workspace_gid}/workspace_memberships", patch=patch)
    try:
        with Asking(served) as api, pytest.raises(refusal):
            api.memberships()
    finally:
        served.faults.remove(fault)
    assert fault.fired == 1, what


def test_times_must_be_times(served: Running) -> None:
    answer = httpx.Response(
        200,
        json={"data": [{"gid": "1", "created_at": "yesterday"}]},
        request=httpx.Request("GET", f"{served.api_url}/tasks/1/stories"),
    )
    with pytest.raises(InvalidData):
        EXTRACT_VALIDATOR.check(answer)
