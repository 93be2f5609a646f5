"""A broker that is stopped, or killed, in the middle: everything that was accepted is carried out."""

import asyncio
import contextlib
import secrets
import threading
from collections.abc import Iterator

import pytest
from dramatiq.errors import ConnectionClosed
from dramatiq.message import Message

from messages.commands import Command
from sandbox.services import Services
from tests.workers.broker_stage import DEAD, QUEUE, Bench, Script, body_of, download, eventually, working
from workers.broker import make_broker

pytestmark = pytest.mark.services


@pytest.fixture
def bench(breakable_services: Services) -> Iterator[Bench]:
    prefix = f"outage-{secrets.token_hex(6)}-"
    internal, _edge = breakable_services.rabbitmq.make_vhosts(prefix)
    yield Bench(breakable_services.rabbitmq, internal)
    breakable_services.rabbitmq.delete_vhosts(prefix)


class FailingOnce:
    """Holds the first start of each slice until the broker is away, and then fails it."""

    def __init__(self) -> None:
        self.is_away = threading.Event()
        self.failed: set[int] = set()

    async def __call__(self, command: Command) -> None:
        if command.slice not in self.failed:
            while not self.is_away.is_set():  # noqa: ASYNC110 - the test sets it from its own thread
                await asyncio.sleep(0.01)
            self.failed.add(command.slice)
            raise RuntimeError(f"slice {command.slice} fails, as the test said")


def test_commands_that_fail_while_the_broker_is_stopped_are_carried_out(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dramatiq.worker.CONSUMER_RESTART_DELAY_SECS", 0.2)
    failing = FailingOnce()
    script = Script(failing)
    with working(make_broker(bench.worker_url, threads=4), script.declared(), threads=4) as worker:
        bench.put(*[body_of(download(number)) for number in range(20)])
        assert eventually(lambda: len(script.started) == 4)
        bench.rabbitmq.stop_app()
        failing.is_away.set()
        assert eventually(lambda: len(failing.failed) == 4)
        bench.rabbitmq.start_app()
        assert eventually(lambda: set(script.finished) == set(range(20)), within=60)
        assert worker.fault() is None
        assert eventually(worker.is_consuming)
    assert bench.ready() == bench.ready(DEAD) == 0


def test_every_accepted_send_survives_a_killed_broker(bench: Bench) -> None:
    broker = make_broker(bench.worker_url, threads=1)
    accepted: list[str] = []
    over = threading.Event()

    def send() -> None:
        while not over.is_set():
            kwargs = download().model_dump(mode="json")
            message: Message[object] = Message(QUEUE, "download_subscriptions", (), kwargs, {})
            with contextlib.suppress(ConnectionClosed):
                accepted.append(broker.enqueue(message).message_id)

    sender = threading.Thread(target=send)
    sender.start()
    assert eventually(lambda: len(accepted) >= 100)
    bench.rabbitmq.kill()
    over.set()
    sender.join(30)
    bench.rabbitmq.start()
    there = {Message.decode(body).message_id for body in bench.take(QUEUE)}
    assert set(accepted) <= there
    broker.close()
