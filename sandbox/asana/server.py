"""Runs a look-alike: in a thread of a test, or as a process of its own."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import uvicorn

from sandbox.asana.app import make_app
from sandbox.asana.changes import Changes
from sandbox.asana.clock import Clock
from sandbox.asana.credentials import Credential
from sandbox.asana.faults import Faults
from sandbox.asana.limits import Limits
from sandbox.asana.lookalike import LookAlike, OrganizationPlan
from sandbox.asana.removals import Removals
from sandbox.asana.state import State
from sandbox.asana.traffic import Traffic
from sandbox.asana.truth import PersonTruth, truth

BACKLOG = 4096
"""How many connections may wait to be taken: a burst of clients is no fault of theirs."""


@dataclass(frozen=True)
class Running:
    """A look-alike that serves. `url` is its base address; the API is below `{url}/api/1.0`."""

    url: str
    look: LookAlike

    @property
    def api_url(self) -> str:
        return f"{self.url}/api/1.0"

    @property
    def admin_token(self) -> str:
        """A personal access token of the first admin."""
        return self.look.admin_token

    @property
    def service_account_token(self) -> str:
        return self.look.service_account_token

    @property
    def changes(self) -> Changes:
        """What a test may do to the organization: acts, roles, leaving and coming back."""
        return Changes(self.look)

    def truth(self, since: datetime, caller: Credential | None = None) -> dict[str, PersonTruth]:
        """Both truths by gid; the caller is the holder of `admin_token` unless another is named."""
        return truth(self.look, caller or self.look.credentials.of(f"Bearer {self.admin_token}"), since)

    @property
    def client_id(self) -> str:
        return self.look.app.client_id

    @property
    def client_secret(self) -> str:
        return self.look.app.client_secret

    @property
    def organization(self) -> State:
        """Everything there is: people, memberships, tasks."""
        return self.look.state

    @property
    def organization_gid(self) -> str:
        return self.look.state.company.gid

    @property
    def clock(self) -> Clock:
        return self.look.clock

    @property
    def faults(self) -> Faults:
        return self.look.faults

    @property
    def limits(self) -> Limits:
        return self.look.limits

    @property
    def removals(self) -> Removals:
        return self.look.removals

    @property
    def requests(self) -> Traffic:
        """Counters of what came in."""
        return self.look.traffic


def listening(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 takes a free one."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    return sock


def make_server(look: LookAlike) -> uvicorn.Server:
    """A quiet server, with httptools and uvloop where they are installed."""
    return uvicorn.Server(
        uvicorn.Config(
            make_app(look),
            lifespan="off",
            ws="none",
            proxy_headers=False,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
            timeout_keep_alive=75,
            backlog=BACKLOG,
        )
    )


@contextmanager
def running(
    people: int = 50,
    seed: int = 1,
    *,
    plan: OrganizationPlan = "enterprise+",
    limits: str | None = None,
    latency_ms: float = 0,
    start: datetime | None = None,
    redirect_uris: tuple[str, ...] = (),
) -> Iterator[Running]:
    """A look-alike on a free loopback port for the length of a `with`, served by a thread of this process.

    `plan` is what the organization pays for. `limits` is None, `free` or `paid`; with `start` (aware) its clock stands
    still there; `redirect_uris` are registered for its app beside the one for people at a terminal.
    """
    look = LookAlike(
        people, seed, plan=plan, limits=limits, latency_ms=latency_ms, start=start, redirect_uris=redirect_uris
    )
    sock = listening("127.0.0.1", 0)
    server = make_server(look)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, name="asana look-alike", daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("the look-alike could not be started; its log has the reason")
            time.sleep(0.002)
        yield Running(f"http://127.0.0.1:{sock.getsockname()[1]}", look)
    finally:
        server.should_exit = server.force_exit = True
        thread.join(10)
        sock.close()
