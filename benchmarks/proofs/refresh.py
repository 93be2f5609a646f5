"""Fifty processes meet an expired token: one of them refreshes it, and all of them go on with the new one.

Real processes (forked from one that has everything loaded), a real Postgres and the look-alike, which counts the calls.
Every other round the refresh token rotates: then a second call, with the token that the first one ended, would lose the
connection. Every process has a database connection of its own, as a worker has, and remembers no token.
"""

import argparse
import asyncio
import multiprocessing
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection as Pipe
from multiprocessing.process import BaseProcess

import psycopg
from rich.console import Console

from benchmarks.proofs.stage import Place, new_database
from benchmarks.results import Figure, Result
from benchmarks.sizes import between
from connections.sealing import Sealing, connection_row, credential_row, new_key
from connections.tokens import Tokens
from sandbox.asana import Running, running
from sandbox.asana.credentials import Credential
from store import connections
from store.connect import Connection, open_connection
from store.connections import SealedGrant

HELP = "fifty processes meet an expired token and make one call, also when the refresh token rotates"
REFRESH = "POST /-/oauth_token"
ALIAS = "acme"
LOADED = ["benchmarks.proofs.refresh"]  # its own processes are forked with everything in place
LONGEST = 60.0
"""Seconds that a round may take."""


@dataclass
class Account:
    """What the rounds gave: calls in a round, by how often; different tokens in a round, by how often."""

    calls: Counter[int] = field(default_factory=Counter)
    tokens: Counter[int] = field(default_factory=Counter)
    troubles: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    lost: int = 0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this proof."""
    parser.add_argument("--rounds", type=between(1, 2000, "rounds"), default=200)
    parser.add_argument("--processes", type=between(2, 100, "processes"), default=50)


def run(chosen: argparse.Namespace, console: Console) -> Result:
    """Go through all rounds."""
    with new_database(console) as database:
        counted = meet(database, processes=chosen.processes, rounds=chosen.rounds, console=console)
    return account(counted, chosen.processes, chosen.rounds)


def meet(place: Place, *, processes: int, rounds: int, console: Console | None = None) -> Account:
    """Let so many processes meet an expired token so many times."""
    counted, key = Account(), new_key()
    with running(people=10, seed=5) as asana:
        connection_id = asyncio.run(_connected(place.url("owner"), asana, key))
        with _started(processes, place.url("worker"), key, connection_id) as pipes:
            for number in range(rounds):
                asana.look.oauth.rotates = number % 2 == 1
                _one_round(counted, asana, place.url("owner"), pipes)
                if console is not None and number % 20 == 19:
                    console.print(f"{number + 1} of {rounds} rounds", highlight=False)
    with psycopg.connect(place.url("owner")) as owner:
        row = owner.execute("SELECT count(*) FROM outbox WHERE name = 'ConnectionLost'").fetchone()
        counted.lost = row[0] if row else 0
    return counted


def _one_round(counted: Account, asana: Running, url: str, pipes: list[Pipe]) -> None:
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("UPDATE credential SET expires_at = now() - interval '1 second'")
    before, began = asana.requests.by_route[REFRESH], time.monotonic()
    for pipe in pipes:
        pipe.send("go")
    answers = [pipe.recv() if pipe.poll(LONGEST) else ("trouble", "no answer") for pipe in pipes]
    counted.seconds.append(time.monotonic() - began)
    counted.calls[asana.requests.by_route[REFRESH] - before] += 1
    counted.tokens[len({said for kind, said in answers if kind == "token"})] += 1
    counted.troubles += [said for kind, said in answers if kind == "trouble"]


@contextmanager
def _started(count: int, url: str, key: str, connection_id: int) -> Iterator[list[Pipe]]:
    """Start the processes, and end them with the block."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LOADED)
    with ExitStack() as until_the_end:
        pipes = []
        for _ in range(count):
            ours, theirs = context.Pipe()
            one = context.Process(target=_live, args=(theirs, url, key, connection_id), daemon=True)
            one.start()
            theirs.close()
            until_the_end.callback(_end, one, ours)
            pipes.append(ours)
        yield pipes


def _end(process: BaseProcess, pipe: Pipe) -> None:
    pipe.close()
    process.join(5)
    process.kill()


def _live(pipe: Pipe, url: str, key: str, connection_id: int) -> None:
    """Be one process: get a token each time that the word comes, remembering none."""
    asyncio.run(_living(pipe, url, key, connection_id))


async def _living(pipe: Pipe, url: str, key: str, connection_id: int) -> None:
    async with open_connection(url) as connection:

        @asynccontextmanager
        async def lend() -> AsyncIterator[Connection]:
            yield connection

        while True:
            try:
                pipe.recv()
            except EOFError:
                return
            try:
                pipe.send(("token", await Tokens(lend, connection_id, Sealing([key])).token()))
            except Exception as error:  # noqa: BLE001 - whatever it was is told, and counts against the claim
                pipe.send(("trouble", f"{type(error).__name__}: {error}"))


async def _connected(url: str, asana: Running, key: str) -> int:
    sealing, held = Sealing([key]), asana.look.credentials
    credential = Credential(f"oauth:{ALIAS}", "oauth", asana.organization.admins()[0])
    async with open_connection(url) as owner:
        connection_id = await connections.save(
            owner,
            alias=ALIAS,
            base_url=asana.url,
            client_id=asana.client_id,
            client_secret_sealed=sealing.seal(asana.client_secret, connection_row(ALIAS, "client_secret")),
            requests_per_minute=None,
        )
        refresh_row = credential_row(ALIAS, "oauth", "refresh_token")
        grant = SealedGrant(
            kind="oauth",
            user_gid=credential.person.gid,
            access_token=sealing.seal(held.access_token(credential), credential_row(ALIAS, "oauth", "access_token")),
            refresh_token=sealing.seal(held.refresh_token(credential), refresh_row),
            expires_at=datetime.now(UTC) + timedelta(hours=1),
        )
        await connections.keep_grant(owner, connection_id, ALIAS, grant, datetime.now(UTC))
    return connection_id


def account(counted: Account, processes: int, rounds: int) -> Result:
    """Give the table."""
    calls = sum(number * times for number, times in counted.calls.items())
    most = max(counted.calls, default=0)
    once, same = counted.calls[1], counted.tokens[1]
    seconds = sorted(counted.seconds)
    result = Result("refresh", f"One refresh: {processes} processes meet an expired token, {rounds} rounds", [])
    result.figures = [
        Figure("refresh calls", f"{calls:,}", f"{rounds:,} rounds, at most {most} in one", holds=once == rounds),
        Figure("rounds in which all have the same token", f"{same:,}", f"{rounds:,} rounds", holds=same == rounds),
        Figure("processes with trouble", f"{len(counted.troubles):,}", "", holds=not counted.troubles),
        Figure("connections lost", f"{counted.lost}", "", holds=counted.lost == 0),
        Figure("a round, median", f"{seconds[len(seconds) // 2]:.2f} s", f"longest {seconds[-1]:.2f} s"),
    ]
    result.notes = ["every other round the refresh token rotates: a second call would lose the connection"]
    result.notes += counted.troubles[:10]
    result.measured = {"calls_by_round": dict(counted.calls), "round_seconds": counted.seconds, "processes": processes}
    return result
