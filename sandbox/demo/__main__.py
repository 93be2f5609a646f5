"""Runs the demo: `scripts/demo --help`."""

import argparse
import contextlib
import json
import signal
import sys
import time
from types import FrameType

from rich.console import Console

from sandbox.demo.checks import checks_of
from sandbox.demo.edge import EventReader
from sandbox.demo.memory import check_of, measure
from sandbox.demo.report import document, tell
from sandbox.demo.story import Story
from sandbox.services import ServiceError
from sandbox.stack import Stack, StackError, running_stack
from sandbox.supervisor import NotReadyError

WIDTH = 110
"""Columns where the output is no terminal."""

EXAMPLES = """
examples:
  scripts/demo
  scripts/demo --people 300 --seed 7
  scripts/demo --json | jq .seconds
  scripts/demo --keep                     then: ./seats with the settings that it prints

exit codes: 0 every figure is right, 1 one is wrong or something did not come to its end, 2 wrong arguments,
69 no RabbitMQ or Postgres, 130 stopped with Ctrl-C. Nothing is left running or behind.
"""


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/demo",
        description="One whole day of Seatkeeper, on real parts, against an Asana look-alike whose truth is known.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--people", type=people, default=5000, help="how many the organization has (default: 5000)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same people (default: 1)")
    parser.add_argument("--json", action="store_true", help="print one JSON document, and nothing while it works")
    parser.add_argument(
        "--keep", action="store_true", help="leave everything running until Ctrl-C, and print the addresses"
    )
    return parser.parse_args(given)


def people(text: str) -> int:
    number = int(text)
    if not 50 <= number <= 100_000:
        raise argparse.ArgumentTypeError("from 50 to 100000 people")
    return number


def main() -> int:
    """Run it and return the exit code."""
    chosen = arguments()
    for number in (signal.SIGTERM, signal.SIGINT):  # also where a shell started us with SIGINT ignored
        signal.signal(number, end)
    width = None if sys.stdout.isatty() else WIDTH
    console = Console(stderr=chosen.json, quiet=chosen.json, width=width)
    try:
        return _live(chosen, console)
    except KeyboardInterrupt:
        console.print("stopped; everything that was started has ended")
        return 130
    except ServiceError as error:
        sys.stderr.write(f"demo: {error}\n")
        return 69
    except (StackError, NotReadyError, TimeoutError) as error:
        sys.stderr.write(f"demo: {error}\n")
        return 1


def _live(chosen: argparse.Namespace, console: Console) -> int:
    began = time.monotonic()
    with running_stack(
        people=chosen.people, seed=chosen.seed, say=lambda line: console.print(f"[dim]·[/dim] {line}")
    ) as stack:
        with EventReader(stack.edge_url("consumer")) as reader:
            story = Story(stack, chosen.people, console, reader)
            story.day.took["start everything"] = time.monotonic() - began
            day = story.tell()
            peaks = measure(stack)
            checks = [*checks_of(day, reader, story.said()), check_of(peaks)]
            total = time.monotonic() - began
            if chosen.json:
                sys.stdout.write(json.dumps(document(day, reader, checks, total, peaks), indent=2, default=str) + "\n")
            else:
                tell(console, day, reader, checks, total, peaks)
        if chosen.keep:
            _keep(stack)
        elif not chosen.json:
            console.print("What to try next: scripts/demo --keep, and then ./seats --help", highlight=False)
    return 0 if all(check.holds for check in checks) else 1


def _keep(stack: Stack) -> None:
    """Print how to reach everything, and wait for Ctrl-C."""
    settings = stack.environment("console")
    lines = [
        "",
        "Everything keeps running until Ctrl-C here. In another terminal:",
        *(f"  export {name}='{settings[name]}'" for name in ("SEATKEEPER_DATABASE_URL", "SEATKEEPER_KEYS")),
        "  ./seats candidates acme",
        "  ./seats coverage acme",
        "  ./seats events tail --follow",
        f"Asana look-alike:  {stack.asana.url} (token {stack.asana.admin_token})",
        f"requests:          {stack.edge_url('requester')} (queue seatkeeper.requests)",
        f"events:            {stack.edge_url('consumer')} (exchange seatkeeper.events, queues named consumer.*)",
        *(f"health of {process:<9} {stack.health(process)}" for process in stack.ports),
        f"logs:              {stack.folder}",
    ]
    sys.stderr.write("\n".join(lines) + "\n")
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()


def end(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
