"""What is found or started: it listens on loopback only, is handed on by its addresses, and leaves nothing behind."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import docker
import psycopg
import pytest
from docker.errors import ImageNotFound

from sandbox.reaper import reaping
from sandbox.services import ServiceError, Services, find_services
from sandbox.services.containers import start_containers
from sandbox.services.docker_engine import engine_listens
from sandbox.services.given import MANAGEMENT, PLACE, POSTGRES, RABBITMQ, environment_of
from sandbox.services.private import start_private
from sandbox.services.rabbitmq_node import RabbitmqNode
from tests.sandbox_services.test_rabbitmq import keep_one
from tests.sandbox_services.watching import until

ADDRESSES = (POSTGRES, RABBITMQ, MANAGEMENT)
LISTENING = "0A"  # the state in /proc/net/tcp
LOOPBACK = {"0100007F", "0" * 24 + "01000000"}  # 127.0.0.1 and ::1; epmd insists on both


def ports_of(services: Services) -> set[int]:
    """Give every port that the two servers should listen on."""
    urls = environment_of(services.postgres, services.rabbitmq).values()
    ports = {port for url in urls if (port := urlsplit(url).port)}
    node = services.rabbitmq.node
    return ports | ({node.ports.distribution, node.ports.epmd} if isinstance(node, RabbitmqNode) else set())


def listeners() -> Iterator[tuple[str, int]]:
    """Give the address (as the kernel writes it) and port of every listening socket of this machine."""
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
            _number, local, _remote, state, *_rest = line.split()
            if state == LISTENING:
                address, port = local.split(":")
                yield address, int(port, 16)


def test_everything_listens_on_loopback_alone(breakable_services: Services) -> None:
    ports = ports_of(breakable_services)
    found = [(address, port) for address, port in listeners() if port in ports]
    assert {port for _address, port in found} == ports, "each of them listens"
    assert {address for address, _port in found} <= LOOPBACK


def test_a_command_finds_the_servers_and_gives_its_exit_code(services: Services) -> None:
    addresses = environment_of(services.postgres, services.rabbitmq)
    program = f"import json, os, sys; print(json.dumps({{n: os.environ[n] for n in {ADDRESSES}}})); sys.exit(7)"
    done = subprocess.run(
        [sys.executable, "-m", "sandbox.services", "run", "--", sys.executable, "-c", program],
        env=os.environ | addresses | {PLACE: services.place},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (7, f"sandbox: using {services.told()}\n")
    assert json.loads(done.stdout) == addresses


def test_what_is_used_is_said_with_its_versions(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, address in environment_of(services.postgres, services.rabbitmq).items():
        monkeypatch.setenv(name, address)
    monkeypatch.delenv(PLACE, raising=False)
    said: list[str] = []
    with find_services(say=said.append):
        pass
    pattern = r"using RabbitMQ \d+\.\d+\.\d+ and Postgres \d+\.\d+, given by the environment"
    assert [bool(re.fullmatch(pattern, line)) for line in said] == [True], said


def test_an_engine_that_cannot_start_them_is_passed_over_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine answers, has no image, and cannot pull one."""

    class NoImage:
        def __init__(self, image: str) -> None:
            self.image = image

        def with_envs(self, **_environment: str) -> "NoImage":
            return self

        def with_name(self, _name: str) -> "NoImage":
            return self

        def start(self) -> None:
            raise ImageNotFound(f"no such image: {self.image}")

    monkeypatch.setattr("sandbox.services.containers.DockerContainer", NoImage)
    said: list[str] = []
    with reaping() as reaper:
        assert start_containers(reaper, said.append) is None
    assert "programs on this machine are used: no such image: rabbitmq" in said[-1]


def test_a_wrong_call_says_how() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sandbox.services", "start"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, "run -- COMMAND" in done.stderr) == (2, True)


def test_servers_given_by_address_are_not_ours_to_break(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, address in environment_of(services.postgres, services.rabbitmq).items():
        monkeypatch.setenv(name, address)
    with find_services() as given:
        for act in (given.postgres.kill, given.rabbitmq.kill, given.rabbitmq.stop_app, given.postgres.restart):
            with pytest.raises(ServiceError, match="not ours to stop"):
                act()


@pytest.mark.parametrize("missing", ADDRESSES)
def test_half_an_address_is_refused_by_name(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ADDRESSES:
        monkeypatch.setenv(name, "" if name == missing else "amqp://somewhere")
    with pytest.raises(ServiceError, match=missing), find_services():
        pass


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder for temporary files that every user can reach, as Postgres must when we are root."""
    made = Path(tempfile.mkdtemp(prefix="place-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


def programs_in(place: Path) -> list[str]:
    """Give the programs that work in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").resolve().is_relative_to(place):
                found.append((process / "comm").read_text(encoding="utf-8").strip())
        except OSError:  # it ended meanwhile
            continue
    return found


def containers_there() -> set[str]:
    """Give the names of Docker's containers, running or not; none where there is no engine."""
    if not engine_listens():
        return set()
    with contextlib.closing(docker.from_env()) as engine:
        return {str(one["Names"][0]).removeprefix("/") for one in engine.api.containers(all=True)}


USES_SERVICES = """
import time
from sandbox.services import find_services
with find_services(shared=False) as services:
    nodes = (services.postgres.node, services.rabbitmq.node)
    print("ready", *(node.name for node in nodes if hasattr(node, "name")), flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_nothing_is_left_whatever_ends_us(ending: signal.Signals, place: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", USES_SERVICES],
        env=os.environ | {"TMPDIR": str(place)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as program:
        assert program.stdout
        said = [program.stdout.readline() for _ in range(3)]
        there = containers_there()
        program.send_signal(ending)
    assert [line.split()[0] for line in said] == ["starting", "using", "ready"]
    containers = set(said[2].split()[1:])
    assert len(containers) == (2 if engine_listens() else 0)
    assert containers <= there
    until(lambda: not programs_in(place) and not [path for path in place.iterdir() if path.is_dir()])
    until(lambda: not containers & containers_there())


def test_a_folder_of_ones_own_is_found_again(place: Path) -> None:
    """Private servers alone keep a folder; Docker's content ends with its container."""
    said: list[str] = []
    for run in (1, 2):
        with reaping() as reaper:
            postgres, rabbitmq = start_private(reaper, place, said.append, durable=True)
            with psycopg.connect(postgres.admin_url) as connection:
                connection.execute("CREATE TABLE IF NOT EXISTS runs AS SELECT 1 AS number WHERE false")
                connection.execute("INSERT INTO runs VALUES (%s)", [run])
                assert connection.execute("SELECT count(*) FROM runs").fetchone() == (run,)
            internal, _edge = rabbitmq.make_vhosts()
            assert rabbitmq.queue_depths(internal)["download"] == run - 1
            keep_one(rabbitmq, internal)
            rabbitmq.close()
