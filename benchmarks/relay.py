"""The relay beside pika: what the outbox costs over publishing alone, and how soon one message is delivered.

The relay reads rows from Postgres, writes CloudEvents, publishes, waits for the confirms and marks the rows as sent.
Its peer is a program that only publishes: the same bodies, ready in memory, with the same properties, to the same
exchange and queue, with as many confirms outstanding, over pika's asyncio adapter. They take turns.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from benchmarks import relay_latency, relay_peer
from benchmarks.relay_stage import (
    COMMANDS_QUEUE,
    QUEUE,
    ROOT,
    Stage,
    arrived,
    cpu_seconds,
    fill,
    letters,
    relay_running,
    staged,
    wait_until_sent,
)
from benchmarks.results import Figure, Result, at_least
from benchmarks.sizes import between
from sandbox.services import Services, find_services
from workers.relay import BATCH, IN_FLIGHT

HELP = "send a full outbox, beside pika that publishes the same bodies from memory"
GOAL = 0.7


@dataclass
class Took:
    """The rounds of one side."""

    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    arrived: list[int] = field(default_factory=list)

    def rate(self, number: int) -> float:
        """Give the median of messages a second."""
        return number / statistics.median(self.wall_s)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark alone."""
    parser.add_argument(
        "--messages", type=between(100, 1_000_000, "messages"), default=50_000, help="events that wait in the outbox"
    )
    parser.add_argument(
        "--rounds", type=between(1, 100, "rounds"), default=3, help="turns of each side; the median counts"
    )
    parser.add_argument(
        "--singles",
        type=between(2, 10_000, "messages"),
        default=200,
        help="messages sent one by one over an idle relay",
    )
    parser.add_argument("--adapter", choices=relay_peer.ADAPTERS, default="asyncio", help="pika's adapter of the peer")


def run(chosen: argparse.Namespace, console: Console) -> Result:
    """Measure; tell on `console` what is going on."""

    def say(line: str) -> None:
        console.print(f"· {line}", highlight=False)

    with find_services(durable=True, shared=False, say=say) as services:
        return measure(services, chosen, console)


def measure(services: Services, chosen: argparse.Namespace, console: Console) -> Result:
    """Measure on these servers."""
    events, commands = Turns("event", chosen.messages, chosen), Turns("command", chosen.messages // 5, chosen)
    with staged(services) as stage:
        for turn in range(chosen.rounds):
            said = f"{events.number:,} events, {commands.number:,} commands"
            console.print(f"· round {turn + 1} of {chosen.rounds}: {said}", highlight=False)
            for turns in (events, commands):
                turns.take(stage, peer_first=turn % 2 == 1)
        console.print(f"· {chosen.singles} events, one by one", highlight=False)
        fill(stage, "event", 0)
        with relay_running(stage):
            alone = relay_latency.through_the_relay(stage, chosen.singles)
        straight = [] if chosen.without_peers else relay_latency.straight(stage, chosen.singles)
    return _result(events, commands, alone, straight)


class Turns:
    """Both sides, one after the other, over the same messages."""

    def __init__(self, channel: str, number: int, chosen: argparse.Namespace) -> None:
        """Take the kind of message and how many."""
        self.number, self._channel, self._chosen = number, channel, chosen
        self.ours, self.peer = Took(), Took()

    def take(self, stage: Stage, *, peer_first: bool) -> None:
        """Have each side send everything once."""
        vhost, queue = (stage.internal, COMMANDS_QUEUE) if self._channel == "command" else (stage.edge, QUEUE)
        fill(stage, self._channel, self.number)
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
            sides = ["relay"]
            if not self._chosen.without_peers:
                file.writelines(f"{line}\n" for line in asyncio.run(letters(stage, self.number)))
                file.flush()
                sides.insert(0 if peer_first else 1, "pika")
            for side in sides:
                if side == "relay":
                    self._relay(stage, vhost, queue)
                else:
                    self._pika(stage, vhost, queue, Path(file.name))

    def _relay(self, stage: Stage, vhost: str, queue: str) -> None:
        with relay_running(stage) as (pid, began):
            busy = cpu_seconds(pid)
            ended = wait_until_sent(stage, vhost, queue, self.number)
            self.ours.cpu_s.append(cpu_seconds(pid) - busy)
        self.ours.wall_s.append(ended - began)
        self.ours.arrived.append(arrived(stage, vhost, queue))

    def _pika(self, stage: Stage, vhost: str, queue: str, file: Path) -> None:
        options = ["--batch", str(BATCH), "--outstanding", str(IN_FLIGHT), "--adapter", self._chosen.adapter]
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.relay_peer", str(file), *options],
            cwd=ROOT,
            input=stage.url("relay", vhost) + "\n",
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
        took = relay_peer.read_told(done.stdout)
        self.peer.wall_s.append(took["wall_s"])
        self.peer.cpu_s.append(took["cpu_s"])
        self.peer.arrived.append(arrived(stage, vhost, queue))


def _result(events: Turns, commands: Turns, alone: list[float], straight: list[float]) -> Result:
    number = events.number
    figures = [
        _rate(f"{number:,} events", events, GOAL),
        _rate(f"{commands.number:,} commands, mandatory", commands, None),
        _cpu(events),
        *(_latency(share, alone, straight) for share in (50, 99)),
    ]
    notes = [
        "ours: python -m workers.relay, from its beginning to lead until the last row was marked as sent",
        "beside: pika alone, bodies ready in memory, from the first publish to the last confirm",
        f"on both sides {BATCH} messages in a batch, and at most {IN_FLIGHT:,} that are not confirmed",
        "ours gathers frames into writes of 64 KiB; pika sends each frame by itself, and part of the ratio is that",
        f"arrived in the queue in each round: {events.ours.arrived} from the relay, {events.peer.arrived} from pika",
        "idle: one event after another, from the return of its commit to its delivery; beside: from pika's publish",
    ]
    measured = {
        "events": {"number": number, "ours": vars(events.ours), "peer": vars(events.peer)},
        "commands": {"number": commands.number, "ours": vars(commands.ours), "peer": vars(commands.peer)},
        "alone_s": alone,
        "straight_s": straight,
    }
    return Result("relay", "The relay beside pika", figures, notes, measured)


def _rate(what: str, turns: Turns, goal: float | None) -> Figure:
    ours = turns.ours.rate(turns.number)
    if not turns.peer.wall_s:
        return Figure(what, f"{ours:,.0f}/s", "")
    peer = turns.peer.rate(turns.number)
    if goal is None:
        return Figure(what, f"{ours:,.0f}/s", f"{peer:,.0f}/s", ours / peer)
    return Figure(what, f"{ours:,.0f}/s", f"{peer:,.0f}/s", *at_least(ours / peer, goal))


def _cpu(turns: Turns) -> Figure:
    ours, peer = ((side.cpu_s and statistics.median(side.cpu_s)) or 0.0 for side in (turns.ours, turns.peer))
    words = "processor time of the process, a message"
    if not peer:
        return Figure(words, f"{ours / turns.number * 1e6:.0f} µs", "")
    return Figure(words, f"{ours / turns.number * 1e6:.0f} µs", f"{peer / turns.number * 1e6:.0f} µs", ours / peer)


def _latency(share: int, alone: list[float], straight: list[float]) -> Figure:
    words = f"idle, commit to delivered, p{share}"
    ours = percentile(alone, share)
    if not straight:
        return Figure(words, f"{ours * 1e3:.1f} ms", "")
    peer = percentile(straight, share)
    return Figure(words, f"{ours * 1e3:.1f} ms", f"{peer * 1e3:.1f} ms", ours / peer)


def percentile(values: list[float], share: int) -> float:
    """Give the value that so many of a hundred do not exceed."""
    return statistics.quantiles(values, n=100, method="inclusive")[share - 1]
