"""README shows the tables that were kept, as they were printed."""

from pathlib import Path

import pytest

from benchmarks.readme import README, SPEED, begin_of, end_of, tables, with_the_newest, written_into

BEGIN, END = begin_of(SPEED), end_of(SPEED)


def test_readme_shows_the_newest_tables() -> None:
    page = README.read_text(encoding="utf-8")
    assert with_the_newest(page) == page, "run python -m benchmarks.readme"


def test_the_newest_of_each_is_taken(tmp_path: Path) -> None:
    for day, text in (("2026-01-02", "new"), ("2026-01-01", "old")):
        (tmp_path / f"{day}-relay.txt").write_text(f" {text} table\n\n", encoding="utf-8")
    assert tables(tmp_path) == "```text\nnew table\n```"


def test_only_what_stands_between_the_marks_is_written() -> None:
    page = f"before\n{BEGIN}\nold \\1\n{END}\nafter\n"
    assert written_into(page, "new \\1") == f"before\n{BEGIN}\n\nnew \\1\n\n{END}\nafter\n"


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="no marks"):
        written_into("no marks here", "table")
