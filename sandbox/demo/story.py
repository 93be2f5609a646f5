"""The day itself: connect, publish, one cycle, a plan approved and carried out, and what was counted on the way."""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from rich.console import Console

from sandbox.demo.browser import allow
from sandbox.demo.edge import EventReader, drop_request
from sandbox.demo.truths import Expected, expect, read_removals, read_truth
from sandbox.demo.watching import Watcher, seconds
from sandbox.stack import LookAlike, StackError

PROFILE, ALIAS = "acme", "acme-asana"
LOOK_BACK = "120d"
"""Twice the rule's 60 days: a first look of 60 days could find nobody whose last act is older than that."""
UNIT_COST = "24.99"
MOST_REMOVED = 50
LONGEST_RUN = 600.0

Row = dict[str, Any]  # a row or a JSON document whose shape is another program's


@dataclass
class Day:
    """What happened, as an operator and a consumer saw it, and the truth that it is held against."""

    people: int
    owned: int
    steps: list[Row] = field(default_factory=list)
    took: dict[str, float] = field(default_factory=dict)
    candidates: list[Row] = field(default_factory=list)
    plan: Row = field(default_factory=dict)
    position: Row = field(default_factory=dict)
    explained: list[Row] = field(default_factory=list)
    refusal: str = ""
    removals: list[Row] = field(default_factory=list)
    judged_at: datetime | None = None
    expected: Expected | None = None


class Operated(Protocol):
    """A Seatkeeper that runs somewhere, as far as the story needs it; addresses hold passwords."""

    @property
    def asana(self) -> LookAlike:
        """The look-alike that it is connected to."""

    def database_url(self, role: str) -> str:
        """Give the database's address for a process by its short name."""

    def edge_url(self, user: str) -> str:
        """Give the edge's address for `requester` or `consumer`."""

    def seats(self, *arguments: str, stdin: str | None = None) -> str:
        """Run `./seats` and return what it printed; StackError if it fails."""

    def terminal(self, *arguments: str, more: Mapping[str, str]) -> subprocess.Popen[str]:
        """Begin `./seats` with pipes to talk to it, and `more` in its environment."""


class Story:
    """Tells it, step by step; each step's wall time is kept under its name."""

    def __init__(
        self,
        stack: Operated,
        people: int,
        console: Console,
        reader: EventReader,
        during_the_cycle: AbstractContextManager[object] | None = None,
    ) -> None:
        """Draw on `console`; `reader` has been listening since before the first event."""
        self._stack, self._console, self._reader = stack, console, reader
        self._during_the_cycle = during_the_cycle or nullcontext()
        self._watcher = Watcher(stack.database_url("console"), people, console)
        self._ours = ""
        self.day = Day(people=people, owned=round(people * 0.88))

    def tell(self) -> Day:
        """Live the whole day. Raises StackError or TimeoutError where something does not come to its end."""
        day = self.day
        with self._timed("connect and publish"):
            self._connect()
            since = self._publish()
        self._say("dropping a request for a cycle on the queue seatkeeper.requests")
        with self._timed("cycle"), self._during_the_cycle:
            day.steps = self._carried_out(kind="cycle")
        self._timings(day.steps)
        day.judged_at = next(step["started_at"] for step in day.steps if step["kind"] == "candidates")
        self._compare_with_truth(since)
        with self._timed("plan and approve"):
            self._plan()
        self._say(f"dropping a request to carry out plan {day.plan['hash'][:12]}")
        with self._timed("reclaim"):
            day.steps += self._carried_out(kind="reclaim", plan=day.plan["hash"])
        day.plan = self._read("plans", "show", day.plan["hash"])
        with self._timed("reconcile"):
            day.steps += self._carried_out(kind="reconcile")
        day.position = self._read("position", PROFILE)["positions"][0]
        day.removals = read_removals(self._stack.asana.url)
        self._refuse_one()
        self._wait_for_the_last_events()
        return day

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.day.took[name] = time.monotonic() - began

    def _say(self, sentence: str) -> None:
        self._console.print(f"[dim]·[/dim] {sentence}")

    def _read(self, *arguments: str) -> Row:
        document: Row = json.loads(self._stack.seats(*arguments, "--json"))
        return document

    def _connect(self) -> None:
        """`seats connect`, with us as the person at the terminal and as their browser."""
        asana = self._stack.asana
        self._say(f"connecting to {asana.url} through OAuth: ./seats connect {ALIAS}")
        options = ["--url", asana.url, "--client-id", asana.client_id, "--requests-per-minute", "unlimited", "--json"]
        secret = {"SEATKEEPER_CLIENT_SECRET": asana.client_secret}
        terminal = self._stack.terminal("connect", ALIAS, *options, more=secret)
        with terminal:
            assert terminal.stdin is not None
            assert terminal.stderr is not None
            shown: list[str] = []
            for line in terminal.stderr:
                shown.append(line)
                if line.startswith(f"{asana.url}/-/oauth_authorize"):
                    terminal.stdin.write(allow(line.strip()) + os.linesep)
                    terminal.stdin.flush()
                    break
            shown.append(terminal.stderr.read())
            assert terminal.stdout is not None
            connected = terminal.stdout.read()
        if terminal.returncode:
            raise StackError(f"./seats connect ended with {terminal.returncode}: {''.join(shown).strip()}")
        self._ours = str(json.loads(connected)["user_gid"])

    def _publish(self) -> datetime:
        """Make the profile, buy rights, publish; return since when activity is analyzed."""
        cap = str(max(2 * MOST_REMOVED, 1))
        self._say(f"publishing the profile {PROFILE}")
        self._stack.seats(
            "profile",
            "create",
            PROFILE,
            *("--connection", ALIAS, "--plan", "free", "--currency", "EUR", "--removal-cap", cap),
            *("--analyze-activity-from", LOOK_BACK, "--look-back-beyond-60-days"),
        )
        self._stack.seats("profile", "publish", PROFILE, "--no-first-cycle")
        rights = ["--quantity", str(self.day.owned), "--unit-cost", UNIT_COST, "--starts-on", "2026-01-01"]
        self._stack.seats("entitlement", "add", PROFILE, *rights)
        return datetime.fromisoformat(self._read("profile", "show", PROFILE)["analyze_activity_from"])

    def _carried_out(self, **wish: object) -> list[Row]:
        """Drop a request, wait for the answer, watch its run to its end."""
        request = drop_request(self._stack.edge_url("requester"), profile=PROFILE, **wish)
        answer = self._reader.wait_for(request, "RequestAccepted", "RequestRefused")
        if answer.type == "RequestRefused":
            raise StackError(f"the request was refused: {answer.data['reason']}")
        return self._watcher.until_ended(UUID(str(answer.data["run_id"])), LONGEST_RUN)

    def _timings(self, steps: list[Row]) -> None:
        self.day.took |= {f"  {step['kind']}": seconds(step) for step in steps if step["kind"] != "cycle"}

    def _compare_with_truth(self, since: datetime) -> None:
        """Read the truth before anybody is removed, the candidates, and three of them in words."""
        assert self.day.judged_at is not None
        truth = read_truth(self._stack.asana.url, self._ours, since)
        self.day.expected = expect(truth, self._ours, self.day.judged_at)
        self.day.candidates = self._read("candidates", PROFILE)["candidates"]
        by_state = {
            state: [one for one in self.day.candidates if one["state"] == state]
            for state in ("ready", "attention_required")
        }
        candidates = {one["user_gid"] for one in self.day.candidates}
        kept = next(
            (gid for gid, one in self.day.expected.people.items() if one.is_paid and gid not in candidates), None
        )
        chosen = [*(rows[-1]["user_gid"] for rows in by_state.values() if rows), kept]
        self.day.explained = [self._read("explain", gid, "--profile", PROFILE) for gid in chosen if gid]

    def _plan(self) -> None:
        """Let the profile off its leash, write the dry run, approve it."""
        self._say("unleashing the profile, writing the plan (a dry run) and approving it")
        self._stack.seats("profile", "unleash", PROFILE, "--work-goes-to", "the admin who connected")
        self.day.plan = self._read("plan", PROFILE, "--limit", str(MOST_REMOVED))
        self._stack.seats("approve", self.day.plan["hash"], "--by", "Mara Lind")

    def _refuse_one(self) -> None:
        """Drop a request that nobody can carry out, to see it refused and kept."""
        request = drop_request(self._stack.edge_url("requester"), profile="acne", kind="cycle")
        self.day.refusal = str(self._reader.wait_for(request, "RequestRefused").data["reason"])

    def _wait_for_the_last_events(self) -> None:
        """Every event that was said has to reach the consumer."""
        self._reader.settle(self.said())

    def said(self) -> int:
        """Count the events that Seatkeeper says it has said since the reader began."""
        return self._watcher.count_events()
