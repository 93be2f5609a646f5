"""The peer of our worker, pika and psycopg and nothing else: `python -m benchmarks.worker_raw`.

The same queue, the same messages, the same transaction, as many messages in advance as our worker takes, and an
acknowledgement for each after its commit. No retry, no check of what came, no reconnecting, no threads.
"""

import json
import os
import resource
import signal
import sys
import time
from functools import partial

import pika
import psycopg
from pika.adapters.blocking_connection import BlockingChannel
from pika.spec import Basic

QUEUE = "reconcile"
INSERT = "INSERT INTO effect (run_id) VALUES (%s)"


class Meter:
    """The processor time of this process from its first message on: its start is not what is compared."""

    def __init__(self) -> None:
        """Wait for the first message."""
        self._at_first: float | None = None

    def message(self) -> None:
        """Note that a message came."""
        if self._at_first is None:
            self._at_first = time.process_time()

    def tell(self) -> None:
        """Print it as one line of JSON, the last that the process prints."""
        used = time.process_time() - (self._at_first or 0.0)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        sys.stdout.write(json.dumps({"cpu_s": used, "peak_mib": peak}) + "\n")


def main() -> int:
    """Write a row for each message until SIGTERM."""
    meter = Meter()
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["SEATKEEPER_INTERNAL_URL"]))
    channel = connection.channel()
    channel.basic_qos(prefetch_count=int(os.environ["SEATKEEPER_WORKER_THREADS"]))
    with psycopg.connect(os.environ["SEATKEEPER_DATABASE_URL"], autocommit=True) as database:
        channel.basic_consume(QUEUE, partial(_write_one_row, meter, database))
        signal.signal(signal.SIGTERM, lambda *_: connection.add_callback_threadsafe(channel.stop_consuming))
        channel.start_consuming()
    connection.close()
    meter.tell()
    return 0


def _write_one_row(
    meter: Meter,
    database: psycopg.Connection,
    channel: BlockingChannel,
    method: Basic.Deliver,
    _properties: object,
    body: bytes,
) -> None:
    meter.message()
    command = json.loads(body)["kwargs"]
    with database.transaction():
        database.execute(INSERT, [command["run_id"]])
    channel.basic_ack(method.delivery_tag)


if __name__ == "__main__":
    sys.exit(main())
