"""docs/operations.md and docs/alerts.yml against the code: every log event, metric, check, alert and exit code."""

import ast
import os
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from prometheus_client import Metric

from console import errors
from store.figures import Figures
from workers.alerts import as_metric
from workers.metrics import as_metrics
from workers.operations import process_registry

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
ALERTS = (ROOT / "docs" / "alerts.yml").read_text(encoding="utf-8")
LEVELS = {"exception": "error"} | {
    level: level for level in ("debug", "info", "warning", "error", "critical")
}  # structlog writes `exception` as an error
SOMETHING = Figures(
    runs={("cycle", "failed"): 1},
    outbox_waiting=0,
    outbox_age=0.0,
    budget={("acme", "oauth"): 1.0},
    removals={"parked": 1},
    credentials={("acme", "oauth", "connected"): 1},
    activity_age={"acme": 1.0},
    quarantined=0,
    dead_letters=0,
)


def section(title: str) -> str:
    """Give the text under a heading of the page, up to the next one."""
    return PAGE.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def cells(title: str) -> list[list[str]]:
    """Give the rows of the tables under a heading."""
    rows = [line.strip("|").split("|") for line in section(title).splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row] for row in rows]


def logged() -> Iterator[tuple[str, str]]:
    """Give every event that our processes log, with its level."""
    for package in ("workers", "connections", "store", "asana_api", "console"):
        for path in (ROOT / package).glob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                    continue
                if ast.unparse(node.func.value) == "log" and node.func.attr in LEVELS:
                    assert isinstance(node.args[0], ast.Constant), f"{path}: an event's name is written out"
                    yield str(node.args[0].value), LEVELS[node.func.attr]


def ours() -> list[Metric]:
    """Give every metric that is counted in Postgres."""
    return [*as_metrics(SOMETHING), as_metric({"waiting": 1})]


def exposed() -> list[Metric]:
    """Give every metric that a process can show, by the code that shows it."""
    return [*ours(), *process_registry().collect()]


def names(metrics: list[Metric]) -> set[str]:
    return {sample.name for metric in metrics for sample in metric.samples}


def test_every_log_event_is_on_the_page_at_its_level_and_no_other() -> None:
    assert {(row[0].strip("`"), row[1]) for row in cells("Log lines")} == set(logged())


def test_every_metric_is_on_the_page_and_no_other() -> None:
    told = set(chain.from_iterable(re.findall(r"seatkeeper_[a-z_]+", row[0]) for row in cells("Metrics")))
    assert told == names(exposed()) | {"seatkeeper_process_peak_memory_bytes"}


def test_every_metric_is_told_with_its_labels() -> None:
    told = {
        match[1]: match[2] for match in re.finditer(r"`(seatkeeper_[a-z_]+)(?:\{([a-z,]+)\})?`", section("Metrics"))
    }
    labels = {sample.name: ",".join(sample.labels) or None for metric in ours() for sample in metric.samples}
    assert {name: told[name] for name in labels} == labels


def test_every_alert_asks_for_metrics_that_there_are_and_says_what_to_do() -> None:
    asked = set(re.findall(r"\bseatkeeper_[a-z_]+", "\n".join(re.findall(r"expr: (.*)", ALERTS))))
    assert asked <= names(exposed()) | {"seatkeeper_process_peak_memory_bytes"}
    alerts = re.findall(r"- alert: (\w+)", ALERTS)
    assert [row[0].strip("`") for row in cells("Alerts")] == alerts
    assert f"{len(alerts)} rules found" in section("Alerts")


def test_every_health_check_is_on_the_page() -> None:
    shown = set(re.findall(r'"(\w+)": "ok"', section("Health")))
    assert {row[0].strip("`") for row in cells("Health")} == shown
    sources = "\n".join(
        (ROOT / "workers" / f"{name}.py").read_text(encoding="utf-8")
        for name in ("entry", "operations", "relay", "intake", "scheduler", "consume")
    )
    assert all(f'"{name}"' in sources for name in shown)


def exit_codes() -> Iterator[tuple[int, str, str]]:
    """Give each exit code of the page, with what it means of a process and of `./seats`."""
    for row in re.finditer(r"^\| (\d+) \|(.*)\|(.*)\|$", section("Exit codes"), re.MULTILINE):
        yield int(row[1]), row[2].strip(), row[3].strip()


def test_every_exit_code_of_a_process_is_on_the_page_and_no_other() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "workers").glob("*.py") if path.stem != "healthy"]
    returned = {getattr(os, name) for name in re.findall(r"\bos\.(EX_[A-Z]+)", "\n".join(sources))}
    wrong_arguments = 2  # argparse's own
    assert {code for code, meaning, _ in exit_codes() if meaning} == {0, wrong_arguments, *returned}


def test_every_exit_code_of_the_command_is_on_the_page_in_its_words() -> None:
    told = {code: meaning for code, _, meaning in exit_codes() if meaning}
    said = re.findall(r"^ +(\d+) +(.*)$", errors.EXIT_CODES.replace("...", "…"), re.MULTILINE)
    assert told == {int(code): meaning for code, meaning in said}
    used = {code for _, code in errors._CODES} | {one.exit_code for one in errors.CommandFailed.__subclasses__()}
    assert told.keys() == {0, errors.CommandFailed.exit_code, *used}


def test_every_command_of_the_page_is_one_that_there_is() -> None:
    """The words after `./seats` are a command, or a group and one of its commands."""
    import typer  # noqa: PLC0415 - the console is loaded for this test alone

    from console.app import app  # noqa: PLC0415 - as above

    root = typer.main.get_command(app)
    for words in set(re.findall(r"\./seats ([a-z]+(?: [a-z]+)?)", PAGE)):
        command = root
        for word in words.split():
            children = getattr(command, "commands", None)
            if children is None:
                break
            assert word in children, f"./seats {words}"
            command = children[word]
