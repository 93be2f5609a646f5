"""What becomes of a command whose actor fails: again later, given up with a word, or given back."""

import asyncio
import json
import threading

import pytest
from dramatiq.errors import Retry

from messages.commands import Command
from messages.encoder import LONGEST_DELAY
from tests.conftest import Vhosts
from tests.workers.broker_stage import (
    DEAD,
    DELAYED,
    QUEUE,
    Bench,
    Script,
    body_of,
    download,
    eventually,
    working,
)
from workers.broker import make_broker
from workers.retrying import RetryLater, _bound_delay

pytestmark = pytest.mark.services
ONE = body_of(download(1))


class Refused(Exception):
    """Nothing to be gained by trying again."""


class Raising:
    """Raises these, one after the other, then does nothing."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)

    async def __call__(self, _command: Command) -> None:
        if self.errors:
            raise self.errors.pop(0)


class Told:
    """Notes what was given up, after failing as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.of: list[tuple[Command, str]] = []
        self.threads: list[str] = []

    def __call__(self, command: Command, error: BaseException) -> None:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("Postgres is away")
        self.of.append((command, repr(error)))
        self.threads.append(type(threading.current_thread()).__name__)


@pytest.fixture
def bench(vhosts: Vhosts) -> Bench:
    return Bench(vhosts.rabbitmq, vhosts.internal)


def test_a_failure_is_tried_again(bench: Bench) -> None:
    script, told = Script(Raising(RuntimeError("once"))), Told()
    with working(make_broker(bench.worker_url, threads=2, on_giving_up=told), script.declared()):
        bench.put(ONE)
        assert eventually(lambda: script.finished == [1])
    assert script.started == [1, 1]
    assert told.of == []
    assert bench.ready() == bench.ready(DELAYED) == bench.ready(DEAD) == 0


def test_retries_run_out_and_the_run_is_told_before_the_message_is_dead_lettered(bench: Bench) -> None:
    errors = [RuntimeError("first"), RuntimeError("second")]
    script, told = Script(Raising(*errors)), Told()
    broker = make_broker(bench.worker_url, threads=2, max_retries=1, on_giving_up=told)
    with working(broker, script.declared()):
        bench.put(ONE)
        assert eventually(lambda: bench.ready(DEAD) == 1)
    assert [(command.slice, error) for command, error in told.of] == [(1, "RuntimeError('second')")]
    assert told.threads == ["WorkerThread"]
    dead = json.loads(bench.take(DEAD)[0])
    assert dead["options"].keys() == {"retries", "requeue_timestamp"}
    assert dead["message_id"] == json.loads(ONE)["message_id"]


def test_what_an_actor_throws_is_given_up_at_once(bench: Bench) -> None:
    script, told = Script(Raising(Refused())), Told()
    broker = make_broker(bench.worker_url, threads=2, on_giving_up=told)
    with working(broker, script.declared(throws=(Refused,))):
        bench.put(ONE)
        assert eventually(lambda: bench.ready(DEAD) == 1)
    assert script.started == [1]
    assert [error for _, error in told.of] == ["Refused()"]
    assert bench.take(DEAD) == [ONE]


def test_a_failure_that_nobody_could_be_told_of_comes_again(bench: Bench) -> None:
    script, told = Script(Raising(Refused(), Refused())), Told(failures=1)
    broker = make_broker(bench.worker_url, threads=2, on_giving_up=told)
    with working(broker, script.declared(throws=(Refused,))):
        bench.put(ONE)
        assert eventually(lambda: bench.ready(DEAD) == 1)
    assert script.started == [1, 1]
    assert len(told.of) == 1


def test_an_actor_says_when_to_try_again(bench: Bench) -> None:
    script = Script(Raising(RetryLater("busy", seconds=0.5)))
    with working(make_broker(bench.worker_url, threads=2), script.declared()) as worker:
        bench.put(ONE)
        assert eventually(lambda: worker._worker.consumers[DELAYED].delay_queue.qsize() == 1)
        assert eventually(lambda: script.finished == [1])


@pytest.mark.parametrize(
    ("delay", "bounded"), [(0.5, 0), (-1, 0), (1500.4, 1500), (10**12, LONGEST_DELAY * 1000), (None, None)]
)
def test_a_delay_is_one_that_our_own_decoder_accepts(delay: int | None, bounded: int | None) -> None:
    retry = Retry(delay=delay)
    _bound_delay(retry)
    assert retry.delay == bounded
    assert type(retry.delay) is type(bounded)


def test_a_slice_has_a_limit_and_its_thread_goes_on(bench: Bench) -> None:
    async def hang(command: Command) -> None:
        if command.slice == 1:
            await asyncio.sleep(60)

    script, told = Script(hang), Told()
    broker = make_broker(bench.worker_url, threads=1, max_retries=0, on_giving_up=told)
    with working(broker, script.declared(longest_slice=0.2), threads=1) as worker:
        bench.put(ONE, body_of(download(2)))
        assert eventually(lambda: script.finished == [2] and bench.ready(DEAD) == 1)
        assert worker.fault() is None
    assert [error for _, error in told.of] == ["TimeoutError()"]


def test_a_cancelled_slice_is_tried_again(bench: Bench) -> None:
    script = Script(Raising(asyncio.CancelledError()))
    with working(make_broker(bench.worker_url, threads=1), script.declared(), threads=1) as worker:
        bench.put(ONE)
        assert eventually(lambda: script.finished == [1])
        assert worker.fault() is None
    assert bench.ready(QUEUE) == 0


def test_one_message_for_each_thread_is_taken_in_advance(bench: Bench) -> None:
    gate = threading.Event()

    async def wait(command: Command) -> None:
        while not gate.is_set():  # noqa: ASYNC110 - the test opens it from its own thread
            await asyncio.sleep(0.01 * (command.slice > 0))

    script = Script(wait)
    with working(make_broker(bench.worker_url, threads=2), script.declared()):
        bench.put(*[ONE] * 6)
        assert eventually(lambda: len(script.started) == 2)
        assert not eventually(lambda: bench.ready() < 4, within=0.5)
        gate.set()
        assert eventually(lambda: len(script.finished) == 6)
