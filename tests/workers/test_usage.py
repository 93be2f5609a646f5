"""Who asks how a process is started gets an answer, and a typing error starts nothing."""

import subprocess
import sys

import pytest

from tests.workers.running import ROOT


@pytest.mark.parametrize(
    ("process", "argument", "code"),
    [("relay", "--help", 0), ("intake", "--help", 0), ("scheduler", "--help", 0), ("relay", "--hlep", 2)],
)
def test_usage(process: str, argument: str, code: int) -> None:
    asked = [sys.executable, "-m", f"workers.{process}", argument]
    done = subprocess.run(asked, cwd=ROOT, env={}, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert f"python -m workers.{process}" in done.stdout + done.stderr
    if code == 0:
        assert f"SEATKEEPER_DATABASE_URL=postgresql://seatkeeper_{process}:" in done.stdout
        assert ("SEATKEEPER_EDGE_URL" in done.stdout) == (process != "scheduler")
    else:
        assert f"unrecognized arguments: {argument}" in done.stderr
