"""A stack without an Asana: servers as safe as in production, our schema, and whatever processes a benchmark starts."""

import contextlib
import secrets
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from connections.sealing import new_key
from sandbox.services import Services, find_services
from sandbox.stack import OWNER, LookAlike, Stack, load_schema
from sandbox.supervisor import Supervisor

NOWHERE = LookAlike("http://127.0.0.1:1", "", "", "", "")
"""Whoever asks it is refused by the machine itself."""


@contextlib.contextmanager
def stack_without_asana(
    say: Callable[[str], None], *, durable: bool = True, services: Services | None = None
) -> Iterator[Stack]:
    """Give a stack with an empty database and no process running; all ends with the block.

    `durable` has Postgres write as on a server (fsync); `services` takes servers that run already instead.
    Raises ServiceError when there are none.
    """
    with contextlib.ExitStack() as until_the_end:
        found = services or until_the_end.enter_context(find_services(durable=durable, shared=False, say=say))
        name = secrets.token_hex(4)
        vhosts = found.rabbitmq.make_vhosts(f"bench-{name}-")
        until_the_end.callback(found.rabbitmq.delete_vhosts, f"bench-{name}-")
        database = f"seatkeeper_{name}"
        found.postgres.make_owner(OWNER)
        found.postgres.create_database(database, owner=OWNER)
        until_the_end.callback(found.postgres.drop_database, database)
        folder = Path(until_the_end.enter_context(tempfile.TemporaryDirectory(prefix="seatkeeper-bench-")))
        supervisor = until_the_end.enter_context(Supervisor(folder))
        stack = Stack(found, supervisor, NOWHERE, folder, *vhosts, database, new_key())
        say("loading the schema")
        load_schema(stack)
        yield stack
