"""`scripts/bench NAME`: measure one thing beside what others know, print the table, keep it.

Each benchmark is a module with `HELP`, `add_options` and `run`. Only the one that is named is loaded, and all of them
for `--help`: one that cannot be loaded stops no other.
"""

import argparse
import importlib
import json
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from typing import Protocol, cast, runtime_checkable

from rich.console import Console

from benchmarks.peers import PeerError
from benchmarks.results import WIDTH, Result, draw, keep
from sandbox.services import ServiceError

NAMES = ("download", "latency", "again", "observations", "relay", "worker", "request", "sweep")
EXAMPLES = """examples:
  scripts/bench relay                         at release size, beside its peer
  scripts/bench download --people 1000        small, for a first look
  scripts/bench all                           all eight, 20 to 30 minutes
  scripts/bench download --without-peers      ours alone, while working on it

exit code: 0 when every goal holds, 1 when one is missed, 2 when the command line is wrong, 69 when there are no servers
or a peer cannot be installed, 70 when a benchmark crashed"""
EXAMPLE = {
    "download": "scripts/bench download --people 1000 --rounds 1",
    "latency": "scripts/bench latency --people 1000 --latency-ms 50",
    "again": "scripts/bench again --people 1000",
    "observations": "scripts/bench observations --observations 100000 --no-keep",
    "relay": "scripts/bench relay --messages 5000 --rounds 1",
    "worker": "scripts/bench worker --messages 1000 --rounds 1",
    "request": "scripts/bench request --requests 20",
    "sweep": "scripts/bench sweep --people 100 --processes 1",
    "all": "scripts/bench all --without-peers",
}
DESCRIPTION = "Measure one thing beside what others know, print the table, and keep it in benchmarks/results."
OK, MISSED, UNAVAILABLE, CRASHED = 0, 1, 69, 70


class Benchmark(Protocol):
    """What a module of a benchmark offers."""

    HELP: str

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add the options of this benchmark alone."""

    def run(self, chosen: argparse.Namespace, console: Console) -> Result:
        """Measure; tell on `console` what is going on."""


@runtime_checkable
class Pictured(Protocol):
    """What a module offers whose result is drawn as well."""

    def draw_kept(self, result: Result, console: Console) -> None:
        """Draw the result that was just kept."""


def load(name: str) -> Benchmark:
    """Import a benchmark by its name."""
    return cast("Benchmark", importlib.import_module(f"benchmarks.{name}"))


def parser_for(names: Sequence[str] = NAMES) -> argparse.ArgumentParser:
    """Make the parser: one command for each benchmark, and `all`."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="name", metavar="NAME", required=True)
    for name in names:
        benchmark = load(name)
        command = commands.add_parser(name, help=benchmark.HELP, description=benchmark.HELP, epilog=_example(name))
        _add_common(command)
        benchmark.add_options(command)
    said = "all of them at release size, one after another"
    _add_common(commands.add_parser("all", help=said, description=said, epilog=_example("all")))
    return parser


def _example(name: str) -> str:
    return f"example: {EXAMPLE[name]}"


def _read(given: Sequence[str]) -> argparse.Namespace:
    """Read the command line; what is not known is told under the usage of the command that was given it."""
    chosen, unknown = parser_for(_named(given)).parse_known_args(given)
    if unknown:
        chosen.refuse(f"unrecognized arguments: {' '.join(unknown)}")
    return chosen


def _add_common(command: argparse.ArgumentParser) -> None:
    command.set_defaults(refuse=command.error)
    command.add_argument("--without-peers", action="store_true", help="measure ours alone, install no peers")
    command.add_argument("--no-keep", action="store_true", help="print only: write nothing to benchmarks/results")
    command.add_argument("--json", action="store_true", help="print the result as JSON")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, keep; give the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["all"]:
        return _all(_read(given))
    became = _outcome(given)
    if isinstance(became, ServiceError | PeerError):
        sys.stderr.write(f"bench: {became}\n")
        return UNAVAILABLE
    return _exit_code([became])


def _all(chosen: argparse.Namespace) -> int:
    """Run each at release size; whatever becomes of one, the others go on."""
    lines, outcomes = [], []
    for name in NAMES:
        began = time.monotonic()
        outcomes.append(_outcome([name, *_common(chosen)]))
        lines.append(f"{name:<13} {time.monotonic() - began:5.0f} s  {said_of(outcomes[-1])}")
    (sys.stderr if chosen.json else sys.stdout).write("\n".join(["", *lines, ""]))
    return _exit_code(outcomes)


def _outcome(given: Sequence[str]) -> Result | Exception:
    try:
        chosen = _read(given)
        return measure(chosen.name, chosen)
    except (ServiceError, PeerError) as error:
        return error  # its sentence says what to do
    except Exception as error:  # noqa: BLE001 - it is told, and in `all` the others go on
        traceback.print_exc()
        return error


def _named(given: Sequence[str]) -> Sequence[str]:
    """Return the benchmarks that a command line needs for being read: the one that it begins with, or every one."""
    if given[:1] == ["all"]:
        return ()
    return given[:1] if given and given[0] in NAMES else NAMES


def _exit_code(outcomes: Sequence[Result | Exception]) -> int:
    if any(isinstance(outcome, Exception) for outcome in outcomes):
        return CRASHED
    return MISSED if any(isinstance(outcome, Result) and outcome.misses() for outcome in outcomes) else OK


def said_of(outcome: Result | Exception) -> str:
    """Say in one line what became of a benchmark: its misses, or why it did not come to its end."""
    if isinstance(outcome, Exception):
        return f"crashed: {type(outcome).__name__}: {outcome}".partition("\n")[0]
    if not outcome.misses():
        return "every goal holds" if any(figure.holds for figure in outcome.figures) else "no line has a goal"
    missed = ((figure.what, f"{figure.ratio or 0:.3g}", figure.goal) for figure in outcome.misses())
    return "missed: " + "; ".join(f"{what} ({ratio}, {goal})" for what, ratio, goal in missed)


def _common(chosen: argparse.Namespace) -> list[str]:
    switches = {"--without-peers": chosen.without_peers, "--no-keep": chosen.no_keep, "--json": chosen.json}
    return [switch for switch, is_on in switches.items() if is_on]


def measure(name: str, chosen: argparse.Namespace) -> Result:
    """Run one benchmark, print its result and keep it unless told not to."""
    console = Console(stderr=True, width=None if sys.stderr.isatty() else WIDTH)
    benchmark = load(name)
    result = benchmark.run(chosen, console)
    show(result, chosen, console)
    if not chosen.no_keep and isinstance(benchmark, Pictured):
        benchmark.draw_kept(result, console)
    return result


def show(result: Result, chosen: argparse.Namespace, console: Console) -> None:
    """Print a result as a table, or as JSON where that was chosen, and keep it unless told not to."""
    if chosen.json:
        sys.stdout.write(json.dumps(asdict(result), indent=1, default=str) + "\n")
    else:
        draw(result, Console(width=None if sys.stdout.isatty() else WIDTH))
    if not chosen.no_keep:
        console.print(f"kept in {keep(result)}", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
