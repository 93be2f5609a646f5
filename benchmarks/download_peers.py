"""The peers of the download, each run once as a child and measured as ours is: its start and its imports count.

Wall time is from its start to its end, processor time is the child's own (user and system), and its peak memory is the
kernel's mark (VmHWM), read from outside every few milliseconds. What each claims to have read is counted afterwards.
"""

import contextlib
import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx

from benchmarks.children import ChildFailed
from benchmarks.peers import program_of, python_of
from sandbox.stack import LookAlike

OOB = "urn:ietf:wg:oauth:2.0:oob"
SAMPLED_EVERY = 0.02  # seconds


@dataclass(frozen=True)
class Read:
    """What a peer took, and how many it read; `memberships` is 0 for one that reads users only."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    memberships: int
    users: int


def read_with_sdk(asana: LookAlike, folder: Path) -> Read:
    """Read both listings with the official SDK."""
    took = _measured([*_program("asana_sdk")], asana, folder)
    return Read(*took, **json.loads((folder / "printed").read_bytes()))


def load_with_dlt(asana: LookAlike, folder: Path) -> Read:
    """Load both listings into the DuckDB in `folder`; where it has them already, they are merged into it."""
    argv = [*_program("dlt_duckdb"), str(folder)]
    took = _measured(argv, asana, folder)
    counted = subprocess.run([*argv, "--count"], capture_output=True, check=True)
    return Read(*took, **json.loads(counted.stdout))


def print_with_tap(asana: LookAlike, folder: Path) -> Read:
    """Have `tap-asana` print the stream `users` into a file; count the different people in it."""
    configuration, catalog = folder / "configuration.json", folder / "catalog.json"
    configuration.write_text(json.dumps(_authorized(asana)), encoding="utf-8")
    argv = [*_program("tap_asana"), "--config", str(configuration)]
    _measured([*argv, "--discover"], asana, folder)
    catalog.write_text(json.dumps(_users_selected((folder / "printed").read_bytes())), encoding="utf-8")
    took = _measured([*argv, "--catalog", str(catalog)], asana, folder)
    with (folder / "printed").open(encoding="utf-8") as file:
        messages = map(json.loads, file)
        people = {message["record"]["gid"] for message in messages if message["type"] == "RECORD"}
    return Read(*took, memberships=0, users=len(people))


def _program(name: str) -> tuple[str, str]:
    return str(python_of(name)), str(program_of(name))


def _measured(argv: Sequence[str], asana: LookAlike, folder: Path) -> tuple[float, float, float]:
    """Run a program, what it prints into a file; give its wall time, processor time (seconds) and peak (MiB)."""
    more = {"ASANA_URL": asana.url, "ASANA_TOKEN": asana.admin_token, "ASANA_WORKSPACE": asana.organization_gid}
    environment = {**os.environ, **more, "RUNTIME__DLTHUB_TELEMETRY": "false"}
    with (folder / "printed").open("wb") as printed, (folder / "log").open("wb") as log:
        began = time.perf_counter()
        child = subprocess.Popen(
            argv, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=printed, stderr=log
        )
        with child, _Watched(child.pid) as watched:
            _, status, used = os.wait4(child.pid, 0)
            wall = time.perf_counter() - began
            child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        said = (folder / "log").read_text(encoding="utf-8", errors="replace")[-2000:]
        raise ChildFailed(f"{Path(argv[1]).parent.name} ended with {child.returncode}: {said}")
    return wall, used.ru_utime + used.ru_stime, watched.peak_mib


class _Watched:
    """Reads the peak of a process until it ends. What it takes up in its very last moment is missed."""

    def __init__(self, pid: int) -> None:
        self.peak_mib = 0.0
        self._status = Path(f"/proc/{pid}/status")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(SAMPLED_EVERY):
            with contextlib.suppress(OSError):  # it is over
                found = re.search(r"VmHWM:\s+(\d+) kB", self._status.read_text(encoding="ascii"))
                self.peak_mib = max(self.peak_mib, int(found[1]) / 1024 if found else 0)


def _authorized(asana: LookAlike) -> dict[str, str]:
    """Allow the look-alike's app as a person would, and give the tap's configuration with the refresh token."""
    client = {"client_id": asana.client_id, "client_secret": asana.client_secret, "redirect_uri": OOB}
    asked = {"client_id": asana.client_id, "redirect_uri": OOB, "response_type": "code", "state": "tap", "allow": "yes"}
    with httpx.Client(base_url=asana.url, trust_env=False, timeout=60) as browser:
        code = re.search(r'id="code">([^<]+)<', browser.post("/-/oauth_authorize", data=asked).text)
        assert code, "the look-alike shows a code"
        grant = {"grant_type": "authorization_code", "code": code[1], **client}
        token = browser.post("/-/oauth_token", data=grant).json()["refresh_token"]
    return {**client, "refresh_token": token, "start_date": "2020-01-01T00:00:00Z"}


def _users_selected(discovered: bytes) -> dict[str, Any]:
    catalog: dict[str, Any] = json.loads(discovered)  # a Singer catalog, as the tap discovers it
    for stream in catalog["streams"]:
        for entry in stream["metadata"]:
            entry["metadata"]["selected"] = stream["stream"] == "users"
    return catalog
