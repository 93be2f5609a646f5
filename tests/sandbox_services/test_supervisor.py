"""The supervisor keeps programs running, and nothing of them stays when it ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.services.nodes import free_ports
from sandbox.supervisor import NotReadyError, Supervisor
from tests.sandbox_services.watching import runs, until

SERVE = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1"]


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    with Supervisor(tmp_path / "logs") as made:
        yield made


def test_a_killed_program_runs_again(supervisor: Supervisor) -> None:
    [port] = free_ports(1)
    supervisor.start("web", [*SERVE, str(port)], os.environ)
    supervisor.wait_ready("web", f"http://127.0.0.1:{port}/")
    before = supervisor.pid("web")

    supervisor.kill("web")
    until(lambda: supervisor.restarts("web") == 1)

    assert supervisor.pid("web") != before
    supervisor.wait_ready("web", f"http://127.0.0.1:{port}/")
    assert not runs(before)
    assert "GET / HTTP/1.1" in supervisor.log("web").read_text(encoding="utf-8")


def test_a_stopped_program_stays_stopped(supervisor: Supervisor) -> None:
    supervisor.start("sleeper", ["sleep", "600"], os.environ)
    pid = supervisor.pid("sleeper")
    supervisor.stop("sleeper")
    assert not runs(pid)
    supervisor.start("sleeper", ["sleep", "600"], os.environ)
    assert supervisor.restarts("sleeper") == 0


def test_a_program_that_keeps_dying_is_named(supervisor: Supervisor) -> None:
    supervisor.start("broken", ["sh", "-c", "echo no setting; exit 2"], os.environ)
    [port] = free_ports(1)
    with pytest.raises(NotReadyError, match=r"broken keeps ending by itself; its output is in .*broken\.log"):
        supervisor.wait_ready("broken", f"http://127.0.0.1:{port}/")
    assert "no setting" in supervisor.log("broken").read_text(encoding="utf-8")


def test_a_program_that_never_answers_is_named(supervisor: Supervisor) -> None:
    supervisor.start("silent", ["sleep", "600"], os.environ)
    [port] = free_ports(1)
    with pytest.raises(NotReadyError, match="silent was not ready"):
        supervisor.wait_ready("silent", f"http://127.0.0.1:{port}/", within=0.2)


ORDERLY = """
import signal, sys, time
from pathlib import Path
def leave(*_):
    Path(sys.argv[1]).touch()
    sys.exit()
signal.signal(signal.SIGTERM, leave)
Path(sys.argv[1] + ".ready").touch()
time.sleep(600)
"""


def test_programs_are_asked_to_end_before_they_are_killed(tmp_path: Path) -> None:
    done = tmp_path / "done"
    with Supervisor(tmp_path / "logs") as supervisor:
        supervisor.start("orderly", [sys.executable, "-c", ORDERLY, str(done)], os.environ)
        until((tmp_path / "done.ready").exists)
        pid = supervisor.pid("orderly")
    assert done.exists()
    assert not runs(pid)


def test_programs_die_with_a_killed_supervisor(tmp_path: Path) -> None:
    script = """
import os, sys, time
from pathlib import Path
from sandbox.supervisor import Supervisor
with Supervisor(Path(sys.argv[1])) as supervisor:
    supervisor.start("sleeper", ["sleep", "600"], os.environ)
    print(supervisor.pid("sleeper"), flush=True)
    time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", script, tmp_path], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        assert runs(pid)
        parent.send_signal(signal.SIGKILL)
    until(lambda: not runs(pid))


def test_the_largest_life_of_a_program_counts(supervisor: Supervisor, tmp_path: Path) -> None:
    grows_once = f"""
import pathlib, time
seen = pathlib.Path({str(tmp_path / "seen")!r})
held = b"" if seen.exists() else b"x" * 64_000_000
seen.touch()
time.sleep(600)
"""
    supervisor.start("grows", [sys.executable, "-c", grows_once], os.environ)
    until((tmp_path / "seen").exists)
    before = supervisor.peak_memory("grows")
    supervisor.kill("grows")
    until(lambda: supervisor.restarts("grows") == 1)
    after = supervisor.peak_memory("grows")
    assert (before is None, after is None) == (sys.platform != "linux",) * 2
    assert after is None or 64_000_000 < after < 150_000_000
