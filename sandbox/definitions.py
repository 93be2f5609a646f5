"""The one description of virtual hosts, users, queues and the exchange, for the sandbox and for a server alike.

RabbitMQ reads `definitions.json` itself (`load_definitions`) once its placeholders are filled in.

`worker` and `reclaim` declare, read and delete their own queues alone. Both write to the default exchange, since
Dramatiq sends a retry through it and queues dead-letter through it, and RabbitMQ does not ask there which queue is
meant: each can still put a message into any queue of `internal`. What such a message may do is held by the database: a
removal needs an approved plan, whoever sent the command.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

PATH = Path(__file__).resolve().parent / "definitions.json"

USERS = ("worker", "reclaim", "relay", "intake", "requester", "consumer")


class Definitions(TypedDict):
    """The document in the form that RabbitMQ's management API takes; every entry but a user is of one virtual host."""

    vhosts: list[dict[str, object]]
    users: list[dict[str, object]]
    permissions: list[dict[str, object]]
    exchanges: list[dict[str, object]]
    queues: list[dict[str, object]]
    bindings: list[dict[str, object]]


def definitions(password_of: Callable[[str], str], prefix: str = "") -> Definitions:
    """Give the definitions with their passwords, each virtual host's name preceded by `prefix`."""
    text = PATH.read_text(encoding="utf-8")
    for user in USERS:
        text = text.replace(f"${{{user}_password}}", password_of(user))
    document: Definitions = json.loads(text)
    for vhost in document["vhosts"]:
        vhost["name"] = f"{prefix}{vhost['name']}"
    for entry in (*document["permissions"], *document["exchanges"], *document["queues"], *document["bindings"]):
        entry["vhost"] = f"{prefix}{entry['vhost']}"
    return document
