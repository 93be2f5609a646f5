"""Puts the newest kept tables into README, each kind between two marks, exactly as they were printed.

    python -m benchmarks.readme

A test holds README against the results, so that neither can be changed without the other.
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import proofs
from benchmarks.__main__ import NAMES
from benchmarks.results import RESULTS, ROOT

README = ROOT / "README.md"
SPEED = "tables"
SAFETY = "proofs"


def begin_of(kind: str) -> str:
    """Give the mark before a kind of tables."""
    return f"<!-- {kind}: python -m benchmarks.readme -->"


def end_of(kind: str) -> str:
    """Give the mark after a kind of tables."""
    return f"<!-- /{kind} -->"


def tables(folder: Path = RESULTS, names: Sequence[str] = NAMES) -> str:
    """Give the newest table of each of these results as one block of Markdown."""
    newest = [sorted(folder.glob(f"????-??-??-{name}.txt"))[-1:] for name in names]
    texts = [path.read_text(encoding="utf-8").strip() for found in newest for path in found]
    return "\n\n".join(f"```text\n{text}\n```" for text in texts)


def written_into(page: str, block: str, kind: str = SPEED) -> str:
    """Give the page with `block` between its two marks; ValueError for a page without them."""
    begin, end = begin_of(kind), end_of(kind)
    if begin not in page or end not in page:
        raise ValueError(f"there are no marks {begin} and {end}")
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    return pattern.sub(lambda _: f"{begin}\n\n{block}\n\n{end}", page)


def with_the_newest(page: str) -> str:
    """Give the page with the newest tables of speed and of safety."""
    page = written_into(page, tables(), SPEED)
    return written_into(page, tables(names=[f"prove-{name}" for name in proofs.NAMES]), SAFETY)


def main() -> int:
    """Rewrite README's parts between the marks."""
    README.write_text(with_the_newest(README.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
