"""One round of the download benchmark: each program once, ours and the peers' by turns."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import processor_time
from benchmarks.download_peers import load_with_dlt, print_with_tap, read_with_sdk
from benchmarks.downloading import Place, place_for_downloads
from sandbox.services import Postgres
from sandbox.stack import LookAlike, start_look_alike
from sandbox.supervisor import Supervisor

FIRST, AGAIN = "ours, first", "ours, again"
TAP, DLT_FIRST, DLT_AGAIN, SDK = "tap-asana", "dlt, first", "dlt, again", "asana SDK"
OURS = (FIRST, AGAIN)
ORDERS = ((FIRST, TAP, DLT_FIRST, SDK, AGAIN, DLT_AGAIN), (DLT_FIRST, FIRST, SDK, DLT_AGAIN, TAP, AGAIN))
"""A first download comes before the second one of the same; otherwise ours and the others take turns in going first."""


@dataclass(frozen=True)
class Leg:
    """One download by one program.

    `postgres_cpu_s` is 0 for who needs none, None where it could not be read. `run_s` and `run_cpu_s` leave our start
    out: a worker starts once and downloads every day.
    """

    wall_s: float
    cpu_s: float
    peak_mib: float
    memberships: int
    users: int
    look_alike_cpu_s: float
    postgres_cpu_s: float | None = 0.0
    wal_mib: float = 0.0
    run_s: float = 0.0
    run_cpu_s: float = 0.0


@dataclass(frozen=True)
class Served:
    """A look-alike, and its process."""

    asana: LookAlike
    pid: int


@contextlib.contextmanager
def served(people: int, latency_ms: float) -> Iterator[Served]:
    """Run a look-alike as a process of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="seatkeeper-bench-") as folder,
        Supervisor(Path(folder)) as supervisor,
    ):
        asana = start_look_alike(supervisor, people, 1, "--latency-ms", str(latency_ms))
        yield Served(asana, supervisor.pid("asana"))


def one_round(
    look: Served, postgres: Postgres, legs: Sequence[str], say: Callable[[str], None]
) -> Iterator[tuple[str, Leg]]:
    """Run each of `legs` once, in that order; databases and folders are new."""
    with (
        place_for_downloads(postgres, look.asana) as place,
        tempfile.TemporaryDirectory(prefix="seatkeeper-bench-") as folder,
    ):
        for name in legs:
            leg = _ours(look, place) if name in OURS else _peer(name, look, Path(folder))
            say(f"{name}: {leg.wall_s:.1f} s, processor {leg.cpu_s:.1f} s, {leg.peak_mib:.0f} MiB, {leg.users:,} users")
            yield name, leg


def _ours(look: Served, place: Place) -> Leg:
    before, database_before = _look_alike_cpu(look), processor_time.of_postgres(place.owner_url, place.database)
    done = place.download()
    database_after = processor_time.of_postgres(place.owner_url, place.database)
    known = None if database_before is None or database_after is None else database_after - database_before
    return Leg(
        done.wall_s,
        done.cpu_s,
        done.peak_mib,
        memberships=done.counts["memberships"],
        users=done.counts["users"],
        look_alike_cpu_s=_look_alike_cpu(look) - before,
        postgres_cpu_s=known,
        wal_mib=done.wal_bytes / 2**20,
        run_s=done.run_s,
        run_cpu_s=done.run_cpu_s,
    )


def _peer(name: str, look: Served, folder: Path) -> Leg:
    own = folder / name.partition(",")[0].replace(" ", "-")
    own.mkdir(exist_ok=True)
    before = _look_alike_cpu(look)
    read = {TAP: print_with_tap, DLT_FIRST: load_with_dlt, DLT_AGAIN: load_with_dlt, SDK: read_with_sdk}[name]
    done = read(look.asana, own)
    return Leg(
        done.wall_s,
        done.cpu_s,
        done.peak_mib,
        memberships=done.memberships,
        users=done.users,
        look_alike_cpu_s=_look_alike_cpu(look) - before,
    )


def _look_alike_cpu(look: Served) -> float:
    return processor_time.of_process(look.pid)
