"""`seats run` and `seats runs`: ordering work, and seeing what became of it. An order is a row and its command."""

import asyncio
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from console.errors import BadUse, CommandFailed, Refused
from console.finding import Limit, OneProfile, ProfileName, profile_of, the_plan, the_profile, the_run, zone_of
from console.output import AsJson, Sheet, at, facts, show
from console.session import By, database, now, run
from console.style import examples, group
from messages.kinds import RunKind
from rules.switches import why_off
from store import cycles, runs
from store.connect import Connection
from store.runs import Order, Run

HELP = examples("run cycle acme --wait", "run download acme", "run reclaim acme --plan 3f9a2c41 --wait")
app = group("What ran, how it ended and why.")

ENDED = frozenset({"finished", "failed", "coalesced", "not_run"})
LOOK_EVERY = 0.2
"""Seconds between two looks at a run that is waited for."""
STEPS_OF_A_CYCLE = 5


def run_(
    kind: Annotated[RunKind, typer.Argument(help="What to run; a cycle is all of them in their order.")],
    profile: ProfileName,
    plan: Annotated[str | None, typer.Option(help="The approved plan that a reclaim carries out, by its hash.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for its end; exit code 1 if it failed.")] = False,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Order a run, and wait for it with --wait. The workers carry it out."""
    if plan is not None and kind != "reclaim":
        raise BadUse("only a reclaim carries out a plan")
    ordered, steps, zone = run(_order(kind, profile, plan, by, wait=wait))
    show(_document(ordered, steps), *_told(ordered, steps, zone), as_json=as_json)
    if wait and ordered.state in {"failed", "not_run"}:
        raise typer.Exit(CommandFailed.exit_code)


async def _order(kind: RunKind, name: str, plan: str | None, by: str, *, wait: bool) -> tuple[Run, list[Run], str]:
    async with database() as connection:
        profile = await the_profile(connection, name)
        if profile.status != "published":
            raise Refused(f"profile {name} is a draft; publish it first: ./seats profile publish {name}")
        off = why_off(kind, activity_enabled=profile.activity_enabled, reclaim_enabled=profile.reclaim_enabled)
        if off is not None:
            raise Refused(f"{off}; see ./seats profile show {name}")
        plan_hash = (await the_plan(connection, plan)).hash if plan else None
        async with connection.transaction():
            order = Order(profile_id=profile.id, kind=kind, requested_by=by, plan_hash=plan_hash)
            run_id = await cycles.add(connection, order, now())
        ordered = await runs.get(connection, run_id)
        assert ordered is not None
        if wait:
            ordered = await _until_the_end(connection, ordered)
        return ordered, await runs.steps_of(connection, run_id), profile.time_zone


async def _until_the_end(connection: Connection, ordered: Run) -> Run:
    columns = (
        TextColumn("{task.description:<12}"),
        BarColumn(),
        TextColumn("{task.fields[told]}"),
        TimeElapsedColumn(),
    )
    bars: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(file=sys.stderr)) as progress:
        while True:
            current = await runs.get(connection, ordered.id)
            assert current is not None
            for one in await runs.steps_of(connection, ordered.id) or [current]:
                _draw(progress, bars, one)
            if current.state in ENDED:
                return current
            await asyncio.sleep(LOOK_EVERY)


def _draw(progress: Progress, bars: dict[str, TaskID], one: Run) -> None:
    if one.kind not in bars:
        bars[one.kind] = progress.add_task(one.kind, total=None, told="")
    total, done = one.counts.get("people"), one.counts.get("asked")
    if one.state in ENDED:
        progress.update(bars[one.kind], total=1, completed=1, told=f"{one.state} {_counts(one)}".strip())
        progress.stop_task(bars[one.kind])
    else:
        progress.update(bars[one.kind], total=total or None, completed=done or 0, told=_counts(one))


@app.command("list", epilog=examples("runs list", "runs list --profile acme --limit 5 --json"))
def list_(profile: OneProfile = None, limit: Limit = 20, as_json: AsJson = False) -> None:
    """List the newest runs."""

    async def read() -> tuple[list[Run], str]:
        async with database() as connection:
            zone = await zone_of(connection, profile)
            return await runs.recent(connection, profile=profile, limit=limit), zone

    found, zone = run(read())
    rows = [
        (
            str(one.id)[:8],
            one.profile,
            one.kind,
            one.state,
            at(one.created_at, zone),
            _took(one),
            one.reason or _counts(one),
        )
        for one in found
    ]
    columns = ("run", "profile", "kind", "state", "ordered", "took", "result")
    sheet = Sheet(
        columns, rows, empty="There is no run yet. Next: ./seats run cycle PROFILE", numbers=frozenset({"took"})
    )
    show({"runs": [_document(one) for one in found]}, sheet, as_json=as_json)


@app.command("show", epilog=examples("runs show 3f9a2c41"))
def show_(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or its beginning.")], as_json: AsJson = False
) -> None:
    """Show one run, and the steps of a cycle."""

    async def read() -> tuple[Run, list[Run], str]:
        async with database() as connection:
            found = await the_run(connection, run_id)
            zone = (await profile_of(connection, found.profile_id)).time_zone
            return found, await runs.steps_of(connection, found.id), zone

    found, steps, zone = run(read())
    show(_document(found, steps), *_told(found, steps, zone), as_json=as_json)


def _told(one: Run, steps: list[Run], zone: str) -> list[Sheet | str]:
    parts: list[Sheet | str] = [
        facts(
            {
                "run": one.id,
                "of": f"{one.kind} for {one.profile}",
                "state": one.state,
                "reason": one.reason,
                "result": _counts(one) or None,
                "plan": one.plan_hash,
                "ordered": f"{at(one.created_at, zone)} by {one.requested_by}",
                "started": at(one.started_at, zone) or None,
                "ended": at(one.ended_at, zone) or None,
                "correlation": one.correlation_id,
            }
        )
    ]
    if steps:
        rows = [(step.kind, step.state, _took(step), step.reason or _counts(step)) for step in steps]
        parts.append(Sheet(("step", "state", "took", "result"), rows, numbers=frozenset({"took"})))
    return parts


def _counts(one: Run) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in one.counts.items())


def _took(one: Run) -> str:
    if one.started_at is None or one.ended_at is None:
        return ""
    return f"{(one.ended_at - one.started_at).total_seconds():.1f} s"


def _document(one: Run, steps: list[Run] | None = None) -> dict[str, object]:
    names = (
        "id profile kind state reason counts cycle_id plan_hash coalesced_into requested_by correlation_id created_at"
        " started_at ended_at slice"
    )
    document: dict[str, object] = {name: getattr(one, name) for name in names.split()}
    return document if steps is None else document | {"steps": [_document(step) for step in steps]}
