"""Run a command with a RabbitMQ and a Postgres: `python -m sandbox.services run -- COMMAND [ARGUMENT ...]`.

The command finds their addresses in its environment, and so does every program that it starts. The exit code is the
command's; what was started for it is gone when this returns.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from types import FrameType

from sandbox.reaper import reaping
from sandbox.services import ServiceError, find_services
from sandbox.services.given import PLACE, environment_of


def main(arguments: Sequence[str]) -> int:
    """Run the command; 2 for a wrong call, 1 when there are no servers."""
    if len(arguments) < 3 or tuple(arguments[:2]) != ("run", "--"):
        print(__doc__, file=sys.stderr)  # noqa: T201 - a program that speaks to a person
        return 2
    signal.signal(signal.SIGTERM, _leave)
    try:
        with find_services(say=_say) as services:
            addresses = environment_of(services.postgres, services.rabbitmq)
            return _run(arguments[2:], {**addresses, PLACE: services.place})
    except ServiceError as error:
        _say(str(error))
        return 1


def _run(command: Sequence[str], addresses: dict[str, str]) -> int:
    child = subprocess.Popen(command, env=os.environ | addresses)
    with reaping() as reaper:
        reaper.watch(child)  # it, and what it started, shall not outlive us either when we are killed
        try:
            code = child.wait()
        except KeyboardInterrupt:  # the terminal told the command as well
            code = child.wait()
        reaper.forget(child)
        return code


def _leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _say(line: str) -> None:
    print(f"sandbox: {line}", file=sys.stderr, flush=True)  # noqa: T201 - a program that speaks to a person


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
