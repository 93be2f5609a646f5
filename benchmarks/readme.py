"""Puts the newest kept tables into README, between two marks, exactly as they were printed.

    python -m benchmarks.readme

A test holds README against the results, so that neither can be changed without the other.
"""

import re
import sys
from pathlib import Path

from benchmarks.__main__ import NAMES
from benchmarks.results import RESULTS, ROOT

README = ROOT / "README.md"
BEGIN, END = "<!-- tables: python -m benchmarks.readme -->", "<!-- /tables -->"


def tables(folder: Path = RESULTS) -> str:
    """Give the newest table of each benchmark as one block of Markdown."""
    newest = [sorted(folder.glob(f"????-??-??-{name}.txt"))[-1:] for name in NAMES]
    texts = [path.read_text(encoding="utf-8").strip() for found in newest for path in found]
    return "\n\n".join(f"```text\n{text}\n```" for text in texts)


def written_into(page: str, block: str) -> str:
    """Give the page with `block` between its two marks; ValueError for a page without them."""
    if BEGIN not in page or END not in page:
        raise ValueError(f"there are no marks {BEGIN} and {END}")
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    return pattern.sub(lambda _: f"{BEGIN}\n\n{block}\n\n{END}", page)


def main() -> int:
    """Rewrite README's part between the marks."""
    README.write_text(written_into(README.read_text(encoding="utf-8"), tables()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
