"""A search that knows the look-alike's state: the source `search` for tests of who is asked what, and with how much.

It answers like the real one: who moved, who made something, and the last act on tasks that a person follows or made.
The tests hold what was asked of it; nothing here goes over HTTP, so the look-alike's counts are of the tasks alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from asana_api.client import AsanaClient
from asana_api.errors import PlanTooLow
from rules.evidence import SEARCH
from sandbox.asana import Running
from sandbox.asana.model import Person, Task
from sandbox.asana.truth import acts_of
from sources.contract import Asked, Findings, Found
from sources.search import Watched


@dataclass
class KnownSearch:
    """Stands for the module `sources.search`; each list holds the gids of one question after the other."""

    asana: Running
    watched: list[list[str]] = field(default_factory=list)
    sifted: list[list[str]] = field(default_factory=list)
    looked: list[Asked] = field(default_factory=list)
    is_refused: bool = False

    def forget(self) -> None:
        """Forget what was asked so far."""
        self.watched, self.sifted, self.looked = [], [], []

    async def deep_look(self, client: AsanaClient, organization_gid: str, asked: Asked, *, until: datetime) -> Findings:
        """The last act on what the person made or follows."""
        assert isinstance(client, AsanaClient)
        assert organization_gid == self.asana.organization_gid
        self.looked.append(asked)
        if self.is_refused:
            return Findings("search", troubles={asked.user_gid: "answer 402"})
        acts = [one for one in self._acts(asked.user_gid) if asked.best_known is None or one.at > asked.best_known]
        last = [max(acts, key=lambda one: one.at)] if acts else []
        return Findings("search", acts=last, covered={asked.user_gid: (asked.since, until - SEARCH.lag)})

    async def watch(
        self, client: AsanaClient, organization_gid: str, gids: Sequence[str], *, since: datetime, until: datetime
    ) -> Watched:
        """Whoever made, follows or has a task that was modified since."""
        assert isinstance(client, AsanaClient)
        assert organization_gid == self.asana.organization_gid
        self.watched.append(list(gids))
        if self.is_refused:
            raise PlanTooLow(status=402)
        moved = {gid for gid in gids if any(task.modified_at >= since for task in self._tasks(gid, with_assigned=True))}
        return Watched(frozenset(moved), until - SEARCH.lag)

    async def seen_making(
        self, client: AsanaClient, organization_gid: str, people: Sequence[Asked], *, until: datetime
    ) -> Findings:
        """The last task that each made since they are asked about."""
        assert isinstance(client, AsanaClient)
        assert organization_gid == self.asana.organization_gid
        assert until <= self.asana.clock.now()
        self.sifted.append([one.user_gid for one in people])
        if self.is_refused:
            raise PlanTooLow(status=402)
        made = [(one, [act for act in self._acts(one.user_gid) if act.act == "created"]) for one in people]
        return Findings("search", acts=[act for one, acts in made for act in acts[-1:] if act.at >= one.since])

    def _tasks(self, gid: str, *, with_assigned: bool = False) -> Iterator[Task]:
        person = self.asana.organization.people[gid]
        for task in self.asana.look.state.tasks.values():
            worked = any(actor is person for actor, _ in acts_of(task))
            if not task.is_private and (worked or (with_assigned and task.assignee is person)):
                yield task

    def _acts(self, gid: str) -> list[Found]:
        person: Person = self.asana.organization.people[gid]
        acts = [act for task in self._tasks(gid) for actor, act in acts_of(task) if actor is person]
        return [Found(gid, act.at, act.kind, f"task/{act.task}") for act in sorted(acts, key=lambda act: act.at)]
