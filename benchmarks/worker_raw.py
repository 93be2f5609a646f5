"""The peer of our worker, pika and psycopg and nothing else: `python -m benchmarks.worker_raw`.

The same queue, the same messages, the same transaction, as many messages in advance as our worker takes, and an
acknowledgement for each after its commit. No retry, no check of what came, no reconnecting, no threads.
"""

import json
import os
import resource
import signal
import sys
from functools import partial
from typing import Any

import pika
import psycopg

QUEUE = "reconcile"
INSERT = "INSERT INTO effect (run_id) VALUES (%s)"


def say_what_it_used() -> None:
    """Print the processor time of this process as one line of JSON, the last that it prints."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    sys.stdout.write(json.dumps({"cpu_s": used.ru_utime + used.ru_stime, "peak_mib": used.ru_maxrss / 1024}) + "\n")


def main() -> int:
    """Write a row for each message until SIGTERM."""
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["SEATKEEPER_INTERNAL_URL"]))
    channel = connection.channel()
    channel.basic_qos(prefetch_count=int(os.environ["SEATKEEPER_WORKER_THREADS"]))
    with psycopg.connect(os.environ["SEATKEEPER_DATABASE_URL"], autocommit=True) as database:
        channel.basic_consume(QUEUE, partial(_write_one_row, database))
        signal.signal(signal.SIGTERM, lambda *_: connection.add_callback_threadsafe(channel.stop_consuming))
        channel.start_consuming()
    connection.close()
    say_what_it_used()
    return 0


def _write_one_row(database: psycopg.Connection, channel: Any, method: Any, _properties: Any, body: bytes) -> None:  # noqa: ANN401 - pika ships no types
    command = json.loads(body)["kwargs"]
    with database.transaction():
        database.execute(INSERT, [command["run_id"]])
    channel.basic_ack(method.delivery_tag)


if __name__ == "__main__":
    sys.exit(main())
