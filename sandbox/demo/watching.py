"""Progress while it works: one bar for each run, fed from the runs' own rows."""

import time
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg
from psycopg.rows import dict_row
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from sandbox.stack import StackError

ENDED = {"finished", "failed", "coalesced", "not_run"}
DONE_AND_ALL = {"download": ("memberships", None), "activity": ("asked", "due"), "candidates": ("judged", None)}
"""The counts of each kind of run that say how far it is; where the whole is not counted, it is all people."""


@dataclass(frozen=True)
class Acts:
    """What was seen so far, by the gid of who did it: the last act of each, and the last one that the log showed."""

    last: dict[str, datetime]
    in_log: dict[str, datetime]
    by_search: frozenset[str]
    """Whose last act the search showed, and no other source."""


class Watcher:
    """Watches runs until they end; draws on `console`, or nothing when it is quiet."""

    def __init__(self, database_url: str, people: int, console: Console) -> None:
        """Read through the console's own role; `people` is about how many there are."""
        self._database_url, self._people, self._console = database_url, people, console

    def until_ended(self, run_id: UUID, within: float) -> list[dict[str, object]]:
        """Return the run and, of a cycle, its steps, once all have ended. StackError after `within` seconds."""
        columns = (
            TextColumn("  {task.description:<11}"),
            BarColumn(),
            TextColumn("{task.fields[told]}"),
            TimeElapsedColumn(),
        )
        bars: dict[str, TaskID] = {}
        deadline = time.monotonic() + within
        with (
            psycopg.connect(self._database_url, autocommit=True, row_factory=dict_row) as connection,
            Progress(*columns, console=self._console) as progress,
        ):
            while time.monotonic() < deadline:
                rows = connection.execute(
                    """SELECT id, kind, state, reason, counts, started_at, ended_at FROM run
                        WHERE id = %(run)s OR cycle_id = %(run)s ORDER BY created_at, kind""",
                    {"run": run_id},
                ).fetchall()
                for row in rows:
                    self._draw(progress, bars, row)
                if any(row["id"] == run_id and row["state"] in ENDED for row in rows):
                    return rows
                time.sleep(0.1)
        raise StackError(f"run {run_id} has not ended within {within:.0f} seconds")

    def count_events(self) -> int:
        """Count the events that were said so far, sent or not."""
        with psycopg.connect(self._database_url) as connection:
            row = connection.execute("SELECT count(*) FROM outbox WHERE channel = 'event'").fetchone()
        assert row is not None
        return int(row[0])

    def acts(self) -> Acts:
        """Read the last act of each person and source, as the console may."""
        with psycopg.connect(self._database_url) as connection:
            rows = connection.execute(
                """SELECT s.user_gid, o.source, max(o.acted_at)
                     FROM observation o JOIN subscription s ON s.id = o.subscription_id
                    WHERE s.state = 'active' GROUP BY 1, 2"""
            ).fetchall()
        last: dict[str, datetime] = {}
        others: dict[str, datetime] = {}
        for gid, source, at in rows:
            last[gid] = max(at, last.get(gid, at))
            if source != "search":
                others[gid] = max(at, others.get(gid, at))
        logged = {gid: at for gid, source, at in rows if source == "audit_log"}
        return Acts(last, logged, frozenset(gid for gid, at in last.items() if others.get(gid) != at))

    def _draw(self, progress: Progress, bars: dict[str, TaskID], row: dict[str, object]) -> None:
        kind, counts = str(row["kind"]), row["counts"]
        assert isinstance(counts, dict)
        if kind not in bars:
            bars[kind] = progress.add_task(kind, total=None, told="")
        told = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in counts.items() if count)
        if row["state"] in ENDED:
            ending = str(row["reason"] or row["state"])
            progress.update(bars[kind], total=1, completed=1, told=told or ending)
            progress.stop_task(bars[kind])
            return
        done, whole = DONE_AND_ALL.get(kind, ("", None))
        total = counts.get(whole) if whole else self._people if done else None
        progress.update(bars[kind], total=total, completed=counts.get(done, 0), told=told)


def seconds(row: dict[str, object]) -> float:
    """Return how long a run took."""
    started, ended = row["started_at"], row["ended_at"]
    assert isinstance(ended, datetime)
    return (ended - started).total_seconds() if isinstance(started, datetime) else 0.0
