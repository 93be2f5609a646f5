"""Each source by itself, asked about everybody, beside what a perfect client of it would see."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from asana_api.client import AsanaClient
from rules.evidence import Source
from rules.member_import import normalized
from sandbox.asana import Running, running
from sandbox.asana.member_export import member_export
from sandbox.asana.truth import Act
from sources import audit_log, search, tasks
from sources import member_export as export_source
from sources.contract import Asked, Found

START = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
LOOK_BACK = timedelta(days=240)
LOG_KEPT = timedelta(days=90)


@dataclass
class Alone:
    """How many people each source was compared for, and where it was not as it could see."""

    compared: Counter[Source] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def compare(self, source: Source, seed: int, gid: str, found: date | None, truth: date | None) -> None:
        """Count one person, and note a difference."""
        self.compared[source] += 1
        if found != truth:
            self.faults.append(f"{source}: seed {seed}: {gid} found {found}, could see {truth}")


async def each_source_alone(*, people: int, seed: int) -> Alone:
    """Ask each source about everybody in one organization."""
    alone = Alone()
    with running(people=people, seed=seed, start=START) as asana:
        members = [person.gid for person in asana.organization.members(asana.organization.company)]
        async with _client(asana, asana.admin_token) as client:
            await _tasks_and_search(alone, asana, client, seed, members)
        async with _client(asana, asana.service_account_token) as client:
            await _log(alone, asana, client, seed, members)
        _export(alone, asana, seed)
    return alone


async def _tasks_and_search(alone: Alone, asana: Running, client: AsanaClient, seed: int, members: list[str]) -> None:
    now, since = asana.clock.now(), asana.clock.now() - LOOK_BACK
    truth = asana.truth(since)
    for gid in members:
        asked = Asked(gid, since)
        seen = await tasks.look(client, asana.organization_gid, asked, until=now)
        alone.compare("tasks", seed, gid, _last(seen.acts), _at(truth[gid].seen_by_tasks))
        seen = await search.deep_look(client, asana.organization_gid, asked, until=now)
        alone.compare("search", seed, gid, _last(seen.acts), _at(truth[gid].seen_by_search))


async def _log(alone: Alone, asana: Running, client: AsanaClient, seed: int, members: list[str]) -> None:
    since = asana.clock.now() - LOG_KEPT
    truth = asana.truth(since)
    acts: dict[str, list[Found]] = {gid: [] for gid in members}
    async for page in audit_log.read(client, asana.organization_gid, asked_at=asana.clock.now(), start_at=since):
        for act in page.acts:
            acts.setdefault(act.user_gid, []).append(act)
    for gid in members:
        alone.compare("audit_log", seed, gid, _last(acts[gid]), _at(truth[gid].seen_by_audit_log))


def _export(alone: Alone, asana: Running, seed: int) -> None:
    now = asana.clock.now()
    read = export_source.read(member_export(asana.look).encode(), exported_at=now)
    truth = asana.truth(now)
    gids = {normalized(one.email): gid for gid, one in asana.organization.people.items() if one.email}
    for row in read.rows:
        alone.compare("member_export", seed, gids[row.email], row.last_active_on, truth[gids[row.email]].seen_by_export)


@asynccontextmanager
async def _client(asana: Running, token: str) -> AsyncIterator[AsanaClient]:
    async def same() -> str:
        return token

    async with AsanaClient(asana.api_url, same) as client:
        yield client


def _last(acts: Iterable[Found]) -> datetime | None:
    return max((act.at for act in acts), default=None)


def _at(act: Act | None) -> datetime | None:
    return act.at if act else None
