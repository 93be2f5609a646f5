"""The proof of one refresh, at a size for tests: fifty real processes, twenty rounds."""

import pytest

from benchmarks.proofs import refresh
from tests.conftest import Database

pytestmark = pytest.mark.services


def test_fifty_processes_refresh_once_in_every_round(database: Database) -> None:
    counted = refresh.meet(database, processes=50, rounds=20)
    assert counted.troubles == []
    assert counted.calls == {1: 20}
    assert counted.tokens == {1: 20}
    assert counted.lost == 0
    assert refresh.account(counted, 50, 20).misses() == []


def test_a_second_call_is_a_miss() -> None:
    counted = refresh.Account(seconds=[1.0, 1.0])
    counted.calls.update([1, 2])
    counted.tokens.update([1, 1])
    (missed,) = refresh.account(counted, 50, 2).misses()
    assert missed.what == "refresh calls"
