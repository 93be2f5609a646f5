"""What goes over the wire, byte for byte: commands as Dramatiq envelopes, events as CloudEvents.

An envelope decides what runs, with which arguments and how often, so whoever can write one can do much: Dramatiq's
own decoder accepts any JSON, and measured against it a wrong `queue_name` killed a worker thread for each message,
`options: null` restarted the consumer for ever, and `pipe_target` ran another actor. Ours accepts exactly what
`encode_command` writes and what Dramatiq's own retry and delay add to it. Everything else raises DecodeError, which
makes the consumer dead-letter the message without running it.

Events are CloudEvents 1.0 in structured JSON mode (the whole event is the body, content type EVENT_CONTENT_TYPE). They
are spliced from text: Postgres gives the payload as JSON, and reading it only to write it again would be work for
nothing. The tests hold what is written, for every type of event, against what the CloudEvents SDK writes.
"""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from uuid import UUID

from dramatiq.encoder import Encoder, MessageData
from dramatiq.errors import DecodeError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from messages.commands import COMMANDS, Command
from messages.errors import EnvelopeError, MessageError
from messages.events import EVENTS
from messages.strict_json import read_object

LARGEST_ENVELOPE = 256 * 1024
"""Bytes."""
LONGEST_DELAY = 15 * 60
"""Seconds. A delayed message is held unacknowledged in a worker's memory; RabbitMQ takes it away after 30 minutes."""
_CLOCKS_DIFFER = 60
EVENT_CONTENT_TYPE = "application/cloudevents+json"


class _Options(BaseModel):
    """What Dramatiq's Retries and `enqueue(delay=)` write. Any other option can run or stop something."""

    model_config = ConfigDict(extra="forbid", strict=True)

    retries: int = Field(default=0, ge=0, le=1000)
    traceback: str = Field(default="", max_length=64 * 1024)
    requeue_timestamp: int = Field(default=0, ge=0, le=2**53)
    eta: int | None = Field(default=None, ge=0, le=2**53)


class _Envelope(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    queue_name: str
    actor_name: str
    args: list[object] = Field(max_length=0)
    kwargs: dict[str, object]
    options: _Options
    message_id: str = Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
    message_timestamp: int = Field(ge=0, le=2**53)


def encode_command(command: Command, message_id: UUID | str, at: datetime) -> bytes:
    """Return the envelope of `command`; `at` (aware) is when it was written, kept to the millisecond.

    The outbox gives the id, so that the same row sent twice is recognizably the same message.
    """
    envelope = {
        "queue_name": command.queue,
        "actor_name": command.actor,
        "args": [],
        "kwargs": command.model_dump(mode="json"),
        "options": {},
        "message_id": str(message_id),
        "message_timestamp": int(at.timestamp() * 1000),
    }
    return _write(envelope)


def read_envelope(body: bytes, now: float) -> dict[str, object]:
    """Return the fields of the envelope in `body`, or raise EnvelopeError with the reason in one sentence.

    `now` (Unix seconds) bounds how far ahead a delayed message may lie.
    """
    fields = _read_object(body)
    try:
        envelope = _Envelope.model_validate(fields)
        command = COMMANDS.get(envelope.actor_name)
        if command is None:
            raise EnvelopeError(f"there is no actor {envelope.actor_name[:60]!r}")
        command.model_validate_json(json.dumps(envelope.kwargs))
    except ValidationError as error:
        raise EnvelopeError(_sentence(error)) from None
    _check_queue(envelope, command, now)
    return fields


class StrictEncoder(Encoder):
    """Dramatiq's encoder for our queues; see the top of this file."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """`clock` returns Unix seconds."""
        self._clock = clock

    def encode(self, data: MessageData) -> bytes:
        """Return the envelope as JSON; called for Dramatiq's own retries."""
        return _write(data)

    def decode(self, data: bytes) -> MessageData:
        """Return the envelope's fields, or raise DecodeError, which dead-letters the message."""
        try:
            return read_envelope(data, self._clock())
        except EnvelopeError as error:
            raise DecodeError(str(error), data, error) from None


def encode_event(
    name: str,
    message_id: UUID | str,
    subject: str,
    sequence: int,
    profile: str | None,
    payload: str,
    occurred_at: datetime,
    correlation_id: UUID | str,
) -> bytes:
    """Return the event as a CloudEvent in structured JSON; the body's content type is EVENT_CONTENT_TYPE.

    `name` is one of EVENTS (KeyError otherwise), `payload` is a JSON object as text and `occurred_at` is aware.
    ValueError for what we never say: no subject, a negative sequence, a payload that is no object, a time without its
    zone. `sequence` orders the events of one subject; the sequence extension asks for text that sorts as text, so it
    has twenty digits with leading zeros.
    """
    kind = _kind(name, profile)
    if not subject or sequence < 0 or payload[:1] != "{" or occurred_at.tzinfo is None:
        raise ValueError("an event has a subject, a sequence from 0, a JSON object as its payload and a zone")
    time_of_it = occurred_at.astimezone(UTC).replace(tzinfo=None).isoformat()
    return (
        f'{{"id": "{message_id}", {kind}, "subject": {json.dumps(subject)}, "time": "{time_of_it}Z", '
        f'"sequence": "{sequence:020d}", "correlationid": "{correlation_id}", "data": {payload}}}'
    ).encode()


@lru_cache(maxsize=4096)
def _kind(name: str, profile: str | None) -> str:
    """Write the attributes that all events of one type and profile share."""
    attributes = {
        "specversion": "1.0",
        "source": f"/seatkeeper/{profile}" if profile else "/seatkeeper",
        "type": f"io.seatkeeper.{name}",
        "datacontenttype": "application/json",
        "dataschema": f"urn:seatkeeper:event:{name}:{EVENTS[name].version}",
    }
    return json.dumps(attributes)[1:-1]


def _check_queue(envelope: _Envelope, command: type[Command], now: float) -> None:
    delayed = envelope.options.eta is not None
    queue = f"{command.queue}.DQ" if delayed else command.queue
    if envelope.queue_name != queue:
        raise EnvelopeError(f"the queue is {envelope.queue_name[:60]!r}, not {queue!r}")
    if envelope.options.eta is not None and envelope.options.eta / 1000 > now + LONGEST_DELAY + _CLOCKS_DIFFER:
        raise EnvelopeError(f"it is delayed by more than {LONGEST_DELAY} seconds")


def _read_object(body: bytes) -> dict[str, object]:
    try:
        return read_object(body, largest=LARGEST_ENVELOPE)
    except MessageError as error:
        raise EnvelopeError(str(error)) from None


def _sentence(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part)[:60] for part in problem["loc"])
    what = "it is not a JSON object" if problem["type"] == "model_type" else problem["msg"]
    return f"{where}: {what}"


def _write(envelope: dict[str, object]) -> bytes:
    return json.dumps(envelope, separators=(",", ":"), allow_nan=False).encode("utf-8")
