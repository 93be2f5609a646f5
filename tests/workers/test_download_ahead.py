"""The download reads ahead of what it commits: what becomes of that at a failure, a restart, a slice's end, a fence."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from messages.commands import DownloadSubscriptions
from sandbox.asana import Running
from store import listings, slices
from tests.conftest import Database
from tests.workers.actor_stage import Stage, actor_stage, organization
from workers import download

pytestmark = [pytest.mark.anyio, pytest.mark.services]

SEATS, USERS = "/workspaces/{workspace_gid}/workspace_memberships", "/users"
EXPIRED = '{"errors":[{"message":"offset: Your pagination token has expired."}]}'
PAGES = 6


@pytest.fixture
def asana() -> Iterator[Running]:
    """Six pages of memberships and as many of users."""
    with organization(people=580) as lookalike:
        yield lookalike


@pytest.fixture(autouse=True)
def _a_round_is_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "ROUND", 1)


async def expect_everybody(stage: Stage, run_id: Any) -> None:  # noqa: ANN401 - a run's id
    """Hold the result of a download against the organization."""
    active = {gid for gid, one in stage.asana.organization.company.by_person.items() if one.is_active}
    run = await stage.read(run_id)
    assert (run.state, run.reason) == ("finished", None)
    assert (await stage.subscriptions()).keys() == active
    assert run.counts["memberships"] == len(stage.asana.organization.company.memberships)


async def test_nothing_is_read_twice_where_slices_end_in_the_middle(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database, slice_seconds=0.001) as stage:
        run_id = await stage.order("download")
        assert await stage.play() == PAGES, "each slice reads a page of both, the last one compares as well"
        assert asana.requests.by_route[f"GET {SEATS}"] == PAGES
        assert asana.requests.by_route[f"GET {USERS}"] == PAGES
        await expect_everybody(stage, run_id)


async def test_what_was_read_ahead_when_the_time_is_over_is_kept(
    asana: Running, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with actor_stage(asana, database, slice_seconds=0.2) as stage:
        asana.faults.add("slow", route=SEATS, delay=0.1)
        run_id = await stage.order("download")
        assert await stage.play() > 1
        assert asana.requests.by_route[f"GET {SEATS}"] == PAGES
        monkeypatch.undo()
        await expect_everybody(stage, run_id)


async def test_a_slow_database_holds_the_readers_back(
    asana: Running, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed, most = 0, 0
    stage_memberships = listings.stage_memberships

    async def slowly(connection: Any, run: Any, rows: Any, **how: Any) -> None:  # noqa: ANN401 - passed on
        nonlocal committed, most
        await asyncio.sleep(0.1)
        most = max(most, asana.requests.by_route[f"GET {SEATS}"] - committed)
        kept = list(rows)
        await stage_memberships(connection, run, kept, **how)
        committed += -(-len(kept) // 100)

    monkeypatch.setattr(listings, "stage_memberships", slowly)
    async with actor_stage(asana, database) as stage:
        await expect_everybody(stage, (await stage.run("download")).id)
    assert most == download.ROUNDS_AHEAD, "they run ahead of the commit, and no further"


@pytest.mark.parametrize("route", [SEATS, USERS])
async def test_one_listing_begins_anew_while_the_other_is_ahead(route: str, asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        asana.faults.add("answer", route=route, status=400, body=EXPIRED, query={"offset": ".+"}, skip=3, times=1)
        await expect_everybody(stage, (await stage.run("download")).id)
        assert asana.requests.by_route[f"GET {route}"] == PAGES + 5
        other = USERS if route == SEATS else SEATS
        assert asana.requests.by_route[f"GET {other}"] == PAGES, "the other one goes on"


async def test_a_reader_that_fails_loses_nothing_that_was_committed(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        await stage.order("download")
        command = await stage.take_a(DownloadSubscriptions)
        asana.faults.add("answer", route=USERS, status=500, query={"offset": ".+"}, skip=2, times=3)
        with pytest.raises(Exception, match="Asana is in trouble"):
            await stage.attempt(command)
        assert await stage.count("SELECT count(*) FROM listed_user") == 300
        assert await stage.count("SELECT count(*) FROM listed_membership") == len(
            asana.organization.company.memberships
        ), "the other one was read to its end meanwhile"
        asana.requests.reset()
        await stage.attempt(command)
        assert (asana.requests.by_route[f"GET {USERS}"], asana.requests.by_route[f"GET {SEATS}"]) == (3, 0)
        await expect_everybody(stage, command.run_id)


async def test_asana_says_no_more_before_a_round_is_full_and_what_it_said_is_kept(
    asana: Running, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "ROUND", 10 * PAGES)
    async with actor_stage(asana, database) as stage:
        await stage.order("download")
        command = await stage.take_a(DownloadSubscriptions)
        asana.faults.add("answer", route=USERS, status=500, query={"offset": ".+"}, skip=2, times=3)
        with pytest.raises(Exception, match="Asana is in trouble"):
            await stage.attempt(command)
        assert await stage.count("SELECT count(*) FROM listed_user") == 300
        asana.requests.reset()
        await stage.attempt(command)
        assert (asana.requests.by_route[f"GET {USERS}"], asana.requests.by_route[f"GET {SEATS}"]) == (3, 0)
        await expect_everybody(stage, command.run_id)


async def test_a_worker_that_ends_in_the_middle_of_a_commit_costs_what_was_ahead(
    asana: Running, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage_users, times = listings.stage_users, iter([False, False, True])

    async def ending(connection: Any, run: Any, rows: Any) -> None:  # noqa: ANN401 - passed on
        await stage_users(connection, run, rows)
        if next(times):
            raise asyncio.CancelledError

    monkeypatch.setattr(listings, "stage_users", ending)
    async with actor_stage(asana, database) as stage:
        await stage.order("download")
        command = await stage.take_a(DownloadSubscriptions)
        with pytest.raises(asyncio.CancelledError):
            await stage.attempt(command)
        cursor = (await stage.read(command.run_id)).cursor
        users, staged = cursor["users"], await stage.count("SELECT count(*) FROM listed_user")
        assert isinstance(users, dict)
        assert users["rows"] == staged > 0, "the place and the rows are of one transaction"
        monkeypatch.undo()
        monkeypatch.setattr(download, "ROUND", 1)
        await stage.attempt(command)
        await expect_everybody(stage, command.run_id)


async def test_a_worker_that_was_fenced_stops_reading_and_leaves_the_rows_of_the_other(
    asana: Running, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint, times = slices.checkpoint, iter([False, True])

    async def meanwhile_taken(connection: Any, run: Any, **how: Any) -> None:  # noqa: ANN401 - passed on
        if next(times):
            await stage.owner.execute("UPDATE run SET fence = fence + 1 WHERE id = %s", [run.id])
        await checkpoint(connection, run, **how)

    monkeypatch.setattr(slices, "checkpoint", meanwhile_taken)
    async with actor_stage(asana, database) as stage:
        await stage.order("download")
        command = await stage.take_a(DownloadSubscriptions)
        await stage.attempt(command)
        run = await stage.read(command.run_id)
        kept = run.cursor["memberships"]
        assert isinstance(kept, dict)
        assert (run.state, asana.requests.in_flight) == ("running", 0)
        assert await stage.count("SELECT count(*) FROM listed_membership") == kept["rows"] > 0
        assert asana.requests.by_route[f"GET {SEATS}"] < PAGES, "nobody reads on"
        monkeypatch.undo()
        monkeypatch.setattr(download, "ROUND", 1)
        await stage.attempt(command)
        await expect_everybody(stage, command.run_id)
