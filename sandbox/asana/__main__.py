"""Runs the look-alike by itself: `python -m sandbox.asana --help`."""

import argparse
import gc
import json
import signal
import socket
import sys
from types import FrameType
from typing import get_args

from sandbox.asana.limits import PLANS
from sandbox.asana.lookalike import LookAlike, OrganizationPlan
from sandbox.asana.server import BACKLOG, listening, make_server

EXAMPLES = """
examples:
  python -m sandbox.asana --port 8900 --people 5000 --seed 1
  python -m sandbox.asana --port 0 --people 300 --limits paid --latency-ms 50

It prints one line of JSON (its address, an admin's token, an app's id and secret, the organization's gid) and serves
until SIGTERM or Ctrl-C. The API is below /api/1.0, the control surface below /-/sandbox.
"""


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.asana",
        description="An Asana look-alike with a made-up organization.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=8900, help="0 takes a free one (default: 8900)")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: 127.0.0.1)")
    parser.add_argument("--people", type=int, default=5000, help="how many members there are (default: 5000)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same people (default: 1)")
    parser.add_argument(
        "--plan", choices=get_args(OrganizationPlan), default="enterprise+", help="what the organization pays for"
    )
    parser.add_argument("--limits", choices=sorted(PLANS), help="switch that plan's rate limits on (default: off)")
    parser.add_argument("--latency-ms", type=float, default=0, help="how long each answer waits (default: 0)")
    return parser.parse_args(given)


def main() -> None:
    chosen = arguments()
    # Uvicorn ends well on a signal and then raises it anew: that must not end the process with the signal's number.
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    try:
        with listening(chosen.host, chosen.port) as sock:
            look = LookAlike(
                chosen.people, chosen.seed, plan=chosen.plan, limits=chosen.limits, latency_ms=chosen.latency_ms
            )
            serve(look, sock)
    except (OSError, ValueError) as reason:
        sys.exit(f"sandbox.asana: {reason}")


def serve(look: LookAlike, sock: socket.socket) -> None:
    """Say where it is, and serve until a signal comes."""
    gc.freeze()  # thousands of people that will stay: the collector need not look at them again and again
    sock.listen(BACKLOG)
    host, port = sock.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    sys.stdout.write(json.dumps({"url": url, **look.about()}) + "\n")
    sys.stdout.flush()
    make_server(look).run(sockets=[sock])


def _end(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    main()
