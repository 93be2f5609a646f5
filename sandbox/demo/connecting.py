"""How the demo's operator lets Seatkeeper into Asana: by OAuth, a service account beside it, and a child alias."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from subprocess import Popen
from typing import Any, Protocol

from sandbox.demo.browser import allow
from sandbox.demo.truths import read_service_account_token
from sandbox.stack import LookAlike, StackError

ALIAS, CHILD = "acme-asana", "acme-emea"

Row = dict[str, Any]  # a row or a JSON document whose shape is another program's


class Operated(Protocol):
    """A Seatkeeper that runs somewhere, as far as the story needs it; addresses hold passwords."""

    @property
    def asana(self) -> LookAlike:
        """The look-alike that it is connected to."""

    def database_url(self, role: str) -> str:
        """Give the database's address for a process by its short name."""

    def edge_url(self, user: str) -> str:
        """Give the edge's address for `requester` or `consumer`."""

    def seats(self, *arguments: str, stdin: str | None = None) -> str:
        """Run `./seats` and return what it printed; StackError if it fails."""

    def terminal(self, *arguments: str, more: Mapping[str, str]) -> Popen[str]:
        """Begin `./seats` with pipes to talk to it, and `more` in its environment."""


@dataclass(frozen=True)
class Accounts:
    """The accounts that we work with, by gid: the administrator who allowed the app, and the service account."""

    person: str
    service: str

    @property
    def ours(self) -> frozenset[str]:
        """Nobody of these is a candidate."""
        return frozenset({self.person, self.service})


def connect(stack: Operated) -> Accounts:
    """`seats connect`, with us as the person at the terminal and as their browser; then the service account."""
    asana = stack.asana
    options = ("--url", asana.url, "--client-id", asana.client_id, "--requests-per-minute", "unlimited")
    person = _by_oauth(stack, ALIAS, *options, more={"SEATKEEPER_CLIENT_SECRET": asana.client_secret})
    token = read_service_account_token(asana.url)
    printed = stack.seats("connect", ALIAS, "--service-account-token-file", "-", "--json", stdin=token + "\n")
    return Accounts(str(person["user_gid"]), str(json.loads(printed)["user_gid"]))


def connect_child(stack: Operated) -> None:
    """Connect another alias with the app of the first one, and a grant of its own."""
    _by_oauth(stack, CHILD, "--parent", ALIAS)


def _by_oauth(stack: Operated, *arguments: str, more: Mapping[str, str] | None = None) -> Row:
    """Read the address that the command prints, allow the app there, and hand it the code."""
    begins = f"{stack.asana.url}/-/oauth_authorize"
    with stack.terminal("connect", *arguments, "--json", more=more or {}) as terminal:
        assert terminal.stdin is not None
        assert terminal.stderr is not None
        assert terminal.stdout is not None
        shown: list[str] = []
        for line in terminal.stderr:
            shown.append(line)
            if line.startswith(begins):
                terminal.stdin.write(allow(line.strip()) + os.linesep)
                terminal.stdin.flush()
                break
        shown.append(terminal.stderr.read())
        connected = terminal.stdout.read()
    if terminal.returncode:
        raise StackError(f"./seats connect ended with {terminal.returncode}: {''.join(shown).strip()}")
    document: Row = json.loads(connected)
    return document
