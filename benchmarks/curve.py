"""Draws how a download grows with the number of people, from the newest kept result: wall time and peak memory.

    python -m benchmarks.curve                      into docs/images/download-growth.svg
    python -m benchmarks.curve FILE.png             somewhere else, in the format that the name says

The same result gives the same picture to the byte, and the picture names the result, so that a test can hold the two
together. The drawing itself is done by Matplotlib in an environment of its own.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.peers import program_of, python_of
from benchmarks.results import ROOT, latest

PICTURE = ROOT / "docs" / "images" / "download-growth.svg"
LINES = {
    "Seatkeeper (reads, compares, stores)": ("ours, first", "ours, again"),
    "tap-asana (users only, prints)": ("tap-asana",),
    "dlt into DuckDB (stores)": ("dlt, first",),
    "asana SDK (reads only)": ("asana SDK",),
}
PANELS = {"wall_s": "wall time, seconds", "peak_mib": "peak memory, MiB"}


def series(measured: Mapping[str, Any], figure: str) -> dict[str, list[tuple[int, float]]]:
    """Give for each line its points (people, median of the rounds; of our two downloads the worse one)."""
    lines: dict[str, list[tuple[int, float]]] = {}
    for line, names in LINES.items():
        for people, legs in sorted(measured["people"].items(), key=lambda item: int(item[0])):
            medians = [median(leg[figure] for leg in legs[name]) for name in names if name in legs]
            if medians:
                lines.setdefault(line, []).append((int(people), max(medians)))
    return lines


def drawn_from(measured: Mapping[str, Any]) -> str:
    """Give what the picture says of its origin."""
    digest = sha256(json.dumps(measured, sort_keys=True).encode()).hexdigest()[:16]
    return f"drawn from the download's kept figures {digest}"


def is_current(picture: Path = PICTURE) -> bool:
    """Whether the picture is that of the newest kept result; true when there is neither."""
    result = latest("download")
    if result is None or not picture.exists():
        return result is None and not picture.exists()
    return drawn_from(result["measured"]) in picture.read_text(encoding="utf-8")


def draw(measured: Mapping[str, Any], picture: Path = PICTURE) -> None:
    """Draw it; raises PeerError when Matplotlib cannot be installed."""
    panels = [{"title": title, "lines": series(measured, figure)} for figure, title in PANELS.items()]
    about = {"panels": panels, "description": drawn_from(measured)}
    picture.parent.mkdir(parents=True, exist_ok=True)
    argv = [python_of("plot"), program_of("plot"), picture]
    subprocess.run(argv, input=json.dumps(about), text=True, check=True)


def main() -> int:
    """Draw the newest kept result; 1 when there is none."""
    result = latest("download")
    if result is None:
        sys.stderr.write("curve: no download is kept: run scripts/bench download\n")
        return 1
    draw(result["measured"], *(Path(name) for name in sys.argv[1:2]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
