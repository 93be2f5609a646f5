"""Runs the demo's day under Docker Compose, and kills a worker in it: `scripts/compose-demo --help`."""

import argparse
import contextlib
import signal
import sys
import time

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from sandbox.composed import OURS, SERVERS, ComposedStack, composed_stack
from sandbox.demo.__main__ import WIDTH, end, people
from sandbox.demo.breaking import Breaker, Memory
from sandbox.demo.checks import Check, checks_of
from sandbox.demo.edge import EventReader
from sandbox.demo.memory import NOT_KNOWN, Peak, check_of, megabytes
from sandbox.demo.report import tell
from sandbox.demo.story import Story
from sandbox.stack import StackError

EXAMPLES = """
examples:
  scripts/compose-demo
  scripts/compose-demo --people 5000 --seed 7
  scripts/compose-demo --keep                 then: docker compose with the words that it prints

SEATKEEPER_COMPOSE_OVERRIDE names one more file for Compose, for a machine whose builds need something special.

exit codes: 0 every figure is right, 1 one is wrong or something did not come to its end, 2 wrong arguments,
69 no Docker or Compose, 130 stopped with Ctrl-C. Nothing is left running or behind but the build cache and base images.
"""


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/compose-demo",
        description="The demo's day under Docker Compose, as on a server, with a worker that is killed in the middle.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--people", type=people, default=2000, help="how many the organization has (default: 2000)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same people (default: 1)")
    parser.add_argument("--keep", action="store_true", help="leave everything running until Ctrl-C")
    return parser.parse_args(given)


def main() -> int:
    """Run it and return the exit code."""
    chosen = arguments()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    try:
        return _live(chosen, console)
    except KeyboardInterrupt:
        console.print("stopped; everything that was started has ended")
        return 130
    except (StackError, TimeoutError) as error:
        sys.stderr.write(f"compose-demo: {error}\n")
        return 1


def _live(chosen: argparse.Namespace, console: Console) -> int:
    began = time.monotonic()

    def say(line: str) -> None:
        console.print(f"[dim]·[/dim] {line}", highlight=False)

    with composed_stack(people=chosen.people, seed=chosen.seed, say=say) as stack:
        breaker = Breaker(stack, console)
        with EventReader(stack.edge_url("consumer")) as reader:
            story = Story(stack, chosen.people, console, reader, breaker)
            story.day.took["build and start everything"] = time.monotonic() - began
            day = story.tell()
            breaker.note(*OURS, *SERVERS)
            peaks = [Peak(name, breaker.peaks[name].process) for name in (*OURS, "asana")]
            checks = [*checks_of(day, reader, story.said()), *_checks_of_engine(breaker), check_of(peaks)]
        if not chosen.keep:
            say("stopping our processes in order")
            checks.append(_check_of_ending(breaker))
        _tell_containers(console, breaker.peaks)
        tell(console, day, reader, checks, time.monotonic() - began, peaks)
        if chosen.keep:
            _keep(stack)
    return 0 if all(check.holds for check in checks) else 1


def _checks_of_engine(breaker: Breaker) -> list[Check]:
    before, after = breaker.fences
    return [
        Check("worker containers that the engine started again", breaker.restarts(), 1),
        Check("the killed slice was taken up again", after > before > 0, expected=True),
    ]


def _check_of_ending(breaker: Breaker) -> Check:
    codes = breaker.stop_all()
    return Check("processes that did not end well when asked to", [one for one, code in codes.items() if code], [])


def _tell_containers(console: Console, peaks: dict[str, Memory]) -> None:
    """Print what the engine counted for each container, files in memory included."""
    console.rule("containers")
    table = Table("container", "peak MB", box=SIMPLE_HEAD, pad_edge=False)
    for service, peak in peaks.items():
        table.add_row(service, megabytes(peak.container) if peak.container else NOT_KNOWN)
    console.print(table)


def _keep(stack: ComposedStack) -> None:
    """Print how to reach everything, and wait for Ctrl-C."""
    environment = stack.compose.environment
    lines = [
        "",
        "Everything keeps running until Ctrl-C here. In another terminal, in this folder:",
        *(f"  export {name}='{value}'" for name, value in environment.items() if name.startswith("SEATKEEPER_")),
        f"  {' '.join(stack.compose.command('run', '--rm', 'console', 'candidates', 'acme'))}",
        f"Asana look-alike:  {stack.asana.url} (token {stack.asana.admin_token})",
        f"requests:          {stack.edge_url('requester')} (queue seatkeeper.requests)",
        f"events:            {stack.edge_url('consumer')} (exchange seatkeeper.events, queues named consumer.*)",
        f"management page:   http://127.0.0.1:{stack.ports['management']} (operator, password in {stack.folder})",
    ]
    sys.stderr.write("\n".join(lines) + "\n")
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()


if __name__ == "__main__":
    sys.exit(main())
