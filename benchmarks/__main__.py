"""`scripts/bench NAME`: measure one thing beside what others know, print the table, keep it.

Each benchmark is a module with `HELP`, `add_options` and `run`; they are loaded when they are asked for.
"""

import argparse
import importlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Protocol, cast

from rich.console import Console

from benchmarks.results import WIDTH, Result, draw, keep
from sandbox.services import ServiceError

NAMES = ("download", "latency", "again", "observations", "relay", "worker", "request", "sweep")
EXAMPLES = """examples:
  scripts/bench relay                         at release size, beside its peer
  scripts/bench download --people 1000        small, for a first look
  scripts/bench all                           all eight, about half an hour
  scripts/bench download --without-peers      ours alone, while working on it

exit code: 0 when every goal holds, 1 when one is missed, 69 when there are no servers"""


class Benchmark(Protocol):
    """What a module of a benchmark offers."""

    HELP: str

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add the options of this benchmark alone."""

    def run(self, chosen: argparse.Namespace, console: Console) -> Result:
        """Measure; tell on `console` what is going on."""


def load(name: str) -> Benchmark:
    """Import a benchmark by its name."""
    return cast("Benchmark", importlib.import_module(f"benchmarks.{name}"))


def parser_for(names: Sequence[str] = NAMES) -> argparse.ArgumentParser:
    """Make the parser: one command for each benchmark, and `all`."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="name", metavar="NAME", required=True)
    for name in names:
        benchmark = load(name)
        command = commands.add_parser(name, help=benchmark.HELP, description=benchmark.HELP)
        _add_common(command)
        benchmark.add_options(command)
    _add_common(commands.add_parser("all", help="all of them at release size, one after another"))
    return parser


def _add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument("--without-peers", action="store_true", help="measure ours alone, install no peers")
    command.add_argument("--no-keep", action="store_true", help="print only: write nothing to benchmarks/results")
    command.add_argument("--json", action="store_true", help="print the result as JSON")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, keep; give the exit code."""
    chosen = parser_for().parse_args(arguments)
    names = NAMES if chosen.name == "all" else (chosen.name,)
    missed = False
    for name in names:
        given = parser_for().parse_args([name, *_common(chosen)]) if chosen.name == "all" else chosen
        try:
            result = measure(name, given)
        except ServiceError as error:
            sys.stderr.write(f"bench: {error}\n")
            return 69
        missed = missed or bool(result.misses())
    return 1 if missed else 0


def _common(chosen: argparse.Namespace) -> list[str]:
    switches = {"--without-peers": chosen.without_peers, "--no-keep": chosen.no_keep, "--json": chosen.json}
    return [switch for switch, is_on in switches.items() if is_on]


def measure(name: str, chosen: argparse.Namespace) -> Result:
    """Run one benchmark, print its result and keep it unless told not to."""
    console = Console(stderr=True, width=None if sys.stderr.isatty() else WIDTH)
    result = load(name).run(chosen, console)
    if chosen.json:
        sys.stdout.write(json.dumps(asdict(result), indent=1, default=str) + "\n")
    else:
        draw(result, Console(width=None if sys.stdout.isatty() else WIDTH))
    if not chosen.no_keep:
        console.print(f"kept in {keep(result)}", highlight=False)
    return result


if __name__ == "__main__":
    sys.exit(main())
