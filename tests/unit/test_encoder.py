"""Envelopes and events on the wire: what we write is read back, and nothing else is."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from dramatiq.errors import DecodeError
from dramatiq.message import Message

from messages.commands import COMMANDS, Command, DownloadSubscriptions, ReclaimSubscription
from messages.encoder import LARGEST_ENVELOPE, LONGEST_DELAY, StrictEncoder, encode_command, encode_event
from messages.events import EVENTS

AT = datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)
NOW = AT.timestamp()
PAYLOAD = '{"user_gid": "1200"}'
RUN, MESSAGE, CORRELATION = (UUID(int=number) for number in (1, 2, 3))
ENCODER = StrictEncoder(clock=lambda: NOW)


def command_of(kind: type[Command]) -> Command:
    more = {"subscription_id": 17} if kind is ReclaimSubscription else {}
    return kind.model_validate({"run_id": RUN, "slice": 4, "correlation_id": CORRELATION, **more})


def envelope(**changes: object) -> dict[str, Any]:
    body = encode_command(command_of(DownloadSubscriptions), MESSAGE, AT)
    return {**json.loads(body), **changes}


def refusal(body: bytes) -> str:
    with pytest.raises(DecodeError) as refused:
        ENCODER.decode(body)
    return str(refused.value)


@pytest.mark.parametrize("kind", COMMANDS.values(), ids=COMMANDS)
def test_each_command_is_read_back_as_it_was_written(kind: type[Command]) -> None:
    command = command_of(kind)
    fields = ENCODER.decode(encode_command(command, MESSAGE, AT))
    assert fields == {
        "queue_name": kind.queue,
        "actor_name": kind.actor,
        "args": [],
        "kwargs": command.model_dump(mode="json"),
        "options": {},
        "message_id": str(MESSAGE),
        "message_timestamp": int(NOW * 1000),
    }
    assert kind.model_validate(fields["kwargs"]) == command


def test_dramatiq_reads_an_envelope_as_one_of_its_own() -> None:
    message: Message[None] = Message(**ENCODER.decode(encode_command(command_of(DownloadSubscriptions), MESSAGE, AT)))
    assert message.message_datetime == AT
    assert ENCODER.decode(ENCODER.encode(message.asdict())) == envelope()


def test_the_options_of_a_delayed_retry_are_read() -> None:
    millis = int(NOW * 1000)
    options = {"retries": 3, "traceback": "Trace", "requeue_timestamp": millis, "eta": millis + 1000}
    delayed = envelope(queue_name="download.DQ", options=options)
    assert ENCODER.decode(ENCODER.encode(delayed)) == delayed


def test_a_delay_has_a_limit() -> None:
    within = int((NOW + LONGEST_DELAY) * 1000)
    ENCODER.decode(ENCODER.encode(envelope(queue_name="download.DQ", options={"eta": within})))
    beyond = envelope(queue_name="download.DQ", options={"eta": within + 61_000})
    assert refusal(ENCODER.encode(beyond)) == "it is delayed by more than 900 seconds"


NO_OBJECT = "the body is not a JSON object"
NO_JSON = "the body is not JSON in UTF-8"
TEXT = json.dumps(envelope())


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", NO_JSON),
        (b"\xff\xfe", NO_JSON),
        (TEXT.encode("utf-16"), NO_JSON),
        (b"\xef\xbb\xbf" + TEXT.encode(), NO_JSON),
        (b"9" * 5000, NO_JSON),
        (TEXT.encode() + b"{}", NO_JSON),
        (b"[]", NO_OBJECT),
        (b"null", NO_OBJECT),
        (b'"download"', NO_OBJECT),
        (b"[" * 100_000, "the body is nested too deeply"),
        (
            b" " * (LARGEST_ENVELOPE + 1),
            f"the body has {LARGEST_ENVELOPE + 1} bytes; at most {LARGEST_ENVELOPE} are read",
        ),
        (TEXT.replace('"slice": 4', '"slice": NaN').encode(), "NaN is not JSON"),
        (TEXT.replace('"slice": 4', '"slice": -Infinity').encode(), "-Infinity is not JSON"),
        (TEXT.replace('"slice": 4', '"slice": 4, "slice": 5').encode(), "the key 'slice' is given twice"),
        (TEXT.replace('"args": []', '"args": [], "args": []').encode(), "the key 'args' is given twice"),
    ],
    ids=lambda value: repr(value[:20]) if isinstance(value, bytes) else "",
)
def test_what_is_no_envelope_at_all_is_refused(body: bytes, reason: str) -> None:
    assert refusal(body) == reason


@pytest.mark.parametrize(
    ("changes", "about"),
    [
        ({"queue_name": "nope"}, "the queue is 'nope'"),
        ({"queue_name": "activity"}, "the queue is 'activity'"),
        ({"queue_name": "download.DQ"}, "the queue is 'download.DQ'"),
        ({"queue_name": "download.XQ"}, "the queue is 'download.XQ'"),
        ({"options": {"eta": 1}}, "the queue is 'download'"),
        ({"queue_name": None}, "queue_name"),
        ({"queue_name": ["download"]}, "queue_name"),
        ({"actor_name": "os_system"}, "there is no actor 'os_system'"),
        ({"actor_name": [1]}, "actor_name"),
        ({"actor_name": {}}, "actor_name"),
        ({"actor_name": None}, "actor_name"),
        ({"args": 5}, "args"),
        ({"args": [1]}, "args"),
        ({"args": {}}, "args"),
        ({"args": None}, "args"),
        ({"kwargs": [1]}, "kwargs"),
        ({"kwargs": None}, "kwargs"),
        ({"kwargs": {}}, "run_id: Field required"),
        ({"kwargs": {**envelope()["kwargs"], "extra": 1}}, "extra"),
        ({"kwargs": {**envelope()["kwargs"], "slice": True}}, "slice"),
        ({"kwargs": {**envelope()["kwargs"], "slice": "4"}}, "slice"),
        ({"kwargs": {**envelope()["kwargs"], "slice": -1}}, "slice"),
        ({"kwargs": {**envelope()["kwargs"], "slice": 2**63}}, "slice"),
        ({"kwargs": {**envelope()["kwargs"], "run_id": 5}}, "run_id"),
        ({"options": None}, "options: it is not a JSON object"),
        ({"options": 5}, "options: it is not a JSON object"),
        ({"options": []}, "options: it is not a JSON object"),
        ({"options": {"retries": "x"}}, "options.retries"),
        ({"options": {"retries": True}}, "options.retries"),
        ({"options": {"retries": 1.0}}, "options.retries"),
        ({"options": {"retries": -1}}, "options.retries"),
        ({"options": {"retries": None}}, "options.retries"),
        ({"options": {"traceback": 5}}, "options.traceback"),
        ({"options": {"traceback": "x" * 70_000}}, "options.traceback"),
        ({"options": {"requeue_timestamp": "now"}}, "options.requeue_timestamp"),
        ({"options": {"eta": "soon"}}, "options.eta"),
        ({"options": {"eta": 1e18}}, "options.eta"),
        ({"message_id": None}, "message_id"),
        ({"message_id": "id\n"}, "message_id"),
        ({"message_timestamp": True}, "message_timestamp"),
        ({"message_timestamp": 1.5}, "message_timestamp"),
        ({"message_timestamp": -1}, "message_timestamp"),
        ({"surprise": 1}, "surprise"),
    ],
    ids=str,
)
def test_an_envelope_that_we_would_not_write_is_refused(changes: dict[str, object], about: str) -> None:
    assert about in refusal(json.dumps(envelope(**changes)).encode())


@pytest.mark.parametrize(
    "option",
    [
        "pipe_target",
        "pipe_ignore",
        "on_success",
        "on_failure",
        "on_retry_exhausted",
        "throws",
        "max_retries",
        "min_backoff",
        "max_backoff",
        "max_age",
        "time_limit",
        "notify_shutdown",
        "broker_priority",
        "group_completion_uuid",
    ],
)
def test_an_option_that_decides_what_runs_is_refused(option: str) -> None:
    assert option in refusal(json.dumps(envelope(options={option: 1})).encode())


@pytest.mark.parametrize("missing", list(envelope()))
def test_every_field_is_needed(missing: str) -> None:
    fields = envelope()
    del fields[missing]
    assert missing in refusal(json.dumps(fields).encode())


def test_a_refusal_does_not_repeat_what_it_refused() -> None:
    secret = "0/very-secret-token"
    assert secret not in refusal(json.dumps(envelope(options={"retries": secret})).encode())


def event(
    name: str = "SubscriptionGone", sequence: int = 42, profile: str | None = "acme", occurred_at: datetime = AT
) -> CloudEvent:
    body = encode_event(
        name, MESSAGE, "subscription/17", sequence, profile, PAYLOAD, occurred_at, correlation_id=CORRELATION
    )
    read = JSONFormat().read(CloudEvent, body)
    assert isinstance(read, CloudEvent)
    return read


def test_an_event_is_a_cloud_event() -> None:
    said = event()
    assert said.get_attributes() == {
        "specversion": "1.0",
        "id": str(MESSAGE),
        "source": "/seatkeeper/acme",
        "type": "io.seatkeeper.SubscriptionGone",
        "subject": "subscription/17",
        "time": AT,
        "datacontenttype": "application/json",
        "dataschema": "urn:seatkeeper:event:SubscriptionGone:1",
        "sequence": "00000000000000000042",
        "correlationid": str(CORRELATION),
    }
    assert said.get_data() == {"user_gid": "1200"}


def test_the_sequence_sorts_as_text() -> None:
    numbers = [0, 1, 9, 10, 99, 2**31, 2**63 - 1]
    texts = [event(sequence=number).get_extension("sequence") for number in numbers]
    assert texts == sorted(texts)
    assert [int(text) for text in texts] == numbers


def test_an_event_without_a_profile_has_a_source() -> None:
    assert event(profile=None).get_source() == "/seatkeeper"


def test_the_time_of_an_event_is_utc() -> None:
    there = AT.astimezone(timezone(timedelta(hours=14)))
    body = encode_event("RunStarted", MESSAGE, "run/1", 1, None, "{}", there, CORRELATION)
    assert b'"time": "2026-03-01T12:30:15.250000Z"' in body


@pytest.mark.parametrize("name", EVENTS)
@pytest.mark.parametrize("profile", ["acme", None])
@pytest.mark.parametrize("at", [AT, AT.replace(microsecond=0), AT.astimezone(timezone(timedelta(hours=-9)))], ids=str)
def test_what_is_spliced_is_what_the_sdk_writes(name: str, profile: str | None, at: datetime) -> None:
    subject, payload = 'request/"ä\\\u2028', '{"why": "said \\"no\\" ünd \\n", "n": [1, null, 0.5], "ok": true}'
    ours = encode_event(name, MESSAGE, subject, 7, profile, payload, at, CORRELATION)
    attributes = {
        "id": str(MESSAGE),
        "source": f"/seatkeeper/{profile}" if profile else "/seatkeeper",
        "type": f"io.seatkeeper.{name}",
        "subject": subject,
        "time": at.astimezone(UTC),
        "datacontenttype": "application/json",
        "dataschema": f"urn:seatkeeper:event:{name}:{EVENTS[name].version}",
        "sequence": "00000000000000000007",
        "correlationid": str(CORRELATION),
    }
    theirs = JSONFormat().write(CloudEvent(attributes, json.loads(payload)))
    assert json.loads(ours, object_pairs_hook=sorted) == json.loads(theirs, object_pairs_hook=sorted)


@pytest.mark.parametrize(
    "wrong",
    [
        {"subject": ""},
        {"sequence": -1},
        {"payload": "[1]"},
        {"payload": "null"},
        {"payload": ""},
        {"occurred_at": AT.replace(tzinfo=None)},
    ],
    ids=str,
)
def test_an_event_that_we_would_not_say_is_refused(wrong: dict[str, Any]) -> None:
    right: dict[str, Any] = {"subject": "run/1", "sequence": 1, "payload": "{}", "occurred_at": AT}
    assert encode_event("RunStarted", MESSAGE, profile=None, correlation_id=CORRELATION, **right)
    with pytest.raises(ValueError, match="an event has a subject"):
        encode_event("RunStarted", MESSAGE, profile=None, correlation_id=CORRELATION, **(right | wrong))


@pytest.mark.parametrize("name", EVENTS)
def test_every_event_has_its_schema(name: str) -> None:
    assert event(name=name).get_dataschema() == f"urn:seatkeeper:event:{name}:{EVENTS[name].version}"


def test_an_unknown_event_is_not_said() -> None:
    with pytest.raises(KeyError, match="Unheard"):
        event(name="Unheard")
