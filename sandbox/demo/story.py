"""The day itself: connect, publish, one cycle, a member export and the next cycle, a plan approved and carried out."""

import json
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from rich.console import Console

from sandbox.demo.connecting import ALIAS, Accounts, Operated, Row, connect, connect_child
from sandbox.demo.day import Day, Judged, changed_between, examples_of, moment_of, step_of
from sandbox.demo.edge import EventReader, drop_request
from sandbox.demo.truths import (
    PersonTruth,
    Views,
    expect,
    log_from,
    read_member_export,
    read_removals,
    read_truth,
)
from sandbox.demo.watching import Watcher, seconds
from sandbox.stack import StackError

PROFILE, PLAN = "acme", "enterprise"
LOOK_BACK = "120d"
"""Twice the rule's 60 days: a first look of 60 days could find nobody whose last act is older than that."""
DAYS_SHOWN = 60
UNIT_COST = "24.99"
MOST_REMOVED = 50
LONGEST_RUN = 1200.0


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
        self._accounts = Accounts("", "")
        self._since, self._views = datetime.now(UTC), Views()
        self.day = Day(people=people, owned=round(people * 0.88))

    def tell(self) -> Day:
        """Live the whole day. Raises StackError or TimeoutError where something does not come to its end."""
        day = self.day
        with self._timed("connect and publish"):
            self._connect()
            self._publish()
        self._say("dropping a request for a cycle on the queue seatkeeper.requests")
        with self._timed("cycle"), self._during_the_cycle:
            steps = self._carried_out(kind="cycle")
        self._timings(steps)
        with self._timed("compare and explain"):
            self._compare_first(steps)
        with self._timed("import the member export"):
            self._import_export()
        self._say("dropping a request for the next cycle: economical, it asks only where an answer could matter")
        with self._timed("next cycle"):
            steps = self._carried_out(kind="cycle")
        self._timings(steps, "next ")
        with self._timed("compare and explain again"):
            self._compare_again(steps)
        with self._timed("plan and approve"):
            self._plan()
        self._say(f"dropping a request to carry out plan {day.plan['hash'][:12]}")
        with self._timed("reclaim"):
            self._carried_out(kind="reclaim", plan=day.plan["hash"])
        day.plan = self._read("plans", "show", day.plan["hash"])
        with self._timed("reconcile"):
            self._carried_out(kind="reconcile")
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
        """Connect the administrator and the service account; another alias of the same app; probe what is assumed."""
        self._say(f"connecting to {self._stack.asana.url} through OAuth: ./seats connect {ALIAS}")
        self._say("adding the service account's token, and a child alias with a grant of its own")
        self._accounts = connect(self._stack)
        connect_child(self._stack)
        self.day.connections = json.loads(self._stack.seats("connections", "--json"))
        self._say(f"reading a little to settle what is taken for granted of Asana: ./seats probe {ALIAS}")
        self.day.claims = self._read("probe", ALIAS)["claims"]

    def _publish(self) -> None:
        """Make the profile, try what it needs, publish, buy rights."""
        cap = str(max(2 * MOST_REMOVED, 1))
        self._say(f"validating and publishing the profile {PROFILE}, of an organization with the plan {PLAN}")
        self._stack.seats(
            "profile",
            "create",
            PROFILE,
            *("--connection", ALIAS, "--plan", PLAN, "--currency", "EUR", "--removal-cap", cap),
            *("--analyze-activity-from", LOOK_BACK, "--look-back-beyond-60-days"),
        )
        self.day.checked = self._read("profile", "validate", PROFILE)["checks"]
        self._stack.seats("profile", "publish", PROFILE, "--no-first-cycle")
        rights = ["--quantity", str(self.day.owned), "--unit-cost", UNIT_COST, "--starts-on", "2026-01-01"]
        self._stack.seats("entitlement", "add", PROFILE, *rights)
        self._since = datetime.fromisoformat(self._read("profile", "show", PROFILE)["analyze_activity_from"])

    def _carried_out(self, **wish: object) -> list[Row]:
        """Drop a request, wait for the answer, watch its run to its end."""
        request = drop_request(self._stack.edge_url("requester"), profile=PROFILE, **wish)
        answer = self._reader.wait_for(request, "RequestAccepted", "RequestRefused")
        if answer.type == "RequestRefused":
            raise StackError(f"the request was refused: {answer.data['reason']}")
        return self._watcher.until_ended(UUID(str(answer.data["run_id"])), LONGEST_RUN)

    def _timings(self, steps: list[Row], prefix: str = "") -> None:
        self.day.took |= {f"  {prefix}{step['kind']}": seconds(step) for step in steps if step["kind"] != "cycle"}

    def _compare_first(self, steps: list[Row]) -> None:
        """Hold the first cycle against the truth, before anybody is removed; explain a few people."""
        pull = moment_of(step_of(steps, "activity"))
        self._views = Views(log_from=log_from(self._since, pull))
        truth = read_truth(self._stack.asana.url, self._accounts.service, self._since, log_from(self._since, pull))
        first = self._judged(steps, truth)
        self.day.coverage = self._read("coverage", PROFILE, "--days", str(DAYS_SHOWN))
        self._explain(examples_of(first, sorted(first.acts.by_search)))

    def _compare_again(self, steps: list[Row]) -> None:
        """Hold the next cycle against the same truth, which the export knows more of."""
        first = self.day.cycles[0]
        self._explain(changed_between(first, self._judged(steps, first.expected.people)))

    def _judged(self, steps: list[Row], truth: dict[str, PersonTruth]) -> Judged:
        judged_at = moment_of(step_of(steps, "candidates"))
        expected = expect(truth, self._accounts.ours, judged_at, self._views)
        candidates = self._read("candidates", PROFILE)["candidates"]
        self.day.cycles.append(Judged(steps, candidates, self._watcher.acts(), expected, self._views))
        return self.day.last

    def _explain(self, gids: list[str]) -> None:
        self.day.explained += [self._read("explain", gid, "--profile", PROFILE) for gid in gids]

    def _import_export(self) -> None:
        """Import what Asana's admin console exports of its members: it knows use of any kind."""
        self._say("importing Asana's member export: ./seats activity import acme - --exported-at …")
        exported_at = datetime.now(UTC)
        csv = read_member_export(self._stack.asana.url)
        words = ("activity", "import", PROFILE, "-", "--exported-at", exported_at.isoformat(), "--json")
        self.day.imported = json.loads(self._stack.seats(*words, stdin=csv))
        self._views = replace(self._views, export_at=exported_at)

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
