"""The figures that monitoring shows, read by the relay's own role."""

import math
from datetime import timedelta

import pytest

from store import figures
from store.connect import open_connection
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
            before = await figures.read(relay, NOW)
            assert set(before.activity_age.values()) == {math.inf}
            run = await start_run(owner, profile, "activity", NOW - timedelta(hours=40))
            await owner.execute("UPDATE run SET state = 'finished', ended_at = %s WHERE id = %s", [NOW, run.id])
            found = await figures.read(relay, NOW)
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
