"""The download that is interrupted, comes twice, or misses people: it goes on where it was and asks for each."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from messages.commands import DownloadSubscriptions
from sandbox.asana import Running
from store import listings, runs
from tests.conftest import Database
from tests.workers import bad_pages
from tests.workers.actor_stage import actor_stage, organization
from workers import download
from workers.retrying import RetryLater

pytestmark = [pytest.mark.anyio, pytest.mark.services]

SEATS = "/workspaces/{workspace_gid}/workspace_memberships"
EXPIRED = '{"errors":[{"message":"offset: Your pagination token has expired."}]}'
OF_ONE = {"user": "[0-9]+"}


@pytest.fixture
def asana() -> Iterator[Running]:
    with organization(people=150) as lookalike:
        yield lookalike


def spoil(asana: Running, kind: Any, **how: Any) -> None:  # noqa: ANN401 - what a fault takes
    asana.faults.add(kind, **{"route": SEATS, **how})


@pytest.mark.parametrize("pages_in_a_round", [1, 10])
async def test_an_expired_offset_begins_that_listing_anew_and_splices_nothing(
    pages_in_a_round: int, asana: Running, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first try saw a person who then left: only a listing that was begun anew does not show them any more."""
    monkeypatch.setattr(download, "ROUND", pages_in_a_round)
    async with actor_stage(asana, database) as stage:
        first = next(iter(asana.organization.company.memberships.values())).person.gid
        spoil(asana, "answer", status=400, times=1, query={"offset": ".+"}, body=EXPIRED)

        def leaves(page: object) -> object:
            asana.changes.leave(first)
            return page

        spoil(asana, "patch", times=1, patch=leaves)
        assert first != stage.us.gid
        run = await stage.run("download")
        assert run.state == "finished"
        assert first not in await stage.subscriptions()


async def test_a_few_who_slipped_between_two_pages_are_asked_for_and_stay(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        await stage.run("cycle")
        before = await stage.picture()
        tomorrow = stage.later(hours=1)
        asana.requests.reset()
        spoil(asana, "patch", patch=bad_pages.without_the_last(3), times=1)
        steps = await stage.steps(await stage.run("cycle"))
        assert steps["download"].state == "finished"
        assert await stage.picture() == before
        assert await stage.events("SubscriptionGone", tomorrow) == []
        assert asana.requests.by_route[f"GET {SEATS}"] == 2 + 3, "two pages, and each of the three by themselves"


async def test_a_person_who_left_is_gone_once_asana_proves_it(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        await stage.run("download")
        leaver = next(gid for gid in await stage.subscriptions() if gid != stage.us.gid)
        tomorrow = stage.later(days=1)
        asana.changes.leave(leaver)
        run = await stage.run("download")
        (event,) = await stage.events("SubscriptionGone", tomorrow)
        gone = (await stage.subscriptions())[leaver]
    assert run.counts["gone"] == 1
    assert event["user_gid"] == leaver
    assert (gone["state"], gone["gone_because"], gone["gone_at"]) == ("gone", "missing", tomorrow)


async def test_a_person_whose_membership_is_shown_inactive_is_gone(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        await stage.run("download")
        leaver = next(gid for gid in await stage.subscriptions() if gid != stage.us.gid)
        stage.later(days=1)
        asana.changes.set_roles(leaver, is_active=False)
        await stage.run("download")
        assert (await stage.subscriptions())[leaver]["state"] == "gone"


@pytest.mark.parametrize(
    "how",
    [
        {"kind": "answer", "status": 402},
        {"kind": "answer", "status": 403},
        {"kind": "answer", "status": 404},
        {"kind": "html"},
        {"kind": "answer", "status": 200, "body": "{}"},
    ],
    ids=["402", "403", "404", "a web page", "an empty answer"],
)
async def test_a_missing_person_of_whom_asana_would_not_say_stays(
    how: dict[str, Any], asana: Running, database: Database
) -> None:
    async with actor_stage(asana, database) as stage:
        await stage.run("download")
        leaver = next(gid for gid in await stage.subscriptions() if gid != stage.us.gid)
        tomorrow = stage.later(days=1)
        asana.changes.leave(leaver)
        spoil(asana, query=OF_ONE, **how)
        run = await stage.run("download")
        assert (run.state, run.counts["gone"]) == ("finished", 0)
        assert (await stage.subscriptions())[leaver]["state"] == "active"
        assert await stage.events("SubscriptionGone", tomorrow) == []


@pytest.mark.parametrize(("status", "reason"), [(401, "connect acme"), (500, "Asana is in trouble")])
async def test_when_nobody_can_be_asked_for_the_run_fails(
    status: int, reason: str, asana: Running, database: Database
) -> None:
    async with actor_stage(asana, database) as stage:
        await stage.run("download")
        leaver = next(gid for gid in await stage.subscriptions() if gid != stage.us.gid)
        stage.later(days=1)
        asana.changes.leave(leaver)
        spoil(asana, "answer", query=OF_ONE, status=status)
        run = await stage.run("download")
        assert (run.state, reason in (run.reason or "")) == ("failed", True)
        assert (await stage.subscriptions())[leaver]["state"] == "active"


async def test_slices_carry_a_listing_on_to_the_same_result(
    asana: Running, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "ROUND", 1)
    async with actor_stage(asana, database, slice_seconds=0.001) as stage:
        run_id = await stage.order("download")
        assert await stage.play() >= 2
        run = await stage.read(run_id)
        active = {gid for gid, one in asana.organization.company.by_person.items() if one.is_active}
        assert (run.state, run.slice >= 1) == ("finished", True)
        assert (await stage.subscriptions()).keys() == active


async def test_a_listing_that_was_interrupted_goes_on_from_its_last_round(
    asana: Running, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "ROUND", 1)
    async with actor_stage(asana, database) as stage:
        await stage.order("download")
        command = await stage.take_a(DownloadSubscriptions)
        spoil(asana, "answer", status=500, query={"offset": ".+"}, times=3)
        with pytest.raises(Exception, match="Asana is in trouble"):
            await stage.attempt(command)
        asana.requests.reset()
        await stage.attempt(command)
        assert asana.requests.by_route[f"GET {SEATS}"] == 1, "only the second page"
        run = await stage.read(command.run_id)
        assert (run.state, run.counts["memberships"]) == ("finished", len(asana.organization.company.memberships))


async def test_rows_that_the_database_lost_on_the_way_are_not_missing_people(
    asana: Running, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "ROUND", 1)
    async with actor_stage(asana, database, slice_seconds=0.001) as stage:
        await stage.run("download")
        before = await stage.subscriptions()
        stage.later(days=1)
        await stage.order("download")
        command = await stage.take_a(DownloadSubscriptions)
        await stage.attempt(command)
        await stage.owner.execute("TRUNCATE listed_membership")  # what a crash does to an unlogged table
        await stage.play()
        run = await stage.read(command.run_id)
        assert (run.state, "lost on the way" in (run.reason or "")) == ("failed", True)
        assert await stage.subscriptions() == before


async def test_two_deliveries_of_one_command_at_once_make_one_result(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        await stage.order("download")
        command = await stage.take_a(DownloadSubscriptions)
        await asyncio.gather(stage.deliver(command), stage.deliver(command))
        run = await stage.read(command.run_id)
        active = {gid for gid, one in asana.organization.company.by_person.items() if one.is_active}
        assert (run.state, run.counts["found"]) == ("finished", len(active))
        assert len(await stage.events("SubscriptionFound")) == len(active)
        assert len(await stage.events("SubscriptionsDownloaded")) == 1


async def test_a_command_that_comes_again_after_the_end_does_nothing(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        await stage.order("download")
        command = await stage.take_a(DownloadSubscriptions)
        await stage.attempt(command)
        said = await stage.count("SELECT count(*) FROM outbox")
        asana.requests.reset()
        await stage.attempt(command)
        assert (asana.requests.total, await stage.count("SELECT count(*) FROM outbox")) == (0, said)


async def test_a_slice_behind_the_run_is_dropped(
    asana: Running, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "ROUND", 1)
    async with actor_stage(asana, database, slice_seconds=0.001) as stage:
        await stage.order("download")
        command = await stage.take_a(DownloadSubscriptions)
        await stage.attempt(command)
        asana.requests.reset()
        await stage.attempt(command)
        assert asana.requests.total == 0
        assert (await stage.read(command.run_id)).state == "running"


async def test_a_second_run_while_one_is_active_ends_as_coalesced_and_points_to_it(
    asana: Running, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "ROUND", 1)
    async with actor_stage(asana, database, slice_seconds=0.001) as stage:
        active = await stage.order("download")
        await stage.attempt(await stage.take_a(DownloadSubscriptions))
        second = await stage.order("download")
        while (command := await stage.take()) is not None and command.run_id != second:
            held_up = command
        assert command is not None
        await stage.deliver(command)
        run = await stage.read(second)
        assert (run.state, run.coalesced_into) == ("coalesced", active)
        (event,) = await stage.events("RunFinished")
        assert (event["outcome"], event["coalesced_into"]) == ("coalesced", str(active))
        await stage.deliver(held_up)
        await stage.play()
        assert (await stage.read(active)).state == "finished"


async def test_a_command_that_meets_the_end_of_the_run_in_its_way_comes_again(
    asana: Running, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody(*_about: object) -> None:
        return None

    async with actor_stage(asana, database) as stage:
        await stage.order("download")
        second = await stage.order("download")
        first_command, second_command = await stage.take_a(DownloadSubscriptions), await stage.take()
        assert second_command is not None
        await stage.owner.execute(
            "UPDATE run SET state = 'running', started_at = now(), lease_until = now() WHERE id = %s",
            [first_command.run_id],
        )
        monkeypatch.setattr(runs, "active", nobody)  # it ended between the refusal and this look
        with pytest.raises(RetryLater, match="ended while this one looked at it"):
            await stage.attempt(second_command)
        monkeypatch.undo()
        assert (await stage.read(second)).state == "queued", "nothing was written, and the message comes again"


async def test_the_command_of_an_unpublished_profile_is_refused(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        await stage.owner.execute("UPDATE profile SET status = 'draft'")
        run = await stage.run("download")
        assert (run.state, run.reason) == ("failed", "the profile is not published")
        assert asana.requests.total == 0


async def test_what_a_fenced_worker_did_is_not_written(
    asana: Running, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    merge = listings.merge

    async def merge_too_late(connection: Any, run: Any, now: Any) -> dict[str, int]:  # noqa: ANN401 - passed on
        counts = await merge(connection, run, now)
        await connection.execute("UPDATE run SET fence = fence + 1 WHERE id = %s", [run.id])
        return counts

    monkeypatch.setattr(listings, "merge", merge_too_late)
    async with actor_stage(asana, database) as stage:
        run = await stage.run("download")
        assert stage.errors == [], "a fenced worker drops its message"
        assert run.state == "running"
        assert await stage.subscriptions() == {}
        assert await stage.events("SubscriptionFound") == []
