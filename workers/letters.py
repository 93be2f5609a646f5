"""Rows of the outbox as they go over the wire: where each goes, with which body and properties."""

from dataclasses import dataclass

from messages.commands import COMMANDS
from messages.encoder import EVENT_CONTENT_TYPE, encode_command, encode_event
from messages.routing import EVENTS_EXCHANGE, command_routing_key, event_routing_key
from store.outbox import Outgoing


@dataclass(frozen=True, slots=True)
class Letter:
    """One message as it is published."""

    exchange: str
    routing_key: str
    body: bytes
    content_type: str
    mandatory: bool


def write(message: Outgoing) -> Letter:
    """Return the message as it goes over the wire; KeyError or ValueError for one that nobody of ours wrote."""
    if message.channel == "command":
        command = COMMANDS[message.name].model_validate_json(message.json)
        body = encode_command(command, message.message_id, message.occurred_at)
        return Letter("", command_routing_key(command), body, "application/json", mandatory=True)
    assert message.subject is not None
    assert message.sequence is not None
    body = encode_event(
        message.name,
        message.message_id,
        message.subject,
        message.sequence,
        message.profile,
        message.json,
        message.occurred_at,
        message.correlation_id,
    )
    routing_key = event_routing_key(message.profile, message.name)
    return Letter(EVENTS_EXCHANGE, routing_key, body, EVENT_CONTENT_TYPE, mandatory=False)
