"""The download against an Asana that fails: only a whole listing moves anything; who is missing is asked for."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from messages.commands import DownloadSubscriptions
from sandbox.asana import Running
from tests.conftest import Database
from tests.workers import bad_pages
from tests.workers.actor_stage import actor_stage, organization
from workers.retrying import RetryLater

pytestmark = [pytest.mark.anyio, pytest.mark.services]

SEATS = "/workspaces/{workspace_gid}/workspace_memberships"
EXPIRED = '{"errors":[{"message":"offset: Your pagination token has expired."}]}'
TRUNCATED = '{"errors":[{"message":"The result is too large and was truncated."}]}'


@pytest.fixture
def asana() -> Iterator[Running]:
    with organization(people=150) as lookalike:
        yield lookalike


def spoil(asana: Running, kind: Any, **how: Any) -> None:  # noqa: ANN401 - what a fault takes
    asana.faults.add(kind, **{"route": SEATS, **how})


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
        before = await stage.picture()
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
        assert await stage.picture() == before
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
