"""What `python -m workers.relay --help` and the like print: these processes take settings, not arguments.

An argument that is not understood ends the process with 2, instead of being passed over by something that then sends
or deletes.
"""

import argparse
from collections.abc import Sequence

from settings import PREFIX, Needed

_DOES = {
    "relay": "Send what waits in the outbox to RabbitMQ, until SIGTERM. Several may run: one sends.",
    "intake": "Read requests and dead letters into Postgres, until SIGTERM.",
    "scheduler": "Start what is due and find what was abandoned, until SIGTERM. Several may run.",
}
_EXAMPLES: dict[Needed, str] = {
    "database_url": "postgresql://seatkeeper_{process}:…@127.0.0.1:5432/seatkeeper",
    "internal_url": "amqp://{process}:…@127.0.0.1:5672/internal",
    "edge_url": "amqp://{process}:…@127.0.0.1:5672/edge",
    "keys": "…",
}


def read_no_arguments(process: str, needed: Sequence[Needed], arguments: Sequence[str] | None = None) -> None:
    """Return if there are no arguments (`sys.argv` by default); else print the usage and exit with 0 (help) or 2."""
    lines = [f"  {PREFIX}{name.upper()}={_EXAMPLES[name].format(process=process)} \\" for name in needed]
    parser = argparse.ArgumentParser(
        prog=f"python -m workers.{process}",
        description=_DOES.get(process),
        epilog="\n".join(["example:", *lines, f"  python -m workers.{process}", "", "README lists every setting."]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args(arguments)
