"""A worker process: how it starts, stops, and what it does when something in it has died."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dramatiq.threading import raise_thread_exception

from tests.conftest import Vhosts
from tests.workers.broker_stage import QUEUE, Bench, Script, body_of, download, eventually, working
from workers.broker import make_broker
from workers.worker import RunningWorker

pytestmark = pytest.mark.services
START = 20
"""Seconds in which a process starts on a busy machine."""


@pytest.fixture
def bench(vhosts: Vhosts) -> Bench:
    return Bench(vhosts.rabbitmq, vhosts.internal)


@contextlib.contextmanager
def process(bench: Bench, folder: Path, grace: float = 10) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "GRACE": str(grace)}
    command = [sys.executable, "-m", "tests.workers.served_worker", bench.worker_url, str(folder)]
    with subprocess.Popen(command, env=environment) as running:
        try:
            yield running
        finally:
            running.kill()


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_it_ends_its_slice_and_then_itself(bench: Bench, tmp_path: Path, number: signal.Signals) -> None:
    bench.put(body_of(download(1)), body_of(download(2)), body_of(download(3)))
    with process(bench, tmp_path) as running:
        assert eventually(lambda: {"started-1", "started-2"} <= names_in(tmp_path), within=START)
        running.send_signal(number)
        assert not eventually(lambda: running.poll() is not None, within=0.5)
        (tmp_path / "go").touch()
        assert running.wait(START) == 0
    assert {"finished-1", "finished-2", "opened", "closed"} <= names_in(tmp_path)
    assert not (tmp_path / "started-3").exists()
    assert bench.ready() == 1


def test_a_slice_that_outlives_the_grace_goes_back(bench: Bench, tmp_path: Path) -> None:
    bench.put(body_of(download(1)))
    with process(bench, tmp_path, grace=0.5) as running:
        assert eventually((tmp_path / "started-1").exists, within=START)
        running.terminate()
        assert running.wait(START) == 0
    assert eventually(lambda: bench.ready() == 1)


@pytest.mark.parametrize("deadly", [900, 902], ids=["the event loop ends", "the event loop is blocked"])
def test_it_exits_with_70_when_it_is_not_whole(bench: Bench, tmp_path: Path, deadly: int) -> None:
    bench.put(body_of(download(deadly)))
    with process(bench, tmp_path, grace=0.5) as running:
        assert running.wait(START) == 70
    assert (tmp_path / f"started-{deadly}").exists()
    assert eventually(lambda: bench.ready() == 1)


def test_it_takes_nothing_when_its_resources_cannot_be_opened(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    bench.put(body_of(download(1)))
    with process(bench, tmp_path) as running:
        assert running.wait(START) == 1
    assert not (tmp_path / "started-1").exists()
    assert bench.ready() == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    ("kind", "fault"),
    [("workers", "1 of 2 worker threads are alive"), ("consumers", "1 of 2 consumer threads are alive")],
)
def test_a_dead_thread_is_a_fault(bench: Bench, kind: str, fault: str) -> None:
    with working(make_broker(bench.worker_url, threads=2), Script().declared()) as worker:
        assert eventually(worker.is_consuming)
        assert worker.fault() is None
        assert (worker.live_worker_threads(), worker.live_consumer_threads()) == (2, 2)
        threads = worker._worker.workers if kind == "workers" else list(worker._worker.consumers.values())
        raise_thread_exception(threads[0].ident, SystemExit)
        assert eventually(lambda: worker.fault() == fault)


def test_a_queue_without_an_actor_is_refused(bench: Bench) -> None:
    broker = make_broker(bench.worker_url, threads=1)
    with pytest.raises(ValueError, match="no actor is registered for the queues"):
        RunningWorker(broker, [QUEUE], 1)
