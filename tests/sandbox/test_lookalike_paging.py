"""Pagination with the traps that Asana's has."""

from datetime import UTC, datetime, timedelta

import pytest

from sandbox.asana import Running, running
from tests.sandbox.asking import Asking


@pytest.fixture
def path(asana: Running) -> str:
    return f"/workspaces/{asana.organization_gid}/workspace_memberships"


def test_pages_hold_everything_once(api: Asking, path: str) -> None:
    for limit in (1, 7, 51, 52, 100):
        rows = list(api.all(path, limit=limit))
        assert len(rows) == len({row["gid"] for row in rows}) == 52


def test_next_page_comes_with_a_limit_only(api: Asking, path: str) -> None:
    assert "next_page" not in api.get(path)
    assert api.get(path, limit=52)["next_page"] is None
    following = api.get(path, limit=51)["next_page"]
    assert following.keys() == {"offset", "path", "uri"}
    assert following["uri"].endswith(following["path"])
    assert api.client.get(following["uri"]).json()["next_page"] is None


def test_an_offset_expires() -> None:
    with running(people=50, start=datetime(2026, 6, 1, tzinfo=UTC)) as asana, Asking(asana) as api:
        offset = api.get("/users", limit=10)["next_page"]["offset"]
        asana.clock.move(timedelta(minutes=14, seconds=59))
        assert len(api.get("/users", limit=10, offset=offset)["data"]) == 10
        asana.clock.move(timedelta(seconds=1))
        assert "expired" in api.get("/users", limit=10, offset=offset, status=400)["errors"][0]["message"]


def test_an_offset_belongs_to_its_listing_and_its_caller(asana: Running, api: Asking, path: str) -> None:
    offset = api.get(path, limit=10)["next_page"]["offset"]
    api.get("/users", limit=10, offset=offset, status=400)
    api.get(path, limit=10, offset=offset[:-1] + ("0" if offset[-1] != "0" else "1"), status=400)
    api.get(path, limit=10, offset="", status=400)
    with Asking(asana, asana.service_account_token) as other:
        other.get(path, limit=10, offset=offset, status=400)


def test_pages_are_no_snapshot(api: Asking, path: str) -> None:
    """Somebody on the first page leaves: whoever stood first on the second is never listed."""
    before = [row["user"]["gid"] for row in api.all(path)]
    first = api.get(path, limit=10)
    api.remove(before[3])
    rest = list(api.all(path, {"offset": first["next_page"]["offset"]}))
    listed = {row["user"]["gid"] for row in first["data"] + rest}
    assert set(before) - listed == {before[10]}


def test_without_a_limit_a_listing_is_cut_in_silence() -> None:
    with running(people=2100) as asana, Asking(asana) as api:
        organization = asana.organization_gid
        assert len(api.get("/users", workspace=organization)["data"]) == 1000
        trap = api.get(f"/workspaces/{organization}/users")
        names = [row["name"].casefold() for row in trap["data"]]
        assert list(trap) == ["data"]
        assert len(names) == 2000
        assert names == sorted(names)
        assert len(list(api.all("/users", {"workspace": organization}))) == 2100


def test_fields_are_selected_as_asana_does_it(asana: Running, api: Asking, path: str) -> None:
    compact = api.get(path, limit=1)["data"][0]
    assert compact.keys() == {"gid", "resource_type", "user", "workspace"}
    assert compact["user"].keys() == {"gid", "resource_type", "name"}
    asked = api.get(path, limit=1, opt_fields="user.name,is_active,workspace,unheard_of")["data"][0]
    assert asked.keys() == {"gid", "user", "is_active", "workspace"}
    assert asked["user"].keys() == {"gid", "name"}
    assert asked["workspace"].keys() == {"gid", "resource_type"}
    missing = next(one for one in asana.organization.people.values() if "missing_email" in one.traits)
    assert api.get(f"/users/{missing.gid}", opt_fields="name,email")["data"].keys() == {"gid", "name"}
    shouting = next(one for one in asana.organization.people.values() if "upper_case_email" in one.traits)
    assert api.get(f"/users/{(shouting.email or '').lower()}")["data"]["email"] == (shouting.email or "").upper()
