"""The figures that monitoring shows, read by the relay's own role."""

import math
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connections.permits import LONGEST_WAIT
from store import budget, figures
from store.connect import Connection, open_connection
from tests.conftest import Database
from tests.rows import NOW
from tests.store.people import acme, start_run
from workers.metrics import as_metrics

pytestmark = [pytest.mark.anyio, pytest.mark.services]


async def test_the_relay_may_read_all_of_them(database: Database) -> None:
    async with acme(database) as (owner, profile):
        await owner.execute("UPDATE profile SET status = 'published', published_at = now(), organization_gid = '1'")
        await owner.execute(
            """INSERT INTO credential (connection_id, kind, state, lost_reason, user_gid, access_token_sealed,
                                       connected_at)
               SELECT connection_id, 'personal_access_token', 'reconnect_needed', 'revoked', '2', 'x', now()
                 FROM profile"""
        )
        async with open_connection(database.url("relay")) as relay:
            before = await figures.read(relay, NOW, longest_wait=LONGEST_WAIT)
            assert set(before.activity_age.values()) == {math.inf}
            run = await start_run(owner, profile, "activity", NOW - timedelta(hours=40))
            await owner.execute("UPDATE run SET state = 'finished', ended_at = %s WHERE id = %s", [NOW, run.id])
            found = await figures.read(relay, NOW, longest_wait=LONGEST_WAIT)
        assert list(found.activity_age.values()) == [40 * 3600.0]
        assert {key[1:]: one for key, one in found.credentials.items()} == {
            ("personal_access_token", "reconnect_needed"): 1
        }
        shown = {
            sample.name: (sample.labels, sample.value) for family in as_metrics(found) for sample in family.samples
        }
        assert shown["seatkeeper_activity_age_seconds"] == ({"profile": run.profile}, 40 * 3600.0)
        labels, value = shown["seatkeeper_credentials"]
        assert (labels["credential"], labels["state"], value) == ("personal_access_token", "reconnect_needed", 1.0)


async def test_a_budget_of_which_no_more_is_given_out_is_below_the_alert(database: Database) -> None:
    alerts = (Path(__file__).parents[2] / "docs" / "alerts.yml").read_text(encoding="utf-8")
    (threshold,) = re.findall(r"seatkeeper_budget_left_ratio < ([0-9.]+)", alerts)
    async with acme(database) as (owner, _):
        await owner.execute("UPDATE connection SET requests_per_minute = 1500")
        cursor = await owner.execute(
            """INSERT INTO credential (connection_id, kind, state, user_gid, access_token_sealed, connected_at)
               SELECT id, 'personal_access_token', 'connected', '2', 'x', now() FROM connection RETURNING id"""
        )
        ((number,),) = await cursor.fetchall()
        async with open_connection(database.url("relay")) as relay:
            now = datetime.now(UTC)
            fresh = await figures.read(relay, now, longest_wait=LONGEST_WAIT)
            with pytest.raises(budget.BudgetSpent):
                await take_all(owner, number)
            spent = await figures.read(relay, now, longest_wait=LONGEST_WAIT)
    assert list(fresh.budget.values()) == [1.0]
    assert [left < float(threshold) for left in spent.budget.values()] == [True]


async def take_all(connection: Connection, credential_id: int) -> None:
    """Take permits until there is BudgetSpent."""
    while True:
        await budget.take(connection, credential_id, 10, longest_wait=LONGEST_WAIT)
