"""Installs the two servers on Debian or Ubuntu, without letting the packages start anything.

A package of a server starts it by default, on the ports of the machine's own. Two files prevent that while we install:
`policy-rc.d`, which answers "forbidden" to every start, and a setting that makes no main cluster for Postgres. Both are
put back as they were.
"""

import contextlib
import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sandbox.services.nodes import ServiceError

APT = Path("/etc/apt")
POLICY = Path("/usr/sbin/policy-rc.d")
NO_CLUSTER = Path("/etc/postgresql-common/createcluster.d/seatkeeper.conf")


def can_install() -> bool:
    """Whether this is a Debian-like machine on which we may install."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


@contextlib.contextmanager
def installing() -> Iterator[None]:
    """Let one sandbox at a time install. The lock is on apt's own folder, so that no file is left."""
    lock = os.open(APT, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def install(packages: Sequence[str], say: Callable[[str], None]) -> None:
    """Install packages with apt; raises ServiceError with the end of apt's output when that fails."""
    say(f"installing {' and '.join(packages)} with apt (nothing is started by it)")
    with (
        _replaced(POLICY, "#!/bin/sh\nexit 101\n", 0o755),
        _replaced(NO_CLUSTER, "create_main_cluster = false\n", 0o644),
    ):
        _apt("update")
        _apt("install", "--yes", "--no-install-recommends", *packages)


def _apt(*arguments: str) -> None:
    done = subprocess.run(
        ["apt-get", "--quiet", "-o", "DPkg::Lock::Timeout=120", *arguments],
        env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ServiceError(f"apt-get {arguments[0]} failed:\n" + "\n".join(done.stdout.splitlines()[-15:]))


@contextlib.contextmanager
def _replaced(path: Path, content: str, mode: int) -> Iterator[None]:
    """Have a file say something else for a while; afterwards it is as before, or gone if there was none."""
    before = path.read_bytes() if path.exists() else None
    mode_before = path.stat().st_mode if path.exists() else mode
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    path.chmod(mode)
    try:
        yield
    finally:
        if before is None:
            path.unlink()
        else:
            path.write_bytes(before)
            path.chmod(mode_before)
