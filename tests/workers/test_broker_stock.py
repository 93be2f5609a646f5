"""What stock Dramatiq does with envelopes that ours dead-letters: why `messages/encoder.py` is so strict.

Each asserts the harm. Should a later Dramatiq do without, these fail and say what need not be guarded any more.
"""

import pytest

from messages.commands import Command, PullActivity
from tests.conftest import Vhosts
from tests.workers.broker_stage import (
    DEAD,
    Bench,
    Script,
    body_of,
    download,
    envelope_with,
    eventually,
    stock_broker,
    working,
)

pytestmark = [
    pytest.mark.services,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]


@pytest.fixture
def bench(vhosts: Vhosts) -> Bench:
    return Bench(vhosts.rabbitmq, vhosts.internal)


async def fail(command: Command) -> None:
    raise RuntimeError(f"slice {command.slice} fails, as the test said")


@pytest.mark.parametrize(
    "body",
    [
        envelope_with(queue_name="nope"),
        body_of(PullActivity(**download().model_dump())),
        envelope_with(options={"throws": "x"}),
    ],
    ids=["wrong queue_name", "a good envelope of another queue", "throws"],
)
def test_a_worker_thread_dies_of_each(bench: Bench, body: bytes) -> None:
    other = Script(fail)
    with working(stock_broker(bench.worker_url), Script(fail).declared(), also=other) as worker:
        bench.put(body, body)
        assert eventually(lambda: worker.live_worker_threads() == 0)
        assert worker.fault() == "0 of 2 worker threads are alive"


@pytest.mark.parametrize(
    "body",
    [envelope_with(options=None), envelope_with(actor_name=[1])],
    ids=["options is null", "a list as actor_name"],
)
def test_nothing_behind_it_is_ever_served(bench: Bench, body: bytes) -> None:
    script = Script()
    with working(stock_broker(bench.worker_url), script.declared()):
        bench.put(body, body_of(download(1)))
        assert not eventually(lambda: script.finished == [1], within=2)
    assert bench.ready(DEAD) == 0


def test_it_runs_the_actor_that_the_sender_names(bench: Bench) -> None:
    script = Script()
    with working(stock_broker(bench.worker_url), script.declared()):
        kwargs = download(13).model_dump(mode="json")
        target = {
            "queue_name": "download",
            "actor_name": "download_subscriptions",
            "args": [],
            "kwargs": kwargs,
            "options": {"pipe_ignore": True},
            "message_id": "1",
            "message_timestamp": 1,
        }
        bench.put(envelope_with(options={"pipe_target": target}))
        assert eventually(lambda: script.finished == [666, 13])
