"""A result is printed, kept as text and as JSON under today's date, and knows what it missed."""

import io
import json
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import results
from benchmarks.results import WIDTH, Figure, Result, at_least, at_most, draw, keep, latest


def a_result(*, title: str = "Relay", ratio: float = 0.9) -> Result:
    figures = [
        Figure("everything sent", "6,200/s", "5,900/s", *at_most(ratio, 1)),
        Figure("batches", "12", "", 1.2345),
        Figure("alone", "3 ms", "4 ms", *at_least(1.5, 1.4)),
    ]
    return Result("relay", title, figures, ["a note"], {"wall_s": [1.5, 2.5]})


def printed(result: Result) -> str:
    console = Console(file=io.StringIO(), width=WIDTH)
    draw(result, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(("ratio", "holds"), [(0.9, True), (1.0, True), (1.001, False)])
def test_small_is_good(ratio: float, holds: bool) -> None:
    assert at_most(ratio, 1) == (ratio, "at most 1", holds)


@pytest.mark.parametrize(("ratio", "holds"), [(0.69, False), (0.7, True), (2, True)])
def test_large_is_good(ratio: float, holds: bool) -> None:
    assert at_least(ratio, 0.7) == (ratio, "at least 0.7", holds)


def test_a_miss_is_a_line_whose_goal_does_not_hold() -> None:
    assert a_result().misses() == []
    assert [figure.what for figure in a_result(ratio=1.1).misses()] == ["everything sent"]


def test_the_table_shows_each_line_and_note() -> None:
    text = printed(a_result(ratio=1.1))
    lines = {line.split("  ")[1].strip(): line for line in text.splitlines() if line.startswith("  ")}
    assert lines["everything sent"].split() == [
        "everything",
        "sent",
        "6,200/s",
        "5,900/s",
        "1.1",
        "at",
        "most",
        "1",
        "missed",
    ]
    assert lines["batches"].split() == ["batches", "12", "1.23"]
    assert lines["alone"].split()[-1] == "ok"
    assert text.startswith("Relay")
    assert "· a note" in text


def test_it_is_kept_as_printed_and_as_json(tmp_path: Path) -> None:
    result = a_result()
    path = keep(result, folder=tmp_path)
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    text = path.read_text(encoding="utf-8")
    assert path.name in {f"{day}-relay.txt", f"{datetime.now(UTC):%Y-%m-%d}-relay.txt"}
    assert text.splitlines()[:-3] == [line.rstrip() for line in printed(result).splitlines()]
    assert [line.partition(":")[0] for line in text.splitlines()[-3:]] == ["date", "commit", "machine"]
    document = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert document["measured"] == {"wall_s": [1.5, 2.5]}
    assert document["figures"][0] == {
        "what": "everything sent",
        "ours": "6,200/s",
        "beside": "5,900/s",
        "ratio": 0.9,
        "goal": "at most 1",
        "holds": True,
    }
    assert {"name", "title", "date", "commit", "machine", "notes"} < document.keys()


def test_what_is_measured_is_named_by_its_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "ROOT", tmp_path)
    assert results.commit() == "unknown"
    for path in ("code.py", "README.md", "benchmarks/results/old.txt"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("one\n", encoding="utf-8")
    for arguments in ("init", "add .", "-c user.name=a -c user.email=a@example.com commit -m first"):
        subprocess.run(["git", *arguments.split()], cwd=tmp_path, check=True, capture_output=True)
    clean = results.commit()
    assert re.fullmatch("[0-9a-f]{7,}", clean)
    for path in ("README.md", "benchmarks/results/old.txt", "new.txt"):
        (tmp_path / path).write_text("two\n", encoding="utf-8")
    assert results.commit() == clean
    (tmp_path / "code.py").write_text("two\n", encoding="utf-8")
    assert results.commit() == f"{clean}-dirty"


def test_a_second_one_replaces_that_of_the_same_day(tmp_path: Path) -> None:
    keep(a_result(title="first"), folder=tmp_path)
    path = keep(a_result(title="second"), folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    assert path.read_text(encoding="utf-8").startswith("second")


def test_the_newest_day_is_the_latest(tmp_path: Path) -> None:
    assert latest("relay", folder=tmp_path) is None
    for day in ("2026-01-02", "2025-12-31"):
        (tmp_path / f"{day}-relay.json").write_text(json.dumps({"date": day}), encoding="utf-8")
    (tmp_path / "2026-03-01-relay-more.json").write_text("{}", encoding="utf-8")
    assert latest("relay", folder=tmp_path) == {"date": "2026-01-02"}
