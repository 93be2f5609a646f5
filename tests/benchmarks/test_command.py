"""`scripts/bench`: what it says of itself, and what its exit code means. The benchmarks are stand-ins."""

import argparse
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from benchmarks import __main__ as command
from benchmarks.peers import PeerError
from benchmarks.results import Figure, Result, at_most
from sandbox.services import ServiceError


def no_options(_: argparse.ArgumentParser) -> None:
    pass


def a_result(name: str, ratio: float) -> Result:
    return Result(name, f"About {name}", [Figure("wall", "1 s", "1 s", *at_most(ratio, 1))])


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give the names of the results that were kept; nothing is written."""
    names: list[str] = []

    def keep(result: Result) -> Path:
        names.append(result.name)
        return Path("kept")

    monkeypatch.setattr(command, "keep", keep)
    return names


@pytest.fixture
def becomes(monkeypatch: pytest.MonkeyPatch, kept: list[str]) -> Callable[..., None]:
    """Have each benchmark give a ratio, or raise what is given for it; the others give 0.5."""

    def decide(**outcomes: float | Exception) -> None:
        def load(name: str) -> SimpleNamespace:
            def run(chosen: argparse.Namespace, console: Console) -> Result:
                outcome = outcomes.get(name, 0.5)
                if isinstance(outcome, Exception):
                    raise outcome
                return a_result(name, outcome)

            return SimpleNamespace(HELP=f"measures {name}", add_options=no_options, run=run)

        monkeypatch.setattr(command, "load", load)

    return decide


def test_help_names_every_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert [name for name in (*command.NAMES, "all", "exit code", ", 2 when", "70 when") if name not in said] == []
    assert "HELP" not in said


@pytest.mark.parametrize("name", command.NAMES)
def test_each_benchmark_has_a_help_of_its_own(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main([name, "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "--without-peers" in said
    [example] = re.findall(rf"example:\s+scripts/bench\s+({name} .*)", " ".join(said.split()))
    assert command.parser_for([name]).parse_args(example.split()).name == name


@pytest.mark.parametrize("given", [["nonsense"], [], ["relay", "--nonsense"]])
def test_what_is_not_known_is_a_usage_error(given: list[str], becomes: Callable[..., None]) -> None:
    becomes()
    with pytest.raises(SystemExit) as ended:
        command.main(given)
    assert ended.value.code == 2


def test_an_option_that_is_not_known_is_told_under_its_command(
    becomes: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    becomes()
    for name in ("relay", "all"):
        with pytest.raises(SystemExit):
            command.main([name, "--nonsense", "0"])
        said = capsys.readouterr().err
        assert said.startswith(f"usage: scripts/bench {name} ")
        assert said.endswith(f"scripts/bench {name}: error: unrecognized arguments: --nonsense 0\n")


@pytest.mark.parametrize(
    ("outcome", "code"),
    [(0.9, 0), (1.1, 1), (ServiceError("no servers"), 69), (PeerError("no uv"), 69), (ValueError("broken"), 70)],
)
def test_the_exit_code_says_what_became_of_it(outcome: object, code: int, becomes: Callable[..., None]) -> None:
    becomes(relay=outcome)
    assert command.main(["relay"]) == code


def test_a_reason_is_one_line(becomes: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    becomes(relay=ServiceError("no servers"))
    command.main(["relay"])
    assert capsys.readouterr().err == "bench: no servers\n"


def test_a_result_is_kept_unless_told_not_to(becomes: Callable[..., None], kept: list[str]) -> None:
    becomes()
    command.main(["relay"])
    command.main(["worker", "--no-keep"])
    assert kept == ["relay"]


def test_json_is_all_that_is_printed(becomes: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    becomes()
    command.main(["relay", "--json", "--no-keep"])
    assert json.loads(capsys.readouterr().out)["figures"][0]["goal"] == "at most 1"


def test_all_go_on_after_a_crash_and_are_summed_up(
    becomes: Callable[..., None], kept: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    becomes(latency=ValueError("broken\nin two"), relay=1.25, sweep=ServiceError("no servers"))
    assert command.main(["all"]) == 70
    assert kept == [name for name in command.NAMES if name not in {"latency", "sweep"}]
    summary = capsys.readouterr().out.splitlines()[-len(command.NAMES) :]
    said = {line.split()[0]: line.partition(" s  ")[2] for line in summary}
    assert list(said) == list(command.NAMES)
    assert said["download"] == "every goal holds"
    assert said["latency"] == "crashed: ValueError: broken"
    assert said["relay"] == "missed: wall (1.25, at most 1)"
    assert said["sweep"] == "crashed: ServiceError: no servers"


def test_all_say_a_miss_by_their_exit_code(becomes: Callable[..., None]) -> None:
    becomes(sweep=1.1)
    assert command.main(["all", "--no-keep"]) == 1
    becomes()
    assert command.main(["all", "--no-keep"]) == 0


def test_a_benchmark_that_cannot_be_loaded_stops_no_other(
    monkeypatch: pytest.MonkeyPatch, becomes: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    becomes()
    others = command.load

    def load(name: str) -> command.Benchmark:
        if name == "download":
            raise ImportError("no such name")
        return others(name)

    monkeypatch.setattr(command, "load", load)
    assert command.main(["relay", "--no-keep"]) == 0
    assert command.main(["download", "--no-keep"]) == 70
    capsys.readouterr()
    assert command.main(["all", "--no-keep"]) == 70
    summary = capsys.readouterr().out.splitlines()[-len(command.NAMES) :]
    assert [line.partition(" s  ")[2] for line in summary] == [
        "crashed: ImportError: no such name",
        *["every goal holds"] * (len(command.NAMES) - 1),
    ]


def test_what_was_kept_is_drawn_where_a_benchmark_can(monkeypatch: pytest.MonkeyPatch, kept: list[str]) -> None:
    drawn: list[Result] = []

    def load(name: str) -> SimpleNamespace:
        return SimpleNamespace(
            HELP=name,
            add_options=no_options,
            run=lambda *_: a_result(name, 0.5),
            draw_kept=lambda result, _: drawn.append(result),
        )

    monkeypatch.setattr(command, "load", load)
    command.main(["download", "--no-keep"])
    assert drawn == []
    command.main(["download"])
    assert [result.name for result in drawn] == kept == ["download"]
