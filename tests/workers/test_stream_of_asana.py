"""The audit log of the look-alike, pulled in a whole activity run with the token of a service account."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from connections.sealing import Sealing, credential_row
from rules.evidence import AUDIT_LOG
from sandbox.asana import Running
from store import connections
from tests.conftest import Database
from tests.workers.actor_stage import Stage, actor_stage, organization
from workers.stream import MARGIN

pytestmark = [pytest.mark.anyio, pytest.mark.services]

LOG = "/workspaces/{workspace_gid}/audit_log_events"


@pytest.fixture
def asana() -> Iterator[Running]:
    with organization(people=60) as lookalike:
        yield lookalike


async def connect_service_account(stage: Stage) -> None:
    look = stage.asana.look
    row = credential_row("acme", "service_account", "access_token")
    grant = connections.SealedGrant(
        kind="service_account",
        user_gid=look.service_account.gid,
        access_token=Sealing(stage.worker.settings.sealing_keys()).seal(look.service_account_token, row),
    )
    cursor = await stage.owner.execute("SELECT id FROM connection")
    found = await cursor.fetchone()
    assert found is not None
    await connections.keep_grant(stage.owner, found[0], "acme", grant, stage.now)


async def seen_in_the_log(stage: Stage) -> dict[str, object]:
    """The last act of each person that the stream saw, by gid."""
    rows = await stage.rows(
        """SELECT s.user_gid, max(o.acted_at) AS at FROM observation o JOIN subscription s ON s.id = o.subscription_id
            WHERE o.source = 'audit_log' GROUP BY 1"""
    )
    return {str(row["user_gid"]): row["at"] for row in rows}


async def stream_of(stage: Stage) -> tuple[list[tuple[object, object]], object]:
    (row,) = await stage.rows(
        """SELECT array(SELECT lower(w) FROM unnest(covered) w) AS begins, trouble,
                  array(SELECT upper(w) FROM unnest(covered) w) AS ends FROM activity_stream"""
    )
    assert isinstance(row["begins"], list)
    assert isinstance(row["ends"], list)
    return list(zip(row["begins"], row["ends"], strict=True)), row["trouble"]


async def test_what_the_log_shows_is_kept_and_nothing_else_of_it(asana: Running, database: Database) -> None:
    async with actor_stage(asana, database, plan="enterprise") as stage:
        await connect_service_account(stage)
        with capture_logs() as logged:
            run = (await stage.steps(await stage.run("cycle")))["activity"]
        assert run.state == "finished"
        begun, end = stage.now - timedelta(days=90) + MARGIN, stage.now - AUDIT_LOG.lag
        assert await stream_of(stage) == ([(begun, end)], None)
        truth = asana.truth(stage.now - timedelta(days=90) + MARGIN)
        known = await stage.subscriptions()
        true = {
            gid: one.seen_by_audit_log.at
            for gid, one in truth.items()
            if one.seen_by_audit_log is not None and gid in known
        }
        assert len(true) > 20
        assert await seen_in_the_log(stage) == true
        await assert_nothing_personal_is_kept(stage, str(logged))

        asana.requests.reset()
        stage.later(days=1)
        await stage.run("cycle")
        assert (await stream_of(stage))[0] == [(begun, end + timedelta(days=1))]
        assert asana.requests.by_route[f"GET {LOG}"] <= 3, "it went on from the kept place"


async def assert_nothing_personal_is_kept(stage: Stage, logged: str) -> None:
    """Search every table, and what was logged, for what events carry beside who, when and what."""
    addresses = {person.email for person in stage.asana.organization.people.values() if person.email}
    tables = await stage.rows(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
    )
    for table in (str(row["relname"]) for row in tables):
        kept = " ".join(str(row["t"]) for row in await stage.rows(f'SELECT t::text AS t FROM "{table}" t'))
        assert "Mozilla" not in kept, table
        assert not re.search(r"\b192\.0\.2\.", kept), table
        if table != "person":
            assert not [address for address in addresses if address in kept], table
    assert not re.search(r"192\.0\.2\.|Mozilla", logged)
    assert not [address for address in addresses if address in logged]


async def test_a_plan_without_the_log_is_one_trouble_and_the_others_go_on(asana: Running, database: Database) -> None:
    asana.look.plan = "advanced"  # it was enterprise when the profile was made
    async with actor_stage(asana, database, plan="enterprise") as stage:
        await connect_service_account(stage)
        steps = await stage.steps(await stage.run("cycle"))
        assert (steps["activity"].state, steps["candidates"].state) == ("finished", "finished")
        assert await seen_in_the_log(stage) == {}
        windows, trouble = await stream_of(stage)
        assert windows == []
        assert "answer 403" in str(trouble)
        assert len(await stage.events("SourceLost")) == 1
        assert await stage.events("CoverageLost") == []
        assert await stage.count("SELECT count(*) FROM coverage WHERE source = 'tasks' AND covered <> '{}'") > 0
