"""The relay's peer: pika alone, publishing bodies that lie ready in memory. `python -m benchmarks.relay_peer`

It reads lines of JSON from a file, publishes them on one channel in confirm mode with as many messages outstanding as
the relay has, and prints what that took. pika's asyncio adapter and its select adapter are both here.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pika
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.adapters.select_connection import SelectConnection

ADAPTERS = {"asyncio": AsyncioConnection, "select": SelectConnection}
Letter = tuple[str, str, str, bool, str, bytes]


class Peer:
    """Publishes batch after batch; `outstanding` messages at most wait for their confirm."""

    def __init__(self, letters: list[Letter], *, batch: int, outstanding: int, done: Callable[[], None]) -> None:
        """Take what is to be published."""
        self._left = deque(letters[at : at + batch] for at in range(0, len(letters), batch))
        self._batch, self._outstanding, self._done = batch, outstanding, done
        self._published = self._confirmed = self._below = 0
        self._alone: set[int] = set()
        self.began = self.ended = (0.0, 0.0)
        self._channel: Any = None

    def open(self, connection: Any) -> None:  # noqa: ANN401 - pika ships no types
        """Go on from an open connection."""
        connection.channel(on_open_callback=self._confirming)

    def _confirming(self, channel: Any) -> None:  # noqa: ANN401 - pika ships no types
        self._channel = channel
        channel.confirm_delivery(self._on_confirm, callback=self._begin)

    def _begin(self, _frame: object) -> None:
        self.began = (time.perf_counter(), time.process_time())
        self._publish()

    def _publish(self) -> None:
        while self._left and self._published - self._confirmed + self._batch <= self._outstanding:
            for exchange, routing_key, content_type, mandatory, message_id, body in self._left.popleft():
                properties = pika.BasicProperties(content_type=content_type, delivery_mode=2, message_id=message_id)
                self._channel.basic_publish(exchange, routing_key, body, properties, mandatory=mandatory)
                self._published += 1

    def _on_confirm(self, frame: Any) -> None:  # noqa: ANN401 - pika ships no types
        tag = frame.method.delivery_tag
        if frame.method.NAME != "Basic.Ack":
            raise RuntimeError("RabbitMQ did not take a message")
        if frame.method.multiple:
            self._confirmed += tag - self._below - sum(1 for one in self._alone if one <= tag)
            self._alone = {one for one in self._alone if one > tag}
            self._below = tag
        else:
            self._confirmed += 1
            self._alone.add(tag)
        if self._left:
            self._publish()
        elif self._confirmed == self._published:
            self.ended = (time.perf_counter(), time.process_time())
            self._done()


def publish(adapter: str, url: str, letters: list[Letter], *, batch: int, outstanding: int) -> dict[str, float]:
    """Publish all; give the seconds and the processor seconds from the first to the last confirm."""
    loop = asyncio.new_event_loop() if adapter == "asyncio" else None

    def done() -> None:
        loop.stop() if loop is not None else connection.ioloop.stop()

    peer = Peer(letters, batch=batch, outstanding=outstanding, done=done)
    connection = ADAPTERS[adapter](pika.URLParameters(url), on_open_callback=peer.open, custom_ioloop=loop)
    (loop.run_forever if loop is not None else connection.ioloop.start)()
    return {"wall_s": peer.ended[0] - peer.began[0], "cpu_s": peer.ended[1] - peer.began[1]}


def read(path: Path) -> list[Letter]:
    """Read the lines of JSON that `relay_stage.letters` gives."""
    with path.open(encoding="utf-8") as lines:
        return [(*fields, body.encode()) for *fields, body in map(json.loads, lines)]


def read_told(line: str) -> dict[str, float]:
    """Read what `main` printed."""
    told = json.loads(line)
    return {name: float(told[name]) for name in ("wall_s", "cpu_s")}


def main() -> int:
    """Publish what the arguments say and print a line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.relay_peer", description=__doc__)
    parser.add_argument("letters", type=Path, help="lines of JSON")
    parser.add_argument("--adapter", choices=ADAPTERS, default="asyncio")
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--outstanding", type=int, required=True)
    chosen = parser.parse_args()
    url = sys.stdin.readline().strip()  # it holds a password, which is no argument
    took = publish(chosen.adapter, url, read(chosen.letters), batch=chosen.batch, outstanding=chosen.outstanding)
    sys.stdout.write(json.dumps(took) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
