"""What outsiders do, with plain pika: drop a request on the queue, and read events from a queue of their own."""

import json
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from uuid import uuid4

import pika

REQUESTS = "seatkeeper.requests"
EVENTS = "seatkeeper.events"


def drop_request(edge_url: str, **wish: object) -> str:
    """Publish a request as an operations person would; return its id."""
    request_id = str(uuid4())
    body = json.dumps({"id": request_id, "requested_by": "operations", **wish}).encode()
    connection = pika.BlockingConnection(pika.URLParameters(edge_url))
    try:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("", REQUESTS, body, pika.BasicProperties(delivery_mode=2), mandatory=True)
    finally:
        connection.close()
    return request_id


@dataclass(frozen=True)
class Received:
    """One event as it came: CloudEvents 1.0, structured."""

    id: str
    type: str
    subject: str
    sequence: int
    correlation_id: str
    data: dict[str, object]


@dataclass
class EventReader:
    """Reads every event from a queue of its own, in a thread. An event that comes twice is kept once, by its id."""

    edge_url: str
    queue: str = "consumer.demo"
    received: dict[str, Received] = field(default_factory=dict)
    repeated: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._connection = pika.BlockingConnection(pika.URLParameters(self.edge_url))
        self._channel = self._connection.channel()
        self._channel.queue_declare(self.queue, exclusive=True)
        self._channel.queue_bind(self.queue, EVENTS, routing_key="#")
        self._thread = threading.Thread(target=self._read, name="event reader", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(10)
        self._connection.close()

    def _read(self) -> None:
        self._channel.basic_qos(prefetch_count=500)
        for method, _, body in self._channel.consume(self.queue, inactivity_timeout=0.1):
            if method is not None:
                self._take(json.loads(body))
                self._channel.basic_ack(method.delivery_tag)
            if self._stop.is_set():
                return

    def _take(self, event: dict[str, object]) -> None:
        data = event["data"]
        assert isinstance(data, dict)
        received = Received(
            id=str(event["id"]),
            type=str(event["type"]).rpartition(".")[2],
            subject=str(event["subject"]),
            sequence=int(str(event["sequence"])),
            correlation_id=str(event["correlationid"]),
            data=data,
        )
        self.repeated += received.id in self.received
        self.received[received.id] = received

    def of(self, *types: str) -> list[Received]:
        """Return the events of these types so far."""
        return [event for event in list(self.received.values()) if event.type in types]

    def wait_for(self, correlation_id: str, *types: str, within: float = 60.0) -> Received:
        """Return the first event of these types that answers a request; TimeoutError when none comes."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            for event in self.of(*types):
                if event.correlation_id == correlation_id:
                    return event
            time.sleep(0.02)
        raise TimeoutError(f"no {' or '.join(types)} came for {correlation_id} within {within:.0f} seconds")

    def settle(self, count: int, within: float = 30.0) -> None:
        """Return once so many different events have come, or after `within` seconds."""
        deadline = time.monotonic() + within
        while len(self.received) < count and time.monotonic() < deadline:
            time.sleep(0.02)
