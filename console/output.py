"""What a command prints: a table for a person, or one JSON document with stable keys for a program.

Tables are as wide as their rows where the output is no terminal: a line that is wrapped cannot be searched.
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON document; times are in UTC.")]
UNBOUNDED = 100_000
"""Columns of an output that is no terminal."""


@dataclass(frozen=True)
class Sheet:
    """Rows under headings; `remark` stands below them."""

    columns: Sequence[str]
    rows: Iterable[Sequence[object]]
    remark: str = ""
    empty: str = "none"
    """What is said where there are no rows."""
    numbers: frozenset[str] = field(default_factory=frozenset)
    """Columns that stand to the right."""


def show(document: object, *human: Sheet | str, as_json: bool) -> None:
    """Print the document as JSON, or what a person reads."""
    if as_json:
        sys.stdout.write(json.dumps(document, default=_plain, ensure_ascii=False, indent=2) + "\n")
        return
    for part in human:
        _print(_laid_out(part) if isinstance(part, Sheet) else [Text(part)])


def facts(pairs: Mapping[str, object]) -> Sheet:
    """Lay out one thing: a name and a value on each line."""
    return Sheet(("", ""), [(name, value) for name, value in pairs.items() if value is not None])


def at(moment: datetime | None, zone: str) -> str:
    """Write a moment in a time zone, with its name: an operator reads their own clock."""
    if moment is None:
        return ""
    return f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} {zone}"


def named(count: int, one: str, many: str = "") -> str:
    """Write a count with its noun: `1 run`, `2 runs`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def foreign(body: bytes) -> str:
    """Write bytes that strangers sent so that no terminal takes any of them for a command."""
    return body.decode("utf-8", "backslashreplace").encode("unicode_escape").decode("ascii")


def _print(lines: Sequence[Table | Text]) -> None:
    if sys.stdout.isatty():
        Console().print(*lines, sep="\n")
        return
    console = Console(width=UNBOUNDED, color_system=None, force_terminal=False)
    with console.capture() as captured:
        console.print(*lines, sep="\n")
    sys.stdout.writelines(line.rstrip() + "\n" for line in captured.get().splitlines())


def _laid_out(sheet: Sheet) -> list[Table | Text]:
    rows = [[Text(_text(cell)) for cell in row] for row in sheet.rows]
    remark = [Text(sheet.remark)] if sheet.remark else []
    if not rows:
        return [Text(sheet.empty), *remark]
    headed = any(sheet.columns)
    table = Table(box=SIMPLE_HEAD if headed and sys.stdout.isatty() else None, show_header=headed, pad_edge=False)
    for column in sheet.columns:
        table.add_column(column, justify="right" if column in sheet.numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    return [table, *remark]


def _text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    # Names come from Asana: what a terminal would take for a command is not printed.
    return "".join(character if character.isprintable() else " " for character in str(cell))


def _plain(value: object) -> object:
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case Decimal() | UUID():
            return str(value)
        case Mapping():
            return dict(value)
        case _:
            raise TypeError(f"{type(value).__name__} has no place in a JSON document")
