"""`seats activity`: import what Asana's admin console exports of its members, by hand, on every plan of Asana.

The export knows use of any kind, which no task does. It speaks until it was exported and no later; so the time of the
export is asked for, or taken from the file only where the file itself agrees with it.
"""

from typing import Annotated

import typer

from console.errors import Refused
from console.finding import ProfileName, a_profile, the_profile
from console.importing import Brought, Report, read_file, weigh
from console.output import AsJson, Sheet, at, named, show
from console.session import By, database, now, run
from console.style import examples, group
from rules.member_import import Line, Matching
from store import member_exports
from store.member_exports import Import
from store.profiles import Profile

app = group("Activity that comes by hand: the member export of Asana's admin console.")

MOST_SHOWN = 20
"""Lines without a person that are shown on a terminal; --json has all of them."""


@app.command(
    "import",
    epilog=examples(
        "activity import acme members.csv",
        "activity import acme - --exported-at 2026-11-24T18:30+01:00 < members.csv",
        "activity import acme members.csv --last-activity-column 'Last active' --dry-run",
    ),
)
def import_(
    profile: ProfileName,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The CSV; - for standard input.", show_default=False)],
    exported_at: Annotated[
        str | None,
        typer.Option(
            "--exported-at", help="When it was exported, as 2026-11-24T18:30+01:00.", show_default="the file's time"
        ),
    ] = None,
    email_column: Annotated[str | None, typer.Option(help="Its column of e-mails.", show_default="found")] = None,
    last_activity_column: Annotated[
        str | None, typer.Option(help="Its column of last activities.", show_default="found")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would do, and keep nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Import it although something speaks against it.")] = False,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Import a member export: the last activity of each member, of any kind.

    People are found by their e-mail; no e-mail of the file is kept. Who is in it without a date never used Asana. A
    line whose date cannot be read claims nothing.
    """
    brought = Brought(*read_file(file), exported_at, email_column, last_activity_column)
    moment = now()

    async def work() -> Report:
        async with database() as connection, connection.transaction():
            found = await the_profile(connection, profile, lock=True)
            report = await weigh(connection, found, brought, moment)
            if report.doubts and not force:
                raise Refused(f"{'; '.join(report.doubts)} (--force imports it anyway)")
            if not dry_run:
                told = report.matching.told
                report.number = await member_exports.keep(connection, found.id, report.draft(by), told, moment)
            return report

    report = run(work())
    show(_document(profile, report), *_told(report), as_json=as_json)


def _told(report: Report) -> list[Sheet | str]:
    zone, matching = report.profile.time_zone, report.matching
    whole = sum(one.whole for one in matching.told)
    dated = sum(one.last_activity_at is not None for one in matching.told)
    source = "the file's own time" if report.exported.by_the_file else "as you say"
    done = f"Imported as {report.number}" if report.number is not None else "Nothing was kept (--dry-run)"
    parts: list[Sheet | str] = [
        f"{done}: exported {at(report.exported.at, zone)} ({source}).",
        f"{named(report.people, 'line')}; {len(matching.told):,} of {named(report.known, 'person', 'people')} found.",
        f"{dated:,} have a last activity, {len(matching.told) - dated:,} have none; {whole:,} are covered until then.",
    ]
    parts += [f"Although {doubt}." for doubt in report.doubts]
    for why, lines in _left_out(matching).items():
        if lines:
            parts += [f"\n{named(len(lines), 'line')} {why}:", _listed(("line", "e-mail"), lines)]
    if problems := list(report.said.problems.items()):
        parts += [
            f"\n{named(len(problems), 'line')} not clear, so nothing is claimed:",
            _listed(("line", "why"), problems),
        ]
    return parts


def _listed(columns: tuple[str, str], rows: list[tuple[int, str]]) -> Sheet:
    more = f"... and {len(rows) - MOST_SHOWN:,} more; --json lists all" if len(rows) > MOST_SHOWN else ""
    return Sheet(columns, rows[:MOST_SHOWN], remark=more)


def _left_out(matching: Matching) -> dict[str, list[tuple[int, str]]]:
    why = {
        "of nobody with a seat": matching.strangers,
        "whose e-mail several people have, so nothing is claimed": matching.unclear,
        "that knew less than other sources saw, so nothing is claimed": matching.contradicted,
    }
    return {told: [(line.number, line.email) for line in lines] for told, lines in why.items()}


def _document(profile: str, report: Report) -> dict[str, object]:
    matching = report.matching

    def listed(lines: list[Line]) -> list[dict[str, object]]:
        return [{"line": one.number, "email": one.email} for one in lines]

    return {
        "profile": profile,
        "import": report.number,
        "exported_at": report.exported.at,
        "exported_at_from": "file" if report.exported.by_the_file else "operator",
        "lines": report.people,
        "known_people": report.known,
        "matched": len(matching.told),
        "with_activity": sum(one.last_activity_at is not None for one in matching.told),
        "covered": sum(one.whole for one in matching.told),
        "doubts": report.doubts,
        "strangers": listed(matching.strangers),
        "unclear": listed(matching.unclear),
        "problems": [{"line": line, "problem": why} for line, why in report.said.problems.items()],
        "contradicted": listed(matching.contradicted),
    }


@app.command("imports", epilog=examples("activity imports acme"))
def imports(profile: ProfileName, as_json: AsJson = False) -> None:
    """List the member exports that were imported, the newest export first."""

    async def read() -> tuple[Profile, list[Import]]:
        async with database() as connection:
            found = await a_profile(connection, profile)
            return found, await member_exports.of_profile(connection, found.id)

    found, known = run(read())
    zone = found.time_zone
    rows = [
        (
            one.id,
            at(one.exported_at, zone),
            at(one.imported_at, zone),
            one.imported_by,
            one.people,
            one.matched,
            one.file_sha256.hex()[:12],
        )
        for one in known
    ]
    columns = ("id", "exported", "imported", "by", "lines", "people found", "SHA-256")
    empty = f"No member export was imported yet. Next: ./seats activity import {profile} members.csv"
    document = {
        "profile": profile,
        "imports": [
            {
                **{
                    name: getattr(one, name)
                    for name in ["id", "exported_at", "imported_at", "imported_by", "people", "matched"]
                },
                "file_sha256": one.file_sha256.hex(),
            }
            for one in known
        ],
    }
    show(
        document, Sheet(columns, rows, empty=empty, numbers=frozenset({"id", "lines", "people found"})), as_json=as_json
    )
