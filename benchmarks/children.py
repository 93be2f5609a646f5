"""Programs that are measured run as children, so that nothing of the benchmark itself is counted with them."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


class ChildFailed(Exception):
    """The program that was to be measured did not come to its end."""


def as_child(argv: Sequence[str], environment: Mapping[str, str]) -> tuple[Any, float, float]:
    """Run a Python module; return the JSON that it printed, its wall time and its processor time in seconds.

    It may keep what it compiles, as a server's does: peers come compiled, too. Raises ChildFailed with the end of its
    log where it does not end with 0.
    """
    with tempfile.TemporaryFile() as log:
        began = time.perf_counter()
        child = subprocess.Popen(
            [sys.executable, "-m", *argv],
            cwd=ROOT,
            env={name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
        )
        with child:
            assert child.stdout is not None
            printed = child.stdout.read()
            _, status, used = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - began
        if child.returncode:
            log.seek(0)
            raise ChildFailed(f"{argv[0]} ended with {child.returncode}: {(printed + log.read())[-2000:].decode()}")
    return json.loads(printed), wall, used.ru_utime + used.ru_stime


def peak_mib() -> float:
    """Give the most memory that this process held at once. (`ru_maxrss` would begin with the parent's.)"""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this system does not tell a process's peak memory in /proc/self/status")
