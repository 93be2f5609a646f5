"""One field missing or odd, and the whole answer is not believed; nothing is filled in by default."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from asana_api.errors import BadAnswer
from sandbox.asana import Running
from tests.asana_api.conftest import OpenClient
from tests.asana_api.reads import READS, somebody, whole

pytestmark = pytest.mark.anyio

REQUIRED = {
    "membership_page": ["gid", "user", "is_active", "is_admin", "is_guest", "is_view_only", "created_at"],
    "membership_of": ["gid", "user", "is_active", "is_admin", "is_guest", "is_view_only", "created_at"],
    "user_page": ["gid", "name"],
    "task_page": ["gid", "created_at", "created_by", "completed_at", "completed_by", "modified_at", "assignee"],
    "story_page": ["gid", "created_at", "created_by", "resource_subtype"],
    "workspaces": ["gid", "name", "is_organization"],
}
ODD: list[object] = [0, 1, "", "true", [], {}, 1.5, "1700000000", "2026-01-01", "2026-01-01T00:00:00", {"gid": "me"}]
Row = dict[str, Any]


def in_first_row(change: Callable[[Row], object]) -> Callable[[object], object]:
    """Make a patch that changes the first row of a listing."""

    def patch(answer: object) -> object:
        assert isinstance(answer, dict)
        assert answer["data"], "the listing has a row to change"
        change(answer["data"][0])
        return answer

    return patch


@pytest.fixture(autouse=True)
def _a_task_to_list(asana: Running) -> None:
    asana.changes.act(somebody(asana))


@pytest.mark.parametrize(("name", "field"), [(name, field) for name in REQUIRED for field in REQUIRED[name]])
async def test_a_missing_field_is_not_filled_in(name: str, field: str, asana: Running, open_client: OpenClient) -> None:
    asana.faults.add("patch", route=READS[name][0], patch=in_first_row(lambda row: row.pop(field)))
    with pytest.raises(BadAnswer, match=rf"data\.0\.{field}"):
        await READS[name][1](open_client(reads=1), asana)


@pytest.mark.parametrize(("name", "field"), [(name, field) for name in REQUIRED for field in REQUIRED[name]])
async def test_an_odd_field_is_not_bent_into_shape(
    name: str, field: str, asana: Running, open_client: OpenClient
) -> None:
    client = open_client(reads=1)
    odd = [value for value in ODD if not (field in {"name", "resource_subtype"} and isinstance(value, str))]
    odd = [value for value in odd if not (field == "gid" and value == "1700000000")]
    for value in odd:
        asana.faults.clear()
        asana.faults.add("patch", route=READS[name][0], patch=in_first_row(partial(set_field, field, value)))
        with pytest.raises(BadAnswer, match=rf"data\.0\.{field}"):
            await READS[name][1](client, asana)


def set_field(field: str, value: object, row: Row) -> None:
    row[field] = value


@pytest.mark.parametrize("name", [name for name in REQUIRED if name != "workspaces"])
@pytest.mark.parametrize("next_page", ["missing", 5, "x", {}, {"offset": None}, {"offset": ""}, {"offset": 5}, []])
async def test_a_page_that_does_not_say_whether_it_is_the_last_is_no_page(
    name: str, next_page: object, asana: Running, open_client: OpenClient
) -> None:
    def patch(answer: object) -> object:
        assert isinstance(answer, dict)
        answer.pop("next_page")
        return answer if next_page == "missing" else answer | {"next_page": next_page}

    asana.faults.add("patch", route=READS[name][0], patch=patch)
    with pytest.raises(BadAnswer, match="next_page"):
        await READS[name][1](open_client(), asana)


async def test_a_membership_is_proved_by_the_person_s_own_row(asana: Running, open_client: OpenClient) -> None:
    """A filter that was not applied answers with somebody else, or with everybody."""
    client, person = open_client(), somebody(asana)
    found = await client.membership_of(asana.organization_gid, person)
    assert found is not None
    assert (found.user_gid, found.is_active) == (person, True)

    def of_another(row: Row) -> None:
        row["user"]["gid"] = "77"

    asana.faults.add("patch", patch=in_first_row(of_another), times=1)
    with pytest.raises(BadAnswer, match="another person"):
        await client.membership_of(asana.organization_gid, person)
    everybody = await whole(client.membership_page(asana.organization_gid))
    assert len(everybody.items) > 1
    asana.faults.add("patch", patch=lambda answer: {**answer, "data": answer["data"] * 2})  # type: ignore[dict-item,index] # a listing
    with pytest.raises(BadAnswer, match="more than one"):
        await client.membership_of(asana.organization_gid, person)


async def test_absence_is_proved_by_an_empty_list_and_by_nothing_else(asana: Running, open_client: OpenClient) -> None:
    client, person = open_client(), somebody(asana)
    asana.changes.leave(person)
    assert await client.membership_of(asana.organization_gid, person) is None
    asana.changes.rejoin(person)
    asana.changes.set_roles(person, is_active=False)
    former = await client.membership_of(asana.organization_gid, person)
    assert former is not None
    assert not former.is_active


async def test_everybody_is_read_as_they_are(asana: Running, open_client: OpenClient) -> None:
    page = await whole(open_client().membership_page(asana.organization_gid))
    there = asana.organization.company.by_person
    assert {(m.user_gid, m.is_active, m.is_admin, m.is_guest, m.is_view_only, m.created_at) for m in page.items} == {
        (gid, m.is_active, m.is_admin, m.is_guest, m.is_view_only, m.created_at) for gid, m in there.items()
    }
    users = await whole(open_client().user_page(asana.organization_gid))
    assert {(user.gid, user.name) for user in users.items} == {
        (gid, m.person.name) for gid, m in there.items() if m.is_active
    }
