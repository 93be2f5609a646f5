"""The losses of stock Dramatiq on RabbitMQ, each provoked on a real broker, with stock classes and with ours.

For stock the tests assert the loss: should a later Dramatiq close one, they fail, and what we added can go.
"""

import socket
import threading

import pytest
from dramatiq.brokers.rabbitmq import RabbitmqBroker, _RabbitmqConsumer
from dramatiq.errors import ConnectionClosed
from dramatiq.message import Message

from messages.commands import Command
from tests.conftest import Vhosts
from tests.workers.broker_stage import (
    DEAD,
    DELAYED,
    QUEUE,
    Bench,
    Gates,
    Script,
    body_of,
    cut,
    download,
    envelope_with,
    eventually,
    stock_broker,
    working,
)
from workers.broker import make_broker
from workers.worker import RunningWorker

pytestmark = pytest.mark.services


def ours(url: str) -> RabbitmqBroker:
    return make_broker(url, threads=2)


def confirming_stock(url: str) -> RabbitmqBroker:
    return stock_broker(url, confirm_delivery=True)


def one_message() -> Message[object]:
    command = download()
    kwargs = command.model_dump(mode="json")
    return Message(queue_name=QUEUE, actor_name=command.actor, args=(), kwargs=kwargs, options={})


@pytest.fixture
def bench(vhosts: Vhosts) -> Bench:
    return Bench(vhosts.rabbitmq, vhosts.internal)


@pytest.fixture(autouse=True)
def quick_reconnect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dramatiq.worker.CONSUMER_RESTART_DELAY_SECS", 0.2)


# 1. Sends that nobody confirmed.


def what_arrives_of_three(broker: RabbitmqBroker, bench: Bench) -> int:
    """Send to a queue that was deleted behind the sender's back; every send is accepted."""
    message = one_message()
    broker.enqueue(message)
    bench.delete(QUEUE)
    for _ in range(3):
        broker.enqueue(message)
    broker.close()
    return bench.ready()


def test_an_accepted_send_is_in_its_queue(bench: Bench) -> None:
    assert what_arrives_of_three(ours(bench.worker_url), bench) == 3


def test_stock_accepts_sends_that_go_nowhere(bench: Bench) -> None:
    assert what_arrives_of_three(stock_broker(bench.worker_url), bench) == 0


def test_a_send_without_a_network_is_a_connection_error(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def unresolvable(*_address: object, **_more: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unresolvable)
    with pytest.raises(ConnectionClosed):
        ours(bench.worker_url).enqueue(one_message())


# 2. Acknowledgements for a channel that is gone.


def what_a_kill_leaves(broker: RabbitmqBroker, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Let a slice of a lost channel end, then cut the worker off, and return what RabbitMQ still has.

    Command 0 gets the number 1 and command 1 the number 2. After the cut, command 1 comes again as number 1 and
    command 2 comes as number 2; then the first run of command 1 ends. Both commands are in progress at the end.
    """
    gates = Gates()
    script = Script(gates)
    with working(broker, script.declared()) as worker:
        bench.put(body_of(download(0)))
        assert eventually(lambda: script.finished == [0])
        bench.put(ONE)
        assert eventually(lambda: script.started == [0, 1])
        cut(worker)
        assert eventually(lambda: script.started == [0, 1, 1])
        bench.put(TWO)
        assert eventually(lambda: bench.ready() == 0)
        gates.open(0)
        assert eventually(lambda: script.started == [0, 1, 1, 2])
        let_settle(worker)
        monkeypatch.setattr("dramatiq.worker.CONSUMER_RESTART_DELAY_SECS", 3)
        cut(worker)
        assert eventually(lambda: bench.ready() > 0)
        left = bench.take(QUEUE)
        gates.open()
    return left


def let_settle(worker: RunningWorker) -> None:
    """Return when the consumer has sent the acknowledgements that were asked for until now."""
    consumer = worker._worker.consumers[QUEUE].consumer
    assert isinstance(consumer, _RabbitmqConsumer)
    done = threading.Event()
    consumer.connection.add_callback_threadsafe(done.set)
    assert done.wait(5)


ONE, TWO = body_of(download(1)), body_of(download(2))


def test_a_late_acknowledgement_touches_no_other_message(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert what_a_kill_leaves(ours(bench.worker_url), bench, monkeypatch) == [ONE, TWO]


def test_stock_acknowledges_a_message_that_has_not_run(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert what_a_kill_leaves(confirming_stock(bench.worker_url), bench, monkeypatch) == [ONE]


def test_a_message_that_waited_for_a_thread_is_not_run_beside_its_copy(bench: Bench) -> None:
    gates = Gates()
    script = Script(gates)
    with working(make_broker(bench.worker_url, threads=2), script.declared(), threads=1) as worker:
        bench.put(ONE, body_of(download(0)))
        assert eventually(lambda: script.started == [1] and bench.ready() == 0)
        cut(worker)
        gates.open()
        assert eventually(lambda: script.started == [1, 1])
        gates.open()
        assert eventually(lambda: script.finished == [1, 1, 0])
    assert bench.ready() == bench.ready(DEAD) == 0


# 3. Retries that cannot be stored.


class Failing:
    """Fails until told otherwise."""

    def __init__(self) -> None:
        self.fails = True

    async def __call__(self, command: Command) -> None:
        if self.fails:
            raise RuntimeError(f"slice {command.slice} fails, as the test said")


def everywhere(bench: Bench) -> int:
    return sum(bench.ready(queue) for queue in (QUEUE, DELAYED, DEAD))


def test_a_command_whose_retry_cannot_be_stored_is_carried_out_in_the_end(bench: Bench) -> None:
    failing = Failing()
    script = Script(failing)
    with working(ours(bench.worker_url), script.declared()) as worker:
        assert eventually(worker.is_consuming)
        bench.forbid_publishing()
        bench.put(ONE)
        assert eventually(lambda: len(script.started) >= 2)
        failing.fails = False
        assert eventually(lambda: script.finished == [1])
    assert everywhere(bench) == 0


def test_once_it_can_be_stored_it_is_a_retry_again(bench: Bench) -> None:
    failing = Failing()
    script = Script(failing)
    with working(ours(bench.worker_url), script.declared()) as worker:
        assert eventually(worker.is_consuming)
        bench.forbid_publishing()
        bench.put(ONE)
        assert eventually(lambda: len(script.started) >= 2)
        bench.permit_publishing()
        assert eventually(lambda: delayed_in(worker) == 1)
        failing.fails = False
        assert eventually(lambda: script.finished == [1])
    assert everywhere(bench) == 0


def delayed_in(worker: RunningWorker) -> int:
    return worker._worker.consumers[DELAYED].delay_queue.qsize()


def test_stock_acknowledges_a_command_whose_retry_is_nowhere(bench: Bench) -> None:
    script = Script(Failing())
    with working(confirming_stock(bench.worker_url), script.declared()) as worker:
        assert eventually(lambda: all(thread.consumer for thread in worker._worker.consumers.values()))
        bench.forbid_publishing()
        bench.put(ONE)
        assert eventually(lambda: worker._worker.work_queue.unfinished_tasks == 0 and script.started == [1])
    assert everywhere(bench) == 0


# 4. The same by an envelope; that ours refuses it is shown in test_broker_envelopes.py.


def test_stock_loses_a_command_whose_retries_are_text(bench: Bench) -> None:
    script = Script(Failing())
    with working(confirming_stock(bench.worker_url), script.declared()) as worker:
        bench.put(envelope_with(options={"retries": "x"}))
        assert eventually(lambda: worker._worker.work_queue.unfinished_tasks == 0 and script.started == [666])
    assert everywhere(bench) == 0
