"""Dramatiq as its guide has it, beside our whole way: `dramatiq benchmarks.request_bare --processes 1`.

The stock broker with the stock middleware, and an actor that notes when it begins.
"""

import os
import time
from pathlib import Path

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker

from benchmarks.request_noting import STARTED, Notes

URL, NOTES = "BENCH_BROKER_URL", "BENCH_NOTES"

broker = RabbitmqBroker(url=os.environ[URL])
dramatiq.set_broker(broker)
notes = Notes(Path(os.environ[NOTES]))


@dramatiq.actor(queue_name="bare")
def note_the_start(number: str) -> None:
    """Note when it begins."""
    notes.add(STARTED, number, time.time())
