"""The matrix of bad answers: every phase against every bad answer, through the real actors.

Each cell is the second day of a small organization, with one kind of question spoiled in one way. A spoiled answer may
leave something unknown, put the work off, or fail its run with a reason. It may not make anybody's activity or seat
what it is not, claim that it was seen, make anybody gone, a candidate, or removed who would not have been without it,
nor lead a request to another host. A cell whose bad answer was never given proves nothing, and counts as a miss.
"""

import argparse
import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console

from asana_api.errors import AsanaError, TryLater
from benchmarks.proofs.answers_kinds import KINDS, Bad
from benchmarks.proofs.answers_phases import MEMBERSHIPS, PHASES, During, Phase
from benchmarks.proofs.answers_place import OwnDatabase
from benchmarks.proofs.answers_scene import ALIAS, PEOPLE, SEED, Endings, Scene, scene
from benchmarks.proofs.answers_spoiling import Json
from benchmarks.proofs.answers_weighing import Beside, Picture, Truth, picture, wrong
from benchmarks.proofs.stage import new_database
from benchmarks.results import Figure, Result
from connections.tokens import ConnectionIsLost
from messages.kinds import RunKind
from workers.station import Station

HELP = "no bad answer of Asana's makes anybody idle, gone or removed, at any question of the whole work"
OUTCOMES = ("harmless", "unknown", "put off", "failed", "not reached")
RUNS: dict[During, tuple[str, Sequence[RunKind]]] = {
    "pull": ("worker", ("download", "activity", "candidates")),
    "last look": ("reclaim", ("reclaim",)),
}


@dataclass
class Row:
    """What became of the cells of one phase."""

    outcomes: Counter[str] = field(default_factory=Counter)
    by_kind: dict[str, str] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    not_applicable: dict[str, str] = field(default_factory=dict)
    fired: int = 0

    def add(self, phase: Phase, bad: Bad, outcome: str, violations: Sequence[str]) -> None:
        """Count one cell."""
        self.outcomes[outcome] += 1
        self.by_kind[bad.name] = outcome
        self.violations += [f"{phase.name} / {bad.name}: {one}" for one in violations]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this proof."""
    parser.add_argument("--phase", action="append", help="only the phases whose name has this in it; more than once")
    parser.add_argument("--kind", action="append", help="only the bad answers whose name has this in it")


def run(chosen: argparse.Namespace, console: Console) -> Result:
    """Go through the whole matrix."""
    phases = [one for one in PHASES if _is_meant(one.name, chosen.phase)]
    kinds = [one for one in KINDS if _is_meant(one.name, chosen.kind)]
    with new_database(console) as database:
        rows = asyncio.run(fill(database, phases, kinds, console))
    return account(rows, kinds)


def _is_meant(name: str, wanted: Sequence[str] | None) -> bool:
    return wanted is None or any(word in name for word in wanted)


async def fill(
    place: OwnDatabase, phases: Sequence[Phase], kinds: Sequence[Bad], console: Console | None = None
) -> dict[str, Row]:
    """Fill the matrix's rows for these phases and kinds."""
    rows: dict[str, Row] = {}
    async with scene(place) as at:
        truth = Truth(at)
        for phase in phases:
            rows[phase.name] = await _row(at, truth, phase, kinds)
            if console is not None:
                told = ", ".join(f"{count} {outcome}" for outcome, count in rows[phase.name].outcomes.items())
                console.print(f"{phase.name}: {told}, {len(rows[phase.name].violations)} wrong", highlight=False)
    return rows


async def _row(at: Scene, truth: Truth, phase: Phase, kinds: Sequence[Bad]) -> Row:
    row = Row()
    await at.put_back(phase.before)
    morning = await picture(at)
    _prelude(at, phase)
    ended = await _carry_out(at, phase)
    assert not [*ended.failed, *ended.put_off, *ended.crashes], ended
    beside = Beside(truth, morning, await picture(at))
    assert beside.evening.called or phase.during != "last look", "nobody would be called anyway"
    clean = wrong(at, phase, beside, beside.evening, ended)
    assert not clean, clean
    for bad in kinds:
        if phase.shape not in bad.of:
            row.not_applicable[bad.name] = bad.why_not
            continue
        await _cell(at, phase, bad, beside, row)
    return row


def _prelude(at: Scene, phase: Phase) -> None:
    """Spoil what has to be spoiled so that the phase is reached at all."""
    faults, gid = at.asana.faults, at.idle[-1]
    if phase.besides == "fails for one":
        faults.add("answer", route="/tasks", query={"assignee": gid}, status=500)
    if phase.besides == "one slips":
        faults.add("patch", route=MEMBERSHIPS, query={"user": None}, patch=lambda page: _without(page, gid))


def _without(page: Json, gid: str) -> Json:
    return page | {"data": [one for one in page["data"] if one["user"]["gid"] != gid]}


async def _cell(at: Scene, phase: Phase, bad: Bad, beside: Beside, row: Row) -> None:
    await at.put_back(phase.before)
    _prelude(at, phase)
    fault = bad.put_into(at.asana.faults, at.elsewhere.url, method=phase.method, route=phase.route, query=phase.query)
    ended = await _carry_out(at, phase)
    after = await picture(at)
    violations = wrong(at, phase, beside, after, ended)
    row.add(phase, bad, _outcome(fault.fired, beside.evening, after, ended), violations)
    row.fired += fault.fired


def _outcome(fired: int, evening: Picture, after: Picture, ended: Endings) -> str:
    if not fired:
        return "not reached"
    if ended.put_off:
        return "put off"
    if ended.failed:
        return "failed"
    return "harmless" if after == evening else "unknown"


async def _carry_out(at: Scene, phase: Phase) -> Endings:
    if phase.during == "console":
        return await _workspaces(at)
    role, kinds = RUNS[phase.during]
    return await at.carry_out(role, kinds)


async def _workspaces(at: Scene) -> Endings:
    """Ask what the console asks: in which organizations is this account?"""
    ended, state = Endings(), at.asana.organization
    admin = state.admins()[0]
    async with Station(at.settings_for("console"), now=at.asana.clock.now) as station:
        client = (await station.asana(ALIAS)).client
        try:
            found = {one.gid for one in await client.workspaces()}
        except TryLater as error:
            ended.put_off.append(str(error))
        except (AsanaError, ConnectionIsLost) as error:
            ended.failed.append(str(error))
        else:
            if found != {one.workspace.gid for one in admin.memberships.values()}:
                ended.crashes.append(f"believes in {found}")
    return ended


def account(rows: dict[str, Row], kinds: Sequence[Bad]) -> Result:
    """Give the table: a line for each phase."""
    cells = sum(row.outcomes.total() for row in rows.values())
    wrongs = [one for row in rows.values() for one in row.violations]
    title = f"Bad answers: {len(rows)} phases against {len(kinds)} bad answers, {cells:,} cells, {PEOPLE} people"
    result = Result("answers", title, [])
    for name, row in rows.items():
        told = ", ".join(f"{row.outcomes[one]} {one}" for one in OUTCOMES if row.outcomes[one])
        holds = not row.violations and not row.outcomes["not reached"]
        result.figures.append(Figure(name, told, f"{len(row.violations)} wrong", holds=holds))
    given = sum(row.fired for row in rows.values())
    result.figures.append(
        Figure("all", f"{cells:,} cells, {given:,} bad answers", f"{len(wrongs)} wrong", holds=not wrongs)
    )
    result.notes = [
        *wrongs[:20],
        "harmless: as without the bad answer; unknown: less is known than without it; put off: asked again later;",
        "failed: the run ended with a reason; not reached: the bad answer was never given, so the cell shows nothing",
        *_left_out(rows),
    ]
    result.measured = {
        "seed": SEED,
        "people": PEOPLE,
        "cells": cells,
        "bad_answers_given": given,
        "wrong": wrongs,
        "phases": {name: {"cells": row.by_kind, "not_applicable": row.not_applicable} for name, row in rows.items()},
    }
    return result


def _left_out(rows: dict[str, Row]) -> list[str]:
    reasons = Counter(why for row in rows.values() for why in row.not_applicable.values())
    return [f"left out: {count} cells, because {why}" for why, count in reasons.items()]
