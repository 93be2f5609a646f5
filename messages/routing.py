"""Where messages go: the names of queues, exchanges and routing keys, said once."""

from messages.commands import Command

REQUESTS_QUEUE = "seatkeeper.requests"
EVENTS_EXCHANGE = "seatkeeper.events"
NO_PROFILE = "-"
"""Stands for the profile in the routing key of an event that belongs to none."""


def event_routing_key(profile: str | None, event_type: str) -> str:
    """Return `<profile>.<EventType>`: a consumer binds `acme.*`, `*.SubscriptionReclaimed` or `#`."""
    return f"{profile or NO_PROFILE}.{event_type}"


def command_routing_key(command: Command) -> str:
    """Return the queue; commands go through the default exchange."""
    return command.queue
