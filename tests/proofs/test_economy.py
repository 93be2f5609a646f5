"""The economical pull beside the full sweep, over ninety days of a thousand people, on both kinds of plan."""

import pytest
from rich.console import Console

from benchmarks.proofs.economy import GOALS, compare
from rules.evidence import AsanaPlan
from tests.conftest import Database

PEOPLE, DAYS = 1000, 90


@pytest.mark.services
@pytest.mark.timeout(900)
@pytest.mark.parametrize("plan", list(GOALS))
def test_the_same_people_every_day_for_a_fraction_of_the_requests(
    database: Database, plan: AsanaPlan, seed: int
) -> None:
    found = compare(database, plan, people=PEOPLE, days=DAYS, seed=seed % 1000, console=Console(quiet=True))
    assert found.different == []
    assert len(found.days) == DAYS
    assert found.chosen > PEOPLE / 20
    assert found.withdrawn > 0
    assert found.ratio <= GOALS[plan]
