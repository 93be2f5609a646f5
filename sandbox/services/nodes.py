"""What can be done to a server, whoever runs it, and the few small things that all of them need."""

import hmac
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

READY_WITHIN = 60.0  # seconds; five are normal, a busy machine takes longer


class ServiceError(Exception):
    """A server could not be found, started or reached; the message says what to do."""


class Node(Protocol):
    """The running server itself, as far as a test may break it."""

    def start(self) -> None:
        """Start the server again after `stop` or `kill`."""

    def stop(self) -> None:
        """End the server in order."""

    def kill(self) -> None:
        """End the server with SIGKILL."""

    def run(self, *argv: str) -> str:
        """Run one of the server's own command line tools beside it and give its output."""

    def check(self) -> None:
        """Raise ServiceError, with the end of its log, when the server has ended by itself."""


class GivenNode:
    """A server whose address was given to us: we use it, we never stop or break it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def _refuse(self, *_argv: str) -> str:
        raise ServiceError(f"this {self._name} was given by its address: it is not ours to stop or start")

    def start(self) -> None:
        self._refuse()

    def stop(self) -> None:
        self._refuse()

    def kill(self) -> None:
        self._refuse()

    def run(self, *argv: str) -> str:
        return self._refuse(*argv)

    def check(self) -> None:
        """Nothing to look at: only its address is known."""


def free_ports(count: int) -> Iterator[int]:
    """Give `count` different TCP ports of 127.0.0.1 that nobody uses at this moment."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        ports = [one.getsockname()[1] for one in sockets]
    yield from ports


def password_for(name: str, secret: str) -> str:
    """Give the password of a user or role, so that all who know the administrator's need no list of passwords."""
    return hmac.digest(secret.encode(), name.encode(), "sha256").hex()[:32]


def wait_until(ready: Callable[[], bool], node: Node, what: str, within: float = READY_WITHIN) -> None:
    """Ask `ready` every 50 ms; ServiceError when the server ended or `within` seconds have passed."""
    deadline = time.monotonic() + within
    while not ready():
        node.check()
        if time.monotonic() > deadline:
            raise ServiceError(f"{what} did not become ready within {within:.0f} seconds")
        time.sleep(0.05)


def end_of(log: Path, lines: int = 15) -> str:
    """Give the last lines of a log, for an error message."""
    if not log.exists():
        return "(no log was written)"
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
