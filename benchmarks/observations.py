"""What keeping acts costs beside the fastest way into Postgres: COPY of the same rows into a bare, unlogged table.

Ours is `store.activity.add_acts`, as the actor calls it for a group of people, with larger groups: it looks up what is
known, adds what is new to a logged table with its key and its check of whom it is about, and commits. Its time begins
with the rows as Python values. The peer is one COPY of the same rows, its text made beforehand, into one unlogged table
without any index, as the same role's owner, committed.

The goals are held by one writer beside one COPY, in COPY's default form. Lines without a goal show several writers, the
binary form, and batches as small as the actor's.
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
from benchmarks.sizes import between
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
ACTORS_BATCH, ACTORS_ACTS = 50, 50_000
"""The actor keeps the acts of 50 people at a time. So small, a part of the acts tells the rate."""


@dataclass(frozen=True)
class Way:
    """How ours writes: by so many connections, so many acts in a statement. `name` goes before what is measured."""

    name: str
    connections: int
    batch: int


@dataclass(frozen=True)
class Stood:
    """Where the rows go: the addresses, and the profile with its subscriptions."""

    owner_url: str
    worker_url: str
    profile_id: int
    subscriptions: list[int]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark alone."""
    acts, writers = between(100, 10_000_000, "acts"), between(2, 16, "connections")
    parser.add_argument("--observations", type=acts, default=1_000_000, help="acts written in each round")
    parser.add_argument(
        "--rounds", type=between(1, 100, "rounds"), default=3, help="rounds of each side, by turns; the median counts"
    )
    parser.add_argument("--batch", type=between(1, 1_000_000, "acts"), default=10_000, help="acts in one statement")
    parser.add_argument("--connections", type=writers, default=2, help="writers in the lines that show several")
    parser.add_argument("--unsafe", action="store_true", help="with a Postgres that does not wait for its disk")


def run(chosen: argparse.Namespace, console: Console) -> Result:
    """Measure; tell on `console` what is going on."""
    return measure(chosen, console, None)


def measure(chosen: argparse.Namespace, console: Console, services: Services | None) -> Result:
    """Measure on servers that run already, or on new ones."""
    taken: dict[str, list[float]] = {}
    with stack_without_asana(console.print, durable=not chosen.unsafe, services=services) as stack:
        stood = _stood(stack, max(1, chosen.observations // ACTS_OF_ONE))
        rows = made_up(stood.subscriptions, chosen.observations)
        console.print(f"{len(rows):,} acts of {len(stood.subscriptions):,} people")
        streams = {} if chosen.without_peers else {form: _stream(stood, rows, form) for form in ("text", "binary")}
        for number in range(chosen.rounds):
            for form, stream in streams.items():
                taken.setdefault(form, []).append(copy(stood, stream, form, len(rows)))
            _write(stood, rows, taken, Way("", 1, chosen.batch))
            if number == 0:
                _write(stood, rows, taken, Way("several ", chosen.connections, chosen.batch))
                _write(stood, rows[:ACTORS_ACTS], taken, Way("small ", 1, ACTORS_BATCH))
            console.print(", ".join(f"{name} {values[-1]:.2f} s" for name, values in taken.items()))
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


def _write(stood: Stood, rows: Sequence[Row], taken: dict[str, list[float]], way: Way) -> None:
    """Write the rows into an empty table, and again where all but every hundredth are there; note the seconds."""
    with psycopg.connect(stood.owner_url, autocommit=True) as owner:
        owner.execute("TRUNCATE observation")
        new = asyncio.run(_written(stood, rows, way.connections, way.batch))
        assert owner.execute("SELECT count(*) FROM observation").fetchone() == (len(rows),)
        every = round(1 / (1 - KNOWN))
        forgotten = [row for number, row in enumerate(rows) if number % every == 0]
        _forget(owner, forgotten)
        known = asyncio.run(_written(stood, rows, way.connections, way.batch))
        assert owner.execute("SELECT count(*) FROM observation").fetchone() == (len(rows),)
    taken.setdefault(f"{way.name}new", []).append(new)
    taken.setdefault(f"{way.name}known", []).append(known)


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


def _result(chosen: argparse.Namespace, acts: int, taken: dict[str, list[float]]) -> Result:
    part = min(acts, ACTORS_ACTS)
    rates = {name: (part if name.startswith("small") else acts) / median(seconds) for name, seconds in taken.items()}
    return Result(
        "observations",
        f"{acts:,} acts, from Python values to committed, {chosen.batch:,} in a statement, by one connection",
        _figures(rates, chosen.connections),
        notes=[
            "ours looks up what is known, keeps a key, checks whom an act is about, and survives a crash of the server",
            f"ours commits each {chosen.batch:,}, the peer once, its bytes made beforehand, in a table without a key",
            "the goals stand beside text, COPY's default; binary leaves nothing to parse, so those ratios are lower",
            f"not in it: the coverage that the actor writes with the acts of about {ACTORS_BATCH} people at once",
        ],
        measured={
            "observations": acts,
            "batch": chosen.batch,
            "connections": chosen.connections,
            "actors_batch": ACTORS_BATCH,
            "actors_acts": part,
            "durable": not chosen.unsafe,
            **{f"{name.replace(' ', '_')}_s": seconds for name, seconds in taken.items()},
        },
    )


def _figures(rates: dict[str, float], connections: int) -> list[Figure]:
    """Give the lines with a goal, then those that explain them."""
    text = (rates.get("text"), "text COPY")
    figures = [_figure(WHAT[what], rates[what], *text, LEAST[what]) for what in WHAT]
    if "binary" in rates:
        figures += [_figure(f"· {WHAT[what]}", rates[what], rates["binary"], "binary COPY") for what in WHAT]
    said = f"{connections} connections"
    figures += [_figure(f"· {WHAT[what]}, {said}", rates[f"several {what}"], *text) for what in WHAT]
    said = f"{ACTORS_BATCH} acts at once"
    return figures + [_figure(f"· {WHAT[what]}, {said}", rates[f"small {what}"], *text) for what in WHAT]


def _figure(what: str, ours: float, beside: float | None, form: str, least: float | None = None) -> Figure:
    if beside is None:
        return Figure(what, f"{ours:,.0f}/s", "")
    ratio = at_least(ours / beside, least) if least is not None else (ours / beside,)
    return Figure(what, f"{ours:,.0f}/s", f"{beside:,.0f}/s {form}", *ratio)
