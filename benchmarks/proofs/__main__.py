"""`scripts/prove NAME`: show one claim at release size, print the account, keep it.

Each proof is a module with `HELP`, `add_options` and `run`, like a benchmark; the tests run the same at a small size.
"""

import argparse
import importlib
import logging
import sys
from collections.abc import Sequence
from typing import cast

import structlog
from rich.console import Console

from benchmarks.__main__ import CRASHED, MISSED, OK, UNAVAILABLE, Benchmark, show
from benchmarks.proofs import NAMES
from benchmarks.results import WIDTH, Result
from sandbox.services import ServiceError

EXAMPLES = """examples:
  scripts/prove truth                    every source against the all-knowing truth, at release size
  scripts/prove economy --people 1000    the economical pull beside the full sweep, small
  scripts/prove refresh --rounds 20      fifty processes meet an expired token

exit code: 0 when every claim holds, 1 when one does not, 2 when the command line is wrong, 69 when there are no
servers, 70 when a proof crashed"""
DESCRIPTION = "Show one claim about safety, print the account, and keep it in benchmarks/results."


def load(name: str) -> Benchmark:
    """Import a proof by its name."""
    return cast("Benchmark", importlib.import_module(f"benchmarks.proofs.{name}"))


def parser_for(names: Sequence[str] = NAMES) -> argparse.ArgumentParser:
    """Make the parser: one command for each proof."""
    parser = argparse.ArgumentParser(
        prog="scripts/prove",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="name", metavar="NAME", required=True)
    for name in names:
        proof = load(name)
        command = commands.add_parser(name, help=proof.HELP, description=proof.HELP)
        command.add_argument("--no-keep", action="store_true", help="print only: write nothing to benchmarks/results")
        command.add_argument("--json", action="store_true", help="print the result as JSON")
        proof.add_options(command)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Prove, print, keep; give the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    chosen = parser_for(given[:1] if given and given[0] in NAMES else NAMES).parse_args(given)
    try:
        result = prove(chosen.name, chosen)
    except ServiceError as error:
        sys.stderr.write(f"prove: {error}\n")
        return UNAVAILABLE
    return MISSED if result.misses() else OK


def prove(name: str, chosen: argparse.Namespace) -> Result:
    """Run one proof, print its account and keep it unless told not to."""
    console = Console(stderr=True, width=None if sys.stderr.isatty() else WIDTH)
    result = load(name).run(chosen, console)
    result.name = f"prove-{name}"
    show(result, chosen, console)
    return result


if __name__ == "__main__":
    try:
        code = main()
    except Exception:  # noqa: BLE001 - it is told, and has an exit code of its own
        sys.excepthook(*sys.exc_info())
        code = CRASHED
    sys.exit(code)
