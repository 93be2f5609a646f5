"""A second download with one person in a hundred changed, beside the first: what does it cost the database?

Both begin right after a checkpoint, with full-page images on, as a server runs. Of ten changed people seven have
another role, two have left, and one was removed and put back.
"""

import argparse
from dataclasses import asdict, dataclass

import psycopg
from rich.console import Console

from benchmarks.downloading import Downloaded, Place, control, look_alike, place_for_downloads
from benchmarks.results import Figure, Result, at_most
from benchmarks.sizes import between
from sandbox.services import Postgres, find_services

HELP = "a second download with 1 percent changed, beside the first: log written and database time"
MOST_LOG, MOST_TIME = 0.03, 0.5
EVERY = 100
"""One of so many people is changed."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark alone."""
    parser.add_argument(
        "--people",
        type=between(100, 100_000, "people"),
        default=100_000,
        help="how many people there are (default: 100000)",
    )


def run(chosen: argparse.Namespace, console: Console) -> Result:
    """Measure; tell on `console` what is going on."""
    with find_services(durable=True, shared=False, say=console.print) as services:
        return measure(services.postgres, chosen, console)


def measure(postgres: Postgres, chosen: argparse.Namespace, console: Console) -> Result:
    """Measure on a server that nobody else uses."""
    with look_alike(people=chosen.people) as asana, place_for_downloads(postgres, asana) as place:
        console.print(f"the first download of {chosen.people:,} people")
        first = _measured(place)
        console.print("changing one person in a hundred")
        changed = _change(place)
        console.print("the second download")
        second = _measured(place)
    return _result(chosen.people, changed, first, second)


@dataclass(frozen=True)
class _Measured:
    """A download, and the log that it wrote, its order included."""

    done: Downloaded
    record_bytes: int
    image_bytes: int
    """Whole pages, written at their first change after a checkpoint."""

    @property
    def log_bytes(self) -> int:
        return self.record_bytes + self.image_bytes


def _measured(place: Place) -> _Measured:
    """Download right after a checkpoint."""
    with psycopg.connect(place.postgres.admin_url, autocommit=True) as admin:
        admin.execute("CREATE EXTENSION IF NOT EXISTS pg_walinspect")
        admin.execute(
            "SELECT pg_create_physical_replication_slot('again_' || pg_backend_pid(), true, true)"
        )  # keeps it
        admin.execute("CHECKPOINT")
        begin = admin.execute("SELECT pg_current_wal_insert_lsn()").fetchone()
        assert begin is not None
        done = place.download()
        admin.execute("SELECT pg_switch_wal()")  # only what is flushed can be read back
        written = admin.execute(
            """SELECT sum(record_size)::bigint, sum(fpi_size)::bigint
                 FROM pg_get_wal_stats(%s::pg_lsn, pg_current_wal_flush_lsn())""",
            begin,
        ).fetchone()
    assert written is not None
    return _Measured(done, int(written[0]), int(written[1]))


def _change(place: Place) -> dict[str, int]:
    """Change one person in a hundred, spread over all; count what the next download is to find."""
    own = str(control(place.asana, "GET", "about")["admin_gid"])
    counts = {"gone": 0, "changed": 0}
    for number, (gid, seat) in enumerate(_spread(place, own)):
        gone = number % 10 < 2
        counts["gone" if gone else "changed"] += 1
        if gone:
            control(place.asana, "POST", "people", person=gid, leave=True)
        elif number % 10 == 2:
            control(place.asana, "POST", "people", person=gid, leave=True, rejoin=True)
        else:
            control(place.asana, "POST", "people", person=gid, is_guest=seat != "guest")
    return counts


def _spread(place: Place, own_gid: str) -> list[tuple[str, str]]:
    """Give gid and kind of seat of each hundredth person."""
    with psycopg.connect(place.owner_url) as owner:
        found = owner.execute(
            "SELECT user_gid, software_model FROM subscription WHERE id %% %s = 0 AND user_gid <> %s ORDER BY id",
            [EVERY, own_gid],
        )
        return [(str(gid), str(seat)) for gid, seat in found]


def _result(people: int, asked_for: dict[str, int], first: _Measured, second: _Measured) -> Result:
    changed, gone = asked_for["changed"], asked_for["gone"]
    log = Figure(
        "write-ahead log, without full-page images",
        _mib(second.record_bytes),
        _mib(first.record_bytes),
        *at_most(second.record_bytes / first.record_bytes, MOST_LOG),
    )
    whole_log = Figure(
        "write-ahead log, right after a checkpoint",
        _mib(second.log_bytes),
        _mib(first.log_bytes),
        *at_most(second.log_bytes / first.log_bytes, MOST_LOG),
    )
    time = Figure(
        "database time (active_time)",
        f"{second.done.active_s:.2f} s",
        f"{first.done.active_s:.2f} s",
        *at_most(second.done.active_s / first.done.active_s, MOST_TIME),
    )
    whole = Figure("the whole run", f"{second.done.run_s:.1f} s", f"{first.done.run_s:.1f} s")
    return Result(
        "again",
        f"A second download of {people:,} people, 1 percent changed, beside the first",
        [log, whole_log, time, whole],
        notes=[
            f"changed between them: {changed:,} with another role or membership, {gone:,} left",
            f"found by the second: {second.done.counts['changed']:,} changed, {second.done.counts['gone']:,} gone",
            "each begins right after a checkpoint with full_page_writes on: the first change of a page logs all of it",
            "images are of the changed people's pages, nearly one for each in two tables and an index",
            "the server packs them, as in compose.yaml: wal_compression=zstd; unpacked, some five times larger",
            "active_time is Postgres' own count of the time in which the sessions of our worker were at work",
        ],
        measured={"people": people, "changed": asked_for, "first": asdict(first), "second": asdict(second)},
    )


def _mib(count: int) -> str:
    return f"{count / 2**20:.2f} MiB"
