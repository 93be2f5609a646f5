"""`seats migrate`: the database of an earlier release becomes one of this release."""

import sys
from typing import Annotated

import typer

from console.errors import Refused
from console.installing import OWNER_URL, read_owner_url
from console.output import AsJson, named, show
from console.style import examples
from store.connect import SCHEMA_VERSION
from store.migrating import MigrationRefused, Step, Way, way
from store.migrating import migrate as bring_forward

HELP = examples(
    "migrate --dry-run", "migrate --owner-url postgresql://seatkeeper_owner:secret@127.0.0.1:5432/seatkeeper"
)


def migrate(
    owner_url: Annotated[
        str,
        typer.Option(help=f"Address of the database, for the role that owns it. Or {OWNER_URL}.", show_default=False),
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the SQL of each step, and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the database of an earlier release forward.

    Stop every process and make a backup first. Each step is one transaction: a kill leaves the database at the version
    that it had. On a database that is there already nothing is done.
    """
    owner_url = read_owner_url(owner_url)
    try:
        chosen = way(owner_url) if dry_run else bring_forward(owner_url, _nothing if as_json else _tell)
    except MigrationRefused as error:
        raise Refused(str(error)) from None
    document = {
        "found": chosen.found,
        "needed": SCHEMA_VERSION,
        "dry_run": dry_run,
        "steps": [{"version": step.version, "brings": step.brings, "sql": step.sql} for step in chosen.steps],
    }
    if dry_run and not as_json:
        sys.stdout.writelines(
            f"-- Step to version {step.version}: {step.brings}\n{step.sql}\n" for step in chosen.steps
        )
    show(document, _end(chosen, dry_run=dry_run), as_json=as_json)


def _nothing(_: Step) -> None:
    """Say nothing: the document will."""


def _tell(step: Step) -> None:
    sys.stdout.write(f"version {step.version}: {step.brings}\n")


def _end(chosen: Way, *, dry_run: bool) -> str:
    if not chosen.steps:
        return f"The database has version {SCHEMA_VERSION} already; nothing to do."
    steps = named(len(chosen.steps), "step")
    if dry_run:
        return f"-- {steps} from version {chosen.found} to {SCHEMA_VERSION}; nothing was changed."
    return f"Done: {steps} from version {chosen.found} to {SCHEMA_VERSION}."
