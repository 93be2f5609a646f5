"""A page of memberships may be of other people: who would be new and is no user is asked for by themselves."""

from collections.abc import Iterator

import pytest

from sandbox.asana import Running
from tests.conftest import Database
from tests.workers import bad_pages
from tests.workers.actor_stage import actor_stage, organization
from workers import download

pytestmark = [pytest.mark.anyio, pytest.mark.services]

SEATS, USERS = "/workspaces/{workspace_gid}/workspace_memberships", "/users"
LISTING = {"user": None}
OF_ONE = {"user": "[0-9]+"}


@pytest.fixture
def asana() -> Iterator[Running]:
    with organization(people=150) as lookalike:
        yield lookalike


def active(asana: Running) -> set[str]:
    return {gid for gid, one in asana.organization.company.by_person.items() if one.is_active}


def with_strangers(number: int) -> bad_pages.Patch:
    """Let the page end with people of another organization, who have a seat there."""

    def add(rows: list[dict[str, object]]) -> None:
        for one in range(number):
            stranger = {"gid": f"66{one:04}", "user": {"gid": f"77{one:04}", "name": "Somebody else"}}
            rows.append({**rows[0], **stranger, "is_active": True})

    return bad_pages.on_data(add)


@pytest.mark.parametrize("first", [True, False], ids=["the first download", "a later one"])
async def test_strangers_are_asked_for_and_are_no_seats(first: bool, asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        if not first:
            await stage.run("download")
            stage.later(days=1)
        asana.requests.reset()
        asana.faults.add("patch", route=SEATS, query=LISTING, patch=with_strangers(5), times=1)
        run = await stage.run("download")
        assert (run.state, run.counts["unconfirmed"]) == ("finished", 5)
        assert (await stage.subscriptions()).keys() == active(asana)
        assert run.counts["found"] == (len(active(asana)) if first else 0)
        assert asana.requests.by_route[f"GET {SEATS}"] == 2 + 5, "two pages, and each of the five by themselves"


async def test_a_page_of_strangers_only_takes_nobody_s_seat_and_gives_none(asana: Running, database: Database) -> None:
    """A small organization, all of whose first page is of other people: the download is not believed."""
    async with actor_stage(asana, database) as stage:
        asana.faults.add(
            "patch",
            route=SEATS,
            query=LISTING,
            patch=bad_pages.on_data(
                lambda rows: [row.update(user={"gid": f"77{n:04}", "name": "x"}) for n, row in enumerate(rows)]
            ),
            times=1,
        )
        run = await stage.run("download")
        assert (run.state, "are not among the users" in (run.reason or "")) == ("failed", True)
        assert await stage.subscriptions() == {}
        asked = asana.requests.by_route[f"GET {SEATS}"] - 2
        assert asked <= download.CONFIRMED_AT_ONCE, "no further than it takes to see that it is not believed"


async def test_more_than_a_few_strangers_make_a_later_download_fail(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        await stage.run("download")
        before = await stage.subscriptions()
        stage.later(days=1)
        asana.faults.add("patch", route=SEATS, query=LISTING, patch=with_strangers(9), times=1)
        run = await stage.run("download")
        assert (run.state, "9 of " in (run.reason or "")) == ("failed", True), run.reason
        assert await stage.subscriptions() == before
        assert (await stage.run("download")).state == "finished", "the next day's pages are right"


@pytest.mark.parametrize("slice_seconds", [60, 0.001], ids=["in one slice", "in many"])
async def test_new_people_whom_the_users_do_not_show_are_found_nevertheless(
    slice_seconds: float, asana: Running, database: Database
) -> None:
    """The users listing lacks thirty for a moment: each is confirmed by their own membership."""
    async with actor_stage(asana, database, slice_seconds=slice_seconds) as stage:
        asana.faults.add("patch", route=USERS, patch=bad_pages.without_the_last(30), times=1)
        run_id = await stage.order("download")
        await stage.play()
        run = await stage.read(run_id)
        assert (run.state, "unconfirmed" in run.counts) == ("finished", False)
        assert (await stage.subscriptions()).keys() == active(asana)
        asana.requests.reset()
        asana.faults.add("patch", route=USERS, patch=bad_pages.without_the_last(30), times=1)
        stage.later(days=1)
        await stage.run("download")
        assert asana.requests.by_route[f"GET {SEATS}"] == 2, "who is known is not asked for"


@pytest.mark.parametrize(("status", "state"), [(404, "finished"), (403, "finished"), (401, "failed"), (500, "failed")])
async def test_who_is_new_and_of_whom_asana_would_not_say_is_not_found_yet(
    status: int, state: str, asana: Running, database: Database
) -> None:
    async with actor_stage(asana, database) as stage:
        asana.faults.add("patch", route=USERS, patch=bad_pages.without_the_last(3), times=1)
        refusal = asana.faults.add("answer", route=SEATS, query=OF_ONE, status=status)
        run = await stage.run("download")
        assert (run.state, refusal.fired > 0) == (state, True)
        assert len(await stage.subscriptions()) == (len(active(asana)) - 3 if state == "finished" else 0)
        asana.faults.clear()
        stage.later(days=1)
        await stage.run("download")
        assert (await stage.subscriptions()).keys() == active(asana), "the next download finds them"
