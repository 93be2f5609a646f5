"""Draws the panels that stand as JSON on its input, side by side on logarithmic axes: `program.py FILE`.

Readable on light and on dark paper: the background is see-through, and every colour stands out from both.
"""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter, NullFormatter

GREY = "#7d7d7d"
STYLES = (("#2f80ed", "o", 2.4), ("#e8710a", "s", 1.6), ("#2e9e5b", "^", 1.6), ("#b04fc8", "D", 1.6))


def main() -> None:
    asked = json.load(sys.stdin)
    mpl.rcParams.update({"svg.hashsalt": "seatkeeper", "font.size": 10, "axes.edgecolor": GREY, "text.color": GREY})
    mpl.rcParams.update({"axes.labelcolor": GREY, "xtick.color": GREY, "ytick.color": GREY})
    figure, axes = plt.subplots(1, len(asked["panels"]), figsize=(9.6, 4.0), squeeze=False)
    for panel, axis in zip(asked["panels"], axes[0], strict=True):
        draw(panel, axis)
    handles, names = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc="upper center", ncols=2, frameon=False)
    figure.tight_layout(rect=(0, 0, 1, 0.87))
    target = Path(sys.argv[1])
    svg = {"Date": None, "Creator": None, "Description": asked["description"]}
    figure.savefig(target, transparent=True, metadata=svg if target.suffix == ".svg" else None, dpi=120)


def draw(panel: dict[str, Any], axis: Any) -> None:  # noqa: ANN401 - Matplotlib's own, which is not installed here
    for (name, points), (color, marker, width) in zip(panel["lines"].items(), STYLES, strict=False):
        axis.plot(*zip(*points, strict=True), label=name, color=color, marker=marker, linewidth=width, markersize=5)
    people = sorted({at for points in panel["lines"].values() for at, _ in points})
    axis.set_title(panel["title"], fontsize=10.5)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("people")
    axis.set_xticks(people)
    axis.set_xticklabels([f"{number:,}" for number in people])
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axis.yaxis.set_minor_formatter(NullFormatter())
    axis.grid(visible=True, which="major", color=GREY, alpha=0.25, linewidth=0.8)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


if __name__ == "__main__":
    main()
