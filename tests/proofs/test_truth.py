"""Sources tell the truth: each alone and all together, over thirty small organizations."""

from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.proofs.sides import SIDES, Side
from benchmarks.proofs.together import all_together
from benchmarks.proofs.truth import Account, account, compare
from tests.conftest import Database

SEEDS = 30
CHUNKS = 5
"""Tests that share the seeds, so that several workers can."""
PEOPLE = 36


@pytest.mark.services
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_each_source_and_all_together_tell_the_truth(database: Database, chunk: int) -> None:
    counted = Account()
    for seed in range(1 + chunk, 1 + SEEDS, CHUNKS):
        counted.add(*compare(database, people=PEOPLE, seed=seed))
    chosen: Any = SimpleNamespace(seeds=SEEDS // CHUNKS, people=PEOPLE, large=0, large_people=0, seed=1 + chunk)
    assert counted.faults == []
    assert set(counted.alone) == {"tasks", "search", "audit_log", "member_export"}
    for side in SIDES:
        one = counted.sides[side.name]
        assert (one.wrong, one.overclaimed) == (0, 0)
        assert one.claims > 0
        assert 0 < one.spoiled < one.organizations
    assert len(account(counted, chosen).figures) == 4 + 3 * len(SIDES)


@pytest.mark.services
@pytest.mark.anyio
@pytest.mark.parametrize("side", SIDES, ids=lambda side: side.name)
async def test_enough_of_the_truly_idle_are_found(database: Database, side: Side) -> None:
    found = await all_together(database, side, people=300, seed=2, rng=Random(2))
    assert (found.wrong, found.overclaimed, found.faults) == (0, 0, [])
    assert found.idle > 25
    assert found.ready_share >= (side.goal or 0)
    assert found.idle_ready + found.idle_attention > 0.95 * found.idle
