"""The download benchmark does what its table says: everybody is downloaded twice, and the curve fits."""

import argparse
import io
import json
import os
from pathlib import Path

import psycopg
import pytest
from rich.console import Console

from benchmarks import curve, download, processor_time
from benchmarks.download_legs import AGAIN, DLT_AGAIN, DLT_FIRST, FIRST, SDK, TAP, Leg
from benchmarks.download_table import figures
from benchmarks.results import Figure, Result
from sandbox.services import Services
from tests.conftest import Database

pytestmark = pytest.mark.services


def leg(wall_s: float, cpu_s: float = 1.0, peak_mib: float = 80.0, *, users: int, memberships: int = 0) -> Leg:
    return Leg(wall_s, cpu_s, peak_mib, memberships or users, users, look_alike_cpu_s=0.1)


def legs(people: int, **changed: list[Leg]) -> dict[str, list[Leg]]:
    """Give what was measured: ours took 10 s and 9 s, everybody else 12 s."""
    ours, other = {FIRST: 10.0, AGAIN: 9.0}, leg(12, 1.5, users=people)
    tap = Leg(12, 1.5, 40, memberships=0, users=people, look_alike_cpu_s=0.1)
    found = {name: [leg(seconds, users=people)] for name, seconds in ours.items()}
    return found | {TAP: [tap], DLT_FIRST: [other], DLT_AGAIN: [other], SDK: [other]} | changed


@pytest.fixture(scope="module")
def result(services: Services) -> Result:
    chosen = argparse.Namespace(people=[300], latency_ms=0.0, rounds=1, without_peers=True)
    return download.measured_with(services.postgres, chosen, Console(file=io.StringIO()))


def test_everybody_is_downloaded_twice(result: Result) -> None:
    measured = result.measured["people"]["300"]
    assert set(measured) == {FIRST, AGAIN}
    for [one] in measured.values():
        assert (one["users"], one["memberships"]) == (300, 309)
        assert one["wall_s"] > one["cpu_s"] / 2 > 0  # two cores
        assert 20 < one["peak_mib"] < 1000
    assert measured[FIRST][0]["wal_mib"] > 0
    assert {"300: wall, ours, first", "300: wall, ours, again"} < {figure.what for figure in result.figures}
    assert json.loads(json.dumps(result.measured)) == result.measured


def test_the_processor_time_of_a_server_grows_with_its_work(database: Database) -> None:
    before = processor_time.of_postgres(database.owner_url, database.name)
    with psycopg.connect(database.owner_url) as connection:
        connection.execute("SELECT count(*) FROM generate_series(1, 3000000)")
    after = processor_time.of_postgres(database.owner_url, database.name)
    # A server on another machine has no figure.
    assert (before is None and after is None) or (before is not None and after is not None and after > before)


def test_the_processor_time_of_a_process_is_its_own() -> None:
    before = processor_time.of_process(os.getpid())
    sum(range(5_000_000))
    assert 0 < processor_time.of_process(os.getpid()) - before < 60
    assert processor_time.of_process(2**22 + 1) == 0  # no process has such a number


def line(found: list[Figure], what: str) -> Figure:
    [figure] = (figure for figure in found if what in figure.what)
    return figure


def test_ours_stands_beside_like_with_its_worse_figure() -> None:
    found = figures({10_000: legs(10_000)})
    assert line(found, "wall beside tap-asana").ours == "10.00 s"
    assert line(found, "wall beside asana SDK").ours == "10.00 s"
    assert line(found, "wall beside dlt, first").ours == "10.00 s"
    assert line(found, "wall beside dlt, again").ours == "9.00 s"
    assert line(found, "CPU beside tap-asana").ours == "100 µs a person"
    assert all(figure.holds for figure in found if figure.goal)
    assert sum(figure.holds is not None for figure in found) == 5


def test_with_few_people_no_goal_is_held() -> None:
    assert {figure.holds for figure in figures({1_000: legs(1_000)})} == {None}


def test_a_slower_download_misses() -> None:
    found = figures({10_000: legs(10_000, **{FIRST: [leg(12.1, 1.6, users=10_000)]})})
    missed = [figure.what for figure in found if figure.holds is False]
    assert len(missed) == 4
    assert not any("again" in what for what in missed)


@pytest.mark.parametrize(("memberships", "users"), [(10_000, 2_000), (9_900, 10_000), (2_000, 2_000)])
def test_a_peer_that_did_not_read_everybody_is_not_compared(memberships: int, users: int) -> None:
    found = figures({10_000: legs(10_000, **{SDK: [leg(1, users=users, memberships=memberships)]})})
    figure = line(found, "wall beside asana SDK")
    said = f"1.00 s (reads only), read {users:,} users and {memberships:,} memberships only"
    assert (figure.beside, figure.ratio, figure.holds) == (said, None, None)


def test_memory_may_grow_by_a_fifth() -> None:
    def held(large: float) -> bool | None:
        own = {name: [leg(9, 1, large, users=100_000)] for name in (FIRST, AGAIN)}
        return line(figures({1_000: legs(1_000), 100_000: legs(100_000, **own)}), "peak memory at 100k").holds

    assert (held(96), held(96.1)) == (True, False)


def test_the_curve_takes_the_worse_of_ours_and_medians() -> None:
    several = [{"wall_s": seconds, "peak_mib": 80} for seconds in (3, 1, 2)]
    measured = {"people": {"10000": {FIRST: several, SDK: several[:1]}, "1000": {FIRST: several[:1], AGAIN: several}}}
    assert curve.series(measured, "wall_s") == {
        "Seatkeeper (reads, compares, stores)": [(1_000, 3), (10_000, 2)],
        "asana SDK (reads only)": [(10_000, 3)],
    }


def test_the_picture_is_that_of_the_newest_result() -> None:
    assert curve.is_current(), "run python -m benchmarks.curve"


def test_a_picture_of_another_result_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: dict[str, object] = {"people": {}}
    monkeypatch.setattr(curve, "latest", lambda _: {"measured": measured})
    picture = tmp_path / "picture.svg"
    assert not curve.is_current(picture)
    picture.write_text(f"<svg>{curve.drawn_from(measured)}</svg>", encoding="utf-8")
    assert curve.is_current(picture)
    measured["people"] = {"1000": {}}
    assert not curve.is_current(picture)
