"""A size that a benchmark cannot measure is refused before anything starts, in one sentence."""

import argparse
from collections.abc import Iterator

import pytest

from benchmarks import __main__ as command
from benchmarks.sizes import between

NUMBERLESS = {"--adapter", "--help", "--json", "--no-keep", "--seed", "--unsafe", "--without-peers"}


def options(name: str) -> Iterator[str]:
    """Give the options of a benchmark that take a size, each by its name."""
    benchmark, parser = command.load(name), argparse.ArgumentParser()
    benchmark.add_options(parser)
    usage = parser.format_usage().replace("[", " ").split()
    yield from (word for word in usage if word.startswith("--") and word.rstrip("]") not in NUMBERLESS)


SIZES = [(name, option) for name in command.NAMES for option in options(name)]


def test_every_benchmark_has_a_size() -> None:
    assert {name for name, _ in SIZES} == set(command.NAMES)
    assert len(SIZES) > 15


@pytest.mark.parametrize("given", ["-5", "0.5e99", "many", "nan"])
@pytest.mark.parametrize(("name", "option"), SIZES)
def test_a_size_out_of_bounds_is_a_usage_error(
    name: str, option: str, given: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main([name, f"{option}={given}"])
    assert ended.value.code == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"scripts/bench {name}: error: argument {option}: from ")
    assert said.endswith(f", not {given}")


@pytest.mark.parametrize(("name", "option"), [pair for pair in SIZES if pair[1] != "--latency-ms"])
def test_nothing_is_measured_of_none(name: str, option: str) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main([name, f"{option}=0"])
    assert ended.value.code == 2


def test_both_bounds_are_inside() -> None:
    size = between(2, 5, "people")
    assert [size("2"), size("5")] == [2, 5]
    for given in ("1", "6", "2.5"):
        with pytest.raises(argparse.ArgumentTypeError, match=rf"^from 2 to 5 people, not {given}$"):
            size(given)
    assert between(0.5, 1.0, "ms")("0.75") == 0.75
