"""A private Postgres from the programs on this machine.

`initdb` and `postgres` refuse to run as root, so root hands them to an unprivileged user. There is no socket file: the
server is reached over 127.0.0.1 alone, with passwords.
"""

import contextlib
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.reaper import Reaper, as_user
from sandbox.services.nodes import ServiceError, end_of

OLDEST = 15  # what schema.sql needs
SETTINGS = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": "200"}
# A throw-away server may forget everything when the machine loses power, but still nothing when it is killed.
FORGETFUL = {"fsync": "off", "full_page_writes": "off"}
AS_ON_A_SERVER = {"wal_compression": "zstd"}  # as compose.yaml has it


def find_programs() -> Path | None:
    """Give the folder of the newest Postgres server programs on this machine that are new enough."""
    on_path = shutil.which("postgres")
    found = [
        *([Path(on_path)] if on_path else []),
        *Path("/opt/homebrew/opt").glob("postgresql@*/bin/postgres"),
        *Path("/usr/lib/postgresql").glob("*/bin/postgres"),
    ]
    newest = max(found, key=_version, default=None)
    return newest.parent if newest and _version(newest) >= OLDEST else None


def _version(program: Path) -> int:
    """Give the major version: `postgres --version` says "postgres (PostgreSQL) 15.14 (Debian ...)"."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    return int(match[1]) if (match := re.search(r"\) (\d+)", said)) else 0


def unprivileged_user() -> str | None:
    """Give the user to run as when we are root, and None when we are somebody already."""
    if os.geteuid() != 0:
        return None
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("postgres").pw_name
    return "nobody"


@dataclass
class PostgresNode:
    """One server process and its folder. `durable` is for servers whose content outlives this run."""

    reaper: Reaper
    programs: Path
    folder: Path
    port: int
    password: str
    durable: bool = False
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def _log(self) -> Path:
        return self.folder.parent / "postgres.log"

    def create(self) -> None:
        """Make the database cluster, unless the folder holds one. Takes half a second."""
        if (self.folder / "PG_VERSION").exists():
            return
        user = unprivileged_user()
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        password = self.folder.parent / "postgres.password"
        password.touch(mode=0o600)
        password.write_text(self.password, encoding="utf-8")
        if user:
            shutil.chown(self.folder, user)
            shutil.chown(password, user)
        try:
            self._initdb(password)
        finally:
            password.unlink()

    def _initdb(self, password: Path) -> None:
        locale = "C.UTF-8" if sys.platform == "linux" else "en_US.UTF-8"
        done = subprocess.run(
            [
                self.programs / "initdb",
                *("-D", ".", "-U", "postgres", "--auth=scram-sha-256", f"--pwfile={password}"),
                *("--encoding=UTF8", f"--locale={locale}", "--no-sync", "--no-instructions"),
            ],
            cwd=self.folder,
            capture_output=True,
            check=False,
            text=True,
            **as_user(unprivileged_user()),
        )
        if done.returncode:
            raise ServiceError(f"initdb failed in {self.folder}, as {unprivileged_user()}: {done.stderr.strip()}")

    def start(self) -> None:
        settings = SETTINGS | {"port": str(self.port)} | (AS_ON_A_SERVER if self.durable else FORGETFUL)
        self._process = self.reaper.start(
            [self.programs / "postgres", "-D", ".", *(f"--{name}={value}" for name, value in settings.items())],
            log=self._log,
            folder=self.folder,
            user=unprivileged_user(),
            ending=signal.SIGQUIT,  # an immediate shutdown: like a crash, but shared memory is given back
        )

    def stop(self) -> None:
        self._end(signal.SIGINT)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        assert self._process, "it runs"
        self._process.send_signal(number)
        self._process.wait()
        self.reaper.forget(self._process)
        self._process = None

    def run(self, *argv: str) -> str:
        return subprocess.run([self.programs / argv[0], *argv[1:]], check=True, capture_output=True, text=True).stdout

    def check(self) -> None:
        if self._process and self._process.poll() is not None:
            raise ServiceError(f"Postgres ended by itself; the end of its log:\n{end_of(self._log)}")
