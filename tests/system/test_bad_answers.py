"""The matrix of bad answers, a part of each row: every question to Asana, and over all of them every bad answer.

`scripts/prove answers` goes through the whole of it.
"""

import asyncio
from datetime import datetime
from unittest import mock

import pytest

from asana_api.client import AsanaClient
from benchmarks.proofs.answers import fill
from benchmarks.proofs.answers_kinds import ELSEWHERE, KINDS, Bad
from benchmarks.proofs.answers_phases import PHASES, Phase
from sources import tasks
from sources.contract import Asked, Findings
from tests.conftest import Database

ONE_IN = 5
"""Of the phases that a bad answer is for; the next bad answer has the next ones, and each has one at least."""

ALWAYS = {"somebody else's people": "memberships, first page", "another person's tasks": "last look, tasks"}
"""Lies that only one check stands against, where it stands."""


def chosen_for(phase: Phase) -> list[Bad]:
    return [bad for number, bad in enumerate(KINDS) if phase in phases_for(number, bad)]


def phases_for(number: int, bad: Bad) -> list[Phase]:
    fitting = [phase for phase in PHASES if phase.shape in bad.of]
    chosen = fitting[number % min(ONE_IN, len(fitting)) :: ONE_IN]
    return [phase for phase in PHASES if phase in chosen or phase.name == ALWAYS.get(bad.name)]


@pytest.mark.services
@pytest.mark.parametrize("phase", PHASES, ids=[phase.name for phase in PHASES])
def test_no_bad_answer_makes_anybody_idle_gone_or_removed(phase: Phase, database: Database) -> None:
    row = asyncio.run(fill(database, [phase], chosen_for(phase)))[phase.name]
    assert row.violations == []
    assert row.outcomes.total() == len(chosen_for(phase)) >= 10
    assert row.outcomes["not reached"] == 0, row.by_kind


LOOK = tasks.look


async def look_that_lies(client: AsanaClient, organization_gid: str, asked: Asked, *, until: datetime) -> Findings:
    """What must never be: a 404 for "no activity"."""
    found = await LOOK(client, organization_gid, asked, until=until)
    if "answer 404" in found.troubles.pop(asked.user_gid, ""):
        found.covered[asked.user_gid] = (asked.since, until)
    return found


@pytest.mark.services
def test_the_matrix_sees_a_source_that_takes_a_404_for_no_activity(database: Database) -> None:
    phases = [phase for phase in PHASES if phase.name in {"tasks, first page", "last look, tasks"}]
    with mock.patch.object(tasks, "look", look_that_lies):
        rows = asyncio.run(fill(database, phases, [bad for bad in KINDS if bad.name == "404"]))
    assert len(rows) == 2
    assert all("tasks claims" in row.violations[0] for row in rows.values())


def test_the_part_has_every_bad_answer_and_enough_cells() -> None:
    cells = [(phase, bad) for phase in PHASES for bad in chosen_for(phase)]
    assert len(cells) >= 240
    assert {bad.name for _, bad in cells} == {bad.name for bad in KINDS}
    assert set(ALWAYS.items()) <= {(bad.name, phase.name) for phase, bad in cells}


def test_every_cell_is_filled_or_left_out_for_a_reason() -> None:
    assert len({phase.name for phase in PHASES}) == len(PHASES)
    assert len({bad.name for bad in KINDS}) == len(KINDS)
    assert all(bad.why_not for bad in KINDS if any(phase.shape not in bad.of for phase in PHASES))
    assert any(ELSEWHERE in value for bad in KINDS for value in bad.headers.values())
