"""Whatever lies on our queue: it is dead-lettered as it came, nothing of it runs, and the next good one is served.

The worker is one for all cases, as in life. `test_broker_stock.py` shows what stock Dramatiq does with some of them.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from messages.commands import PullActivity
from sandbox.services import Services
from tests.workers.broker_stage import (
    DEAD,
    DELAYED,
    QUEUE,
    Bench,
    Script,
    body_of,
    download,
    envelope_with,
    eventually,
    working,
)
from workers.broker import make_broker
from workers.worker import RunningWorker

pytestmark = pytest.mark.services
THREADS = 2
OTHER = PullActivity(**download().model_dump())

HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "not UTF-8": b"\xff\xfe",
    "not JSON": b"hello",
    "a list": b"[]",
    "null": b"null",
    "deep": b"[" * 50_000,
    "huge integer": b"9" * 5_000,
    "too large": b" " * 300_000,
    "pickle": b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94.",
    "wrong queue_name": envelope_with(queue_name="nope"),
    "the name of another queue of ours": envelope_with(queue_name="activity"),
    "the delay queue's name": envelope_with(queue_name=DELAYED, options={"eta": 1}),
    "a good envelope of another queue": body_of(OTHER),
    "unknown actor": envelope_with(actor_name="nobody"),
    "known actor, not declared here": envelope_with(actor_name="reconcile", queue_name="reconcile"),
    "a list as actor_name": envelope_with(actor_name=[1]),
    "args": envelope_with(args=[1]),
    "args is a number": envelope_with(args=5),
    "kwargs is a list": envelope_with(kwargs=[1]),
    "kwargs of nothing": envelope_with(kwargs={}),
    "options is null": envelope_with(options=None),
    "options is a number": envelope_with(options=5),
    "options is a list": envelope_with(options=[]),
    "retries is text": envelope_with(options={"retries": "x"}),
    "retries is null": envelope_with(options={"retries": None}),
    "throws": envelope_with(options={"throws": "x"}),
    "max_retries": envelope_with(options={"max_retries": None}),
    "pipe_target": envelope_with(options={"pipe_target": {"actor_name": "download_subscriptions"}}),
    "on_success": envelope_with(options={"on_success": "download_subscriptions"}),
    "on_failure": envelope_with(options={"on_failure": "download_subscriptions"}),
    "on_retry_exhausted": envelope_with(options={"on_retry_exhausted": "download_subscriptions"}),
    "time_limit": envelope_with(options={"time_limit": 1}),
    "eta on a queue without delay": envelope_with(options={"eta": 99_999_999_999_999}),
    "an unknown field": envelope_with(surprise=1),
}


@dataclass
class Stage:
    bench: Bench
    script: Script
    other: Script
    worker: RunningWorker


@pytest.fixture(scope="module")
def bench(services: Services) -> Iterator[Bench]:
    prefix = f"envelopes-{secrets.token_hex(6)}-"
    internal, _edge = services.rabbitmq.make_vhosts(prefix)
    yield Bench(services.rabbitmq, internal)
    services.rabbitmq.delete_vhosts(prefix)


@pytest.fixture(scope="module")
def stage(bench: Bench) -> Iterator[Stage]:
    script, other = Script(), Script()
    broker = make_broker(bench.worker_url, threads=THREADS)
    with working(broker, script.declared(), also=other, threads=THREADS) as worker:
        assert eventually(worker.is_consuming)
        yield Stage(bench, script, other, worker)


def assert_refused(stage: Stage, body: bytes, queue: str) -> None:
    """More of them than there are threads, then a good one."""
    stage.bench.take(DEAD)
    stage.script.started.clear()
    consumers = [thread.consumer for thread in stage.worker._worker.consumers.values()]

    stage.bench.put(*[body] * (THREADS + 1), queue=queue)
    stage.bench.put(body_of(download(1)))

    assert eventually(lambda: stage.script.finished[-1:] == [1] and stage.bench.ready(DEAD) == THREADS + 1, within=5)
    assert stage.script.started == [1]
    assert stage.other.started == []
    assert stage.bench.take(DEAD) == [body] * (THREADS + 1)
    assert stage.worker.fault() is None
    assert [thread.consumer for thread in stage.worker._worker.consumers.values()] == consumers
    stage.script.finished.clear()


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_envelope_is_dead_lettered_and_the_next_message_is_served(stage: Stage, body: bytes) -> None:
    assert_refused(stage, body, QUEUE)


@pytest.mark.parametrize(
    "body",
    [
        b"hello",
        body_of(download(666)),
        envelope_with(queue_name=DELAYED),
        envelope_with(queue_name=DELAYED, options={"eta": "soon"}),
        envelope_with(queue_name=DELAYED, options={"eta": 99_999_999_999_999}),
    ],
    ids=["not JSON", "not delayed", "no eta", "eta is text", "eta in the year 5138"],
)
def test_the_delay_queue_is_as_strict(stage: Stage, body: bytes) -> None:
    assert_refused(stage, body, DELAYED)
