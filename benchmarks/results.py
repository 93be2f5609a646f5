"""What a benchmark found, as a table for people and a document for programs, and how it is kept.

A result names the date, the commit and the machine, because a figure without them says nothing. What counts is the
ratio inside one run: the absolute figures are another machine's tomorrow.
"""

import io
import json
import os
import platform
import subprocess
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
WIDTH = 118


@dataclass(frozen=True)
class Figure:
    """One line of the table: what we did, what stands beside it, and their ratio with the goal that it is held to.

    `ours` and `beside` are for reading ("12.1 s", "6,200/s"); `goal` too ("at most 1.05"). `holds` is None where a line
    has no goal of its own and is there to explain the others.
    """

    what: str
    ours: str
    beside: str
    ratio: float | None = None
    goal: str = ""
    holds: bool | None = None


@dataclass
class Result:
    """What one run of one benchmark found. `measured` holds every raw figure, with its unit in its name."""

    name: str
    title: str
    figures: list[Figure]
    notes: list[str] = field(default_factory=list)
    measured: dict[str, Any] = field(default_factory=dict)  # any JSON: each benchmark has its own figures

    def misses(self) -> list[Figure]:
        """Give the lines whose goal is missed."""
        return [figure for figure in self.figures if figure.holds is False]


def at_most(ratio: float, limit: float) -> tuple[float, str, bool]:
    """Give ratio, goal and verdict for a figure that should be small."""
    return ratio, f"at most {limit:g}", ratio <= limit


def at_least(ratio: float, limit: float) -> tuple[float, str, bool]:
    """Give ratio, goal and verdict for a figure that should be large."""
    return ratio, f"at least {limit:g}", ratio >= limit


def draw(result: Result, console: Console) -> None:
    """Print the table and the notes."""
    table = Table(title=result.title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
    for name in ("what", "ours", "beside"):
        table.add_column(name, overflow="fold")
    table.add_column("ratio", justify="right")
    table.add_column("goal")
    table.add_column("")
    for figure in result.figures:
        ratio = "" if figure.ratio is None else f"{figure.ratio:.3g}"
        verdict = {None: "", True: "[green]ok[/green]", False: "[red]missed[/red]"}[figure.holds]
        table.add_row(figure.what, figure.ours, figure.beside, ratio, figure.goal, verdict)
    console.print(table)
    for note in result.notes:
        console.print(f"· {note}", highlight=False, soft_wrap=False)


def keep(result: Result, console_width: int = WIDTH, *, folder: Path = RESULTS) -> Path:
    """Write the result as JSON and as the text that was printed; give the text's path. Today's replaces today's."""
    now = datetime.now(UTC)
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / f"{now:%Y-%m-%d}-{result.name}"
    about = {"date": now.isoformat(timespec="seconds"), "commit": commit(), "machine": machine()}
    document: dict[str, Any] = {"name": result.name, "title": result.title, **about}
    document |= {"figures": [asdict(figure) for figure in result.figures], "notes": result.notes}
    document |= {"measured": result.measured}
    stem.with_suffix(".json").write_text(json.dumps(document, indent=1, default=str) + "\n", encoding="utf-8")
    text = io.StringIO()
    console = Console(file=text, width=console_width)
    draw(result, console)
    for name, value in about.items():
        console.print(f"{name}: {value}", highlight=False, soft_wrap=True)
    lines = (line.rstrip() for line in text.getvalue().splitlines())
    stem.with_suffix(".txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return stem.with_suffix(".txt")


def commit() -> str:
    """Name the commit that is measured, and whether the files differ from it: those of the results do not count."""
    name = _git("describe", "--always")
    written = [f":(exclude){path}" for path in ("benchmarks/results", "docs/images", "README.md")]
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", *written)
    return f"{name}-dirty" if name and changed else name or "unknown"


def _git(*arguments: str) -> str:
    said = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return said.stdout.strip()


def machine() -> str:
    """Say what this ran on: processor, cores, memory, system, Python."""
    parts = [_processor(), f"{os.cpu_count()} cores"]
    if hasattr(os, "sysconf"):
        parts.append(f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB")
    return ", ".join([*parts, f"{platform.system()} {platform.release()}", f"Python {platform.python_version()}"])


def _processor() -> str:
    told = Path("/proc/cpuinfo")
    lines = told.read_text(encoding="utf-8").splitlines() if told.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def latest(name: str, *, folder: Path = RESULTS) -> dict[str, Any] | None:
    """Read the newest kept result of a benchmark; None when there is none."""
    found = sorted(folder.glob(f"????-??-??-{name}.json"))
    return json.loads(found[-1].read_text(encoding="utf-8")) if found else None
