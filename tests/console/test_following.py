"""`seats events tail --follow`, as its own process: nothing is missed, nothing is shown twice."""

import json
import os
import subprocess
import sys

import psycopg
import pytest

from tests.conftest import Database
from tests.console.conftest import ROOT, Seats

pytestmark = [pytest.mark.services, pytest.mark.timeout(60)]  # what is missed would be waited for
SAY = """INSERT INTO outbox (channel, name, subject, sequence, payload, correlation_id, occurred_at)
         VALUES ('event', 'ReclaimStopped', %s, 1, '{}', gen_random_uuid(), now())"""


def test_an_event_that_was_committed_late_is_shown_once(seats: Seats, database: Database) -> None:
    """A transaction may take a low number and commit after one with a higher number was shown already."""
    command = [sys.executable, "-m", "console", "events", "tail", "--follow", "--json"]
    with (
        psycopg.connect(database.owner_url) as slow,
        psycopg.connect(database.owner_url, autocommit=True) as quick,
    ):
        quick.execute(SAY, ["first"])
        slow.execute(SAY, ["late"])
        with subprocess.Popen(command, cwd=ROOT, env={**os.environ, **seats.env}, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            try:
                shown = [json.loads(process.stdout.readline())["subject"]]
                quick.execute(SAY, ["second"])
                shown.append(json.loads(process.stdout.readline())["subject"])
                slow.commit()
                shown.append(json.loads(process.stdout.readline())["subject"])
                quick.execute(SAY, ["last"])
                shown.append(json.loads(process.stdout.readline())["subject"])
            finally:
                process.terminate()
    assert shown == ["first", "second", "late", "last"]
