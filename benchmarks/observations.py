"""What keeping acts costs beside the fastest way into Postgres: COPY of the same rows into a bare, unlogged table.

Ours is `store.activity.add_acts`, as the actor calls it for a group of people, with larger groups: it looks up what is
known, adds what is new to a logged table with its key and its check of whom it is about, and commits. Its time begins
with the rows as Python values. The peer is one COPY of the same rows, its text made beforehand, into one unlogged table
without any index, as the same role's owner, committed.
"""

import argparse
import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median

import psycopg
from rich.console import Console

from benchmarks.results import Figure, Result, at_least
from benchmarks.without_asana import stack_without_asana
from sandbox.services import Services
from sandbox.stack import Stack
from store import activity
from store.activity import Row
from store.connect import Connection, open_connection

HELP = "acts kept a second, all of them new or nearly all known, beside COPY of the same rows into a bare table"
SUBTYPES = ("comment_added", "assigned", "section_changed", "marked_complete", "due_date_changed")
ACTS_OF_ONE = 50
"""Of each person: some months of daily pulls."""
KNOWN = 0.99
"""The share that is known where nearly all are."""
LEAST = {"known": 0.35, "new": 0.25}
WHAT = {"known": "nearly all are known", "new": "all are new"}
BLOCK = 256 * 1024


@dataclass(frozen=True)
class Stood:
    """Where the rows go: the addresses, and the profile with its subscriptions."""

    owner_url: str
    worker_url: str
    profile_id: int
    subscriptions: list[int]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark alone."""
    parser.add_argument("--observations", type=int, default=1_000_000, help="acts written in each round")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each side, by turns; the median counts")
    parser.add_argument(
        "--batch", type=int, default=10_000, help="acts in one call; the actor's has one for each of 50"
    )
    parser.add_argument(
        "--connections", type=int, default=2, help="writers side by side, each with its share of people"
    )
    parser.add_argument("--unsafe", action="store_true", help="with a Postgres that does not wait for its disk")


def run(chosen: argparse.Namespace, console: Console) -> Result:
    """Measure; tell on `console` what is going on."""
    return measure(chosen, console, None)


def measure(chosen: argparse.Namespace, console: Console, services: Services | None) -> Result:
    """Measure on servers that run already, or on new ones."""
    taken: dict[str, list[float]] = {"new": [], "known": [], "one new": [], "one known": [], "text": [], "binary": []}
    with stack_without_asana(console.print, durable=not chosen.unsafe, services=services) as stack:
        stood = _stood(stack, max(1, chosen.observations // ACTS_OF_ONE))
        rows = made_up(stood.subscriptions, chosen.observations)
        console.print(f"{len(rows):,} acts of {len(stood.subscriptions):,} people")
        streams = {} if chosen.without_peers else {form: _stream(stood, rows, form) for form in ("text", "binary")}
        for number in range(chosen.rounds):
            for form in ("text", "binary"):
                if form in streams:
                    taken[form].append(copy(stood, streams[form], form, len(rows)))
            writers = [(chosen.connections, "")] + ([(1, "one ")] if number == 0 else [])
            for connections, prefix in writers:
                for what, seconds in _ours(stood, rows, connections, chosen.batch).items():
                    taken[prefix + what].append(seconds)
            console.print(", ".join(f"{name} {values[-1]:.2f} s" for name, values in taken.items() if values))
    return _result(chosen, len(rows), taken)


def _stood(stack: Stack, people: int) -> Stood:
    """Make a profile with so many active subscriptions, and the peer's table."""
    with psycopg.connect(stack.database_url("owner"), autocommit=True) as owner:
        owner.execute("INSERT INTO connection (alias, base_url) VALUES ('acme', 'http://127.0.0.1:1')")
        owner.execute(
            """INSERT INTO profile (name, display_name, connection_id, plan, analyze_activity_from)
               SELECT 'acme', 'Acme', id, 'advanced', now() - interval '60 days' FROM connection"""
        )
        owner.execute("INSERT INTO software_model SELECT id, 'member', 'Asana member', true FROM profile")
        cursor = owner.execute(
            """INSERT INTO subscription (profile_id, user_gid, membership_gid, software_model, is_admin, joined_at,
                                         found_at)
               SELECT p.id, (1200000000000000 + n)::text, (1300000000000000 + n)::text, 'member', false, now(), now()
                 FROM profile p, generate_series(1, %s) AS n RETURNING profile_id, id""",
            [people],
        )
        made = cursor.fetchall()
        owner.execute(
            """CREATE UNLOGGED TABLE bare (profile_id bigint, subscription_id bigint, source text, act text,
                                           acted_at timestamptz, proof text, seen_at timestamptz)"""
        )
        owner.execute("ANALYZE subscription")
    return Stood(stack.database_url("owner"), stack.database_url("worker"), made[0][0], [row[1] for row in made])


def made_up(subscriptions: Sequence[int], observations: int) -> list[Row]:
    """Make so many acts, person by person and each person's in the order of time, as a source would tell them."""
    begin, each = datetime.now(UTC) - timedelta(days=100), -(-observations // len(subscriptions))
    step = timedelta(days=100) / each
    rows: list[Row] = []
    for place, subscription in enumerate(subscriptions):
        for number in range(min(each, observations - len(rows))):
            task, story = 1_208_000_000_000_000 + place * 7, 1_209_000_000_000_000 + place * 1000 + number
            at = begin + number * step + timedelta(milliseconds=place % 977)
            rows.append((subscription, SUBTYPES[number % len(SUBTYPES)], at, f"task/{task}/story/{story}"))
    return rows


def _stream(stood: Stood, rows: Sequence[Row], form: str) -> bytes:
    """Give the bytes that COPY takes for these rows, all seven columns: made by Postgres itself."""
    with psycopg.connect(stood.owner_url, autocommit=True) as owner:
        owner.execute("TRUNCATE bare")
        with owner.cursor() as cursor, cursor.copy("COPY bare FROM STDIN") as into:
            now = datetime.now(UTC)
            for subscription, act, acted_at, proof in rows:
                into.write_row((stood.profile_id, subscription, "tasks", act, acted_at, proof, now))
        with owner.cursor() as cursor, cursor.copy(f"COPY bare TO STDOUT (FORMAT {form})") as out:
            return b"".join(out)


def copy(stood: Stood, stream: bytes, form: str, expected: int) -> float:
    """Have the peer write the stream; return the seconds from the first byte to the commit."""
    with psycopg.connect(stood.owner_url, autocommit=True) as owner:
        owner.execute("TRUNCATE bare")
        began = time.perf_counter()
        with owner.cursor() as cursor, cursor.copy(f"COPY bare FROM STDIN (FORMAT {form})") as into:
            for at in range(0, len(stream), BLOCK):
                into.write(stream[at : at + BLOCK])
        took = time.perf_counter() - began
        assert owner.execute("SELECT count(*) FROM bare").fetchone() == (expected,)
    return took


def _ours(stood: Stood, rows: Sequence[Row], connections: int, batch: int) -> dict[str, float]:
    """Write the rows into an empty table, and again where all but every hundredth are there."""
    with psycopg.connect(stood.owner_url, autocommit=True) as owner:
        owner.execute("TRUNCATE observation")
        new = asyncio.run(_written(stood, rows, connections, batch))
        assert owner.execute("SELECT count(*) FROM observation").fetchone() == (len(rows),)
        every = round(1 / (1 - KNOWN))
        forgotten = [row for number, row in enumerate(rows) if number % every == 0]
        _forget(owner, forgotten)
        known = asyncio.run(_written(stood, rows, connections, batch))
        assert owner.execute("SELECT count(*) FROM observation").fetchone() == (len(rows),)
    return {"new": new, "known": known}


def _forget(owner: psycopg.Connection, rows: Sequence[Row]) -> None:
    owner.execute(
        """DELETE FROM observation o USING unnest(%s::bigint[], %s::timestamptz[]) AS n (id, at)
            WHERE o.subscription_id = n.id AND o.acted_at = n.at""",
        [[row[0] for row in rows], [row[2] for row in rows]],
    )
    owner.execute("VACUUM ANALYZE observation")


async def _written(stood: Stood, rows: Sequence[Row], connections: int, batch: int) -> float:
    """Return the seconds until all writers have committed all rows, which begin as Python values."""
    share = -(-len(rows) // connections)
    shares = [rows[at : at + share] for at in range(0, len(rows), share)]
    now = datetime.now(UTC)

    async def write(connection: Connection, mine: Sequence[Row]) -> None:
        for at in range(0, len(mine), batch):
            async with connection.transaction():
                await activity.add_acts(connection, stood.profile_id, mine[at : at + batch], now)

    async with contextlib.AsyncExitStack() as until_the_end:
        opened = [await until_the_end.enter_async_context(open_connection(stood.worker_url)) for _ in shares]
        began = time.perf_counter()
        await asyncio.gather(*(write(*pair) for pair in zip(opened, shares, strict=True)))
        return time.perf_counter() - began


def _result(chosen: argparse.Namespace, rows: int, taken: dict[str, list[float]]) -> Result:
    rates = {name: rows / median(seconds) for name, seconds in taken.items() if seconds}
    writers = f"{chosen.connections} connections" if chosen.connections > 1 else "1 connection"
    figures = [_figure(f"{WHAT[what]}, {writers}", rates[what], rates.get("text"), LEAST[what]) for what in WHAT]
    figures += [_figure(f"{WHAT[what]}, 1 connection", rates[f"one {what}"], rates.get("text"), None) for what in WHAT]
    if "binary" in rates:
        beside = f"{rates['binary']:,.0f}/s binary COPY"
        figures += [Figure(WHAT[what], f"{rates[what]:,.0f}/s", beside, rates[what] / rates["binary"]) for what in WHAT]
    return Result(
        "observations",
        f"{rows:,} acts, from Python values to committed, {chosen.batch:,} in a statement",
        figures,
        notes=[
            "ours looks up what is known, keeps a key, checks whom an act is about, and survives a crash of the server",
            "the peer's bytes were made beforehand: one COPY into one unlogged table without an index",
        ],
        measured={
            "observations": rows,
            "batch": chosen.batch,
            "connections": chosen.connections,
            "durable": not chosen.unsafe,
            **{f"{name.replace(' ', '_')}_s": seconds for name, seconds in taken.items() if seconds},
        },
    )


def _figure(what: str, ours: float, beside: float | None, least: float | None) -> Figure:
    if beside is None:
        return Figure(what, f"{ours:,.0f}/s", "")
    ratio = at_least(ours / beside, least) if least is not None else (ours / beside,)
    return Figure(what, f"{ours:,.0f}/s", f"{beside:,.0f}/s text COPY", *ratio)
