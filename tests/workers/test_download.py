"""The download against an Asana that fails: only a whole listing moves anything; who is missing is asked for."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from messages.commands import DownloadSubscriptions
from sandbox.asana import Running
from store import listings
from tests.conftest import Database
from tests.workers import bad_pages
from tests.workers.actor_stage import Row, Stage, actor_stage, organization
from workers import download
from workers.retrying import RetryLater

pytestmark = [pytest.mark.anyio, pytest.mark.services]

SEATS = "/workspaces/{workspace_gid}/workspace_memberships"
EXPIRED = '{"errors":[{"message":"offset: Your pagination token has expired."}]}'
TRUNCATED = '{"errors":[{"message":"The result is too large and was truncated."}]}'
OF_ONE = {"user": "[0-9]+"}


@pytest.fixture
def asana() -> Iterator[Running]:
    with organization(people=150) as lookalike:
        yield lookalike


def spoil(asana: Running, kind: Any, **how: Any) -> None:  # noqa: ANN401 - what a fault takes
    asana.faults.add(kind, **{"route": SEATS, **how})


async def picture(stage: Stage) -> tuple[dict[str, Row], dict[str, tuple[str, str]]]:
    """What is believed of everybody."""
    return await stage.subscriptions(), await stage.candidates()


Spoil = Callable[[Running], None]


def bad(kind: Any, **how: Any) -> Spoil:  # noqa: ANN401 - what a fault takes
    return lambda asana: spoil(asana, kind, **how)


LATER_PAGES = {"offset": ".+"}
FAULTS: dict[str, tuple[Spoil, str]] = {
    "the connection is closed": (bad("close"), "could not be reached"),
    "401": (bad("answer", status=401), "run `./seats connect acme` again"),
    "402": (bad("answer", status=402), "plan does not include this call"),
    "403": (bad("answer", status=403), "does not let this account do that"),
    "404": (bad("answer", status=404), "Asana does not show this"),
    "429": (bad("answer", status=429, headers={"Retry-After": "60"}), "slow down"),
    "500 always": (bad("answer", status=500), "Asana is in trouble"),
    "500 on the second page": (bad("answer", status=500, query=LATER_PAGES), "Asana is in trouble"),
    "502 with a web page": (bad("html", status=502), "Asana is in trouble"),
    "a web page": (bad("html"), "not what Asana promises"),
    "cut JSON": (bad("cut"), "could not be reached"),
    "half a JSON": (bad("answer", status=200, body='{"data":[{"gid":'), "not what Asana promises"),
    "an empty answer": (bad("answer", status=200, body="{}"), "not what Asana promises"),
    "data is null": (bad("answer", status=200, body='{"data":null}'), "not what Asana promises"),
    "offsets always expire": (bad("answer", status=400, query=LATER_PAGES, body=EXPIRED), "begin the listing again"),
    "truncated": (bad("answer", status=400, query=LATER_PAGES, body=TRUNCATED), "too long"),
    "no is_active": (bad("patch", patch=bad_pages.without("is_active")), "is_active: Field required"),
    "no created_at": (bad("patch", patch=bad_pages.without("created_at")), "created_at: Field required"),
    "a user without gid": (bad("patch", route="/users", patch=bad_pages.without("gid")), "gid: Field required"),
    "the users are refused": (bad("answer", route="/users", status=403), "does not let this account do that"),
    "a circle": (bad("patch", patch=bad_pages.going_round()), "same page"),
    "a contradiction": (bad("patch", patch=bad_pages.contradicting(), times=1), "different things of 1 people"),
    "many are missing": (bad("patch", patch=bad_pages.without_the_last(20), times=1), "known people are missing"),
    "the end is missing": (bad("patch", patch=bad_pages.ending_early), "known people are missing"),
    "nobody": (bad("patch", patch=bad_pages.nobody), "nobody at all"),
}


@pytest.mark.parametrize(("spoiled", "reason"), FAULTS.values(), ids=FAULTS)
async def test_a_listing_that_is_not_whole_moves_nothing_and_nobody(
    spoiled: Spoil, reason: str, asana: Running, database: Database
) -> None:
    async with actor_stage(asana, database) as stage:
        await stage.run("cycle")
        before = await picture(stage)
        tomorrow = stage.later(days=1)
        spoiled(asana)
        cycle = await stage.run("cycle")
        steps = await stage.steps(cycle)
        assert reason in (steps["download"].reason or "")
        assert {kind: (step.state, step.reason) for kind, step in steps.items() if kind != "download"} == {
            "activity": ("not_run", "not run: download incomplete"),
            "reconcile": ("not_run", "not run: download incomplete"),
            "candidates": ("not_run", "not run: activity was not run"),
            "reclaim": ("not_run", "not run: candidates was not run"),
        }
        assert (steps["download"].state, cycle.state) == ("failed", "failed")
        assert (cycle.reason or "").startswith("download: ")
        assert await picture(stage) == before
        (failed, _) = await stage.events("RunFailed", tomorrow)
        assert failed["reason"] == steps["download"].reason
        assert len(await stage.events("RunFinished", tomorrow)) == 4


async def test_an_offset_that_goes_round_over_several_pages_is_noticed(database: Database) -> None:
    with organization(people=250) as asana:
        async with actor_stage(asana, database) as stage:
            spoil(asana, "patch", patch=bad_pages.going_round())
            run = await stage.run("download")
    assert (run.state, "goes round in a circle" in (run.reason or "")) == ("failed", True)


async def test_a_429_puts_the_slice_off_for_as_long_as_asana_says(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database) as stage:
        spoil(asana, "answer", status=429, headers={"Retry-After": "77"})
        await stage.order("download")
        with pytest.raises(RetryLater) as put_off:
            await stage.attempt(await stage.take_a(DownloadSubscriptions))
    assert put_off.value.delay == 77_000


@pytest.mark.parametrize(
    "how",
    [
        {"kind": "answer", "status": 500, "times": 1},
        {"kind": "close", "times": 1, "query": {"offset": ".+"}},
        {"kind": "answer", "status": 400, "times": 1, "query": {"offset": ".+"}, "body": EXPIRED},
        {"kind": "answer", "status": 400, "times": 1, "query": {"offset": ".+"}, "body": EXPIRED, "route": "/users"},
        {"kind": "patch", "times": 1, "patch": bad_pages.with_the_first_row_again()},
    ],
    ids=["500 once", "closed once", "offset expired once", "offset of the users expired once", "the same person twice"],
)
async def test_a_trouble_that_passes_leaves_the_right_result(
    how: dict[str, Any], asana: Running, database: Database
) -> None:
    async with actor_stage(asana, database) as stage:
        spoil(asana, how.pop("kind"), **how)
        run = await stage.run("download")
        assert run.state == "finished"
        active = {gid for gid, one in asana.organization.company.by_person.items() if one.is_active}
        assert (await stage.subscriptions()).keys() == active
        assert run.counts["found"] == len(active)
        assert await stage.count("SELECT count(*) FROM person WHERE name IS NULL") == 0
        assert await stage.count("SELECT count(*) FROM listed_membership") == 0


async def test_an_expired_offset_begins_that_listing_anew_and_splices_nothing(
    asana: Running, database: Database
) -> None:
    """The first try saw a person who then left: only a listing that was begun anew does not show them any more."""
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
        before = await picture(stage)
        tomorrow = stage.later(hours=1)
        asana.requests.reset()
        spoil(asana, "patch", patch=bad_pages.without_the_last(3), times=1)
        steps = await stage.steps(await stage.run("cycle"))
        assert steps["download"].state == "finished"
        assert await picture(stage) == before
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
