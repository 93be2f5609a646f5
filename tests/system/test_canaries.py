"""No secret is written but sealed: real processes, every failure that quotes one, then a search of everything."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

import anyio
import httpx
import pika
import psycopg
import pytest
from psycopg import sql

from connections.sealing import Sealing, credential_row
from sandbox.services import Services
from sandbox.stack import Stack, running_stack
from store import connections
from store.connect import open_connection
from store.connections import SealedGrant
from tests.console import conftest as terminal
from tests.system.living import Living

pytestmark = pytest.mark.services
MEMBERSHIPS = "/workspaces/{workspace_gid}/workspace_memberships"
CREDENTIALS = """SELECT r.kind, r.access_token_sealed, r.refresh_token_sealed, c.alias
                   FROM credential r JOIN connection c ON c.id = r.connection_id"""
CYCLE_ENDED = "SELECT FROM run WHERE kind = 'cycle' AND state IN ('finished', 'failed')"
MORE = {"SEATKEEPER_MAX_RETRIES": "1", "SEATKEEPER_LOG_LEVEL": "debug"}
COMMANDS = (
    ["connections"], ["keys", "status"], ["profile", "list"], ["profile", "show", "acme"], ["runs", "list"],
    ["events"], ["dead", "list"], ["quarantine", "list"], ["candidates", "acme"], ["coverage", "acme"],
    ["position", "acme"], ["plans", "list"], ["exempt", "list", "acme"], ["entitlement", "list", "acme"],
    ["profile", "validate", "acme"],
)  # fmt: skip


@pytest.fixture
def town(services: Services) -> Iterator[Living]:
    with running_stack(people=40, seed=11, more=MORE, services=services) as stack:
        yield Living(stack, since=datetime.now(UTC), ours="")


@contextmanager
def every_event(stack: Stack) -> Iterator[list[bytes]]:
    """Collect what comes out of the edge while the block runs."""
    parameters = pika.URLParameters(stack.edge_url("consumer"))
    line = pika.BlockingConnection(parameters)
    channel, bodies = line.channel(), list[bytes]()
    queue = channel.queue_declare("consumer.canaries", exclusive=True).method.queue
    channel.queue_bind(queue, "seatkeeper.events", "#")
    try:
        yield bodies
    finally:
        while (got := channel.basic_get(queue, auto_ack=True))[0] is not None:
            bodies.append(bytes(got[2]))
        line.close()


def held(town: Living) -> dict[str, str]:
    """Open every stored secret of a credential."""
    sealing, found = Sealing([town.stack.key]), dict[str, str]()
    for row in town.rows(CREDENTIALS):
        access = credential_row(row["alias"], row["kind"], "access_token")
        found[access] = sealing.open(row["access_token_sealed"], access)
        if row["refresh_token_sealed"]:
            refresh = credential_row(row["alias"], row["kind"], "refresh_token")
            found[refresh] = sealing.open(row["refresh_token_sealed"], refresh)
    return found


def keep_service_account(town: Living, token: str) -> None:
    """Keep a service account's token beside the person's."""

    async def work() -> None:
        async with open_connection(town.stack.database_url("owner")) as owner:
            known = await connections.get(owner, "acme")
            assert known is not None
            row = credential_row("acme", "service_account", "access_token")
            sealed = Sealing([town.stack.key]).seal(token, row)
            grant = SealedGrant(kind="service_account", user_gid="77", access_token=sealed)
            await connections.keep_grant(owner, known.id, "acme", grant, known.created_at)

    anyio.run(work)


def everything_written(town: Living) -> Iterator[tuple[str, bytes]]:
    """Give each log of ours, each row of each table, and what every command prints."""
    for log in town.stack.folder.glob("*.log"):
        if log.stem != "asana":  # the look-alike tells its own secrets to whoever starts it
            yield log.name, log.read_bytes()
    tables = [row["tablename"] for row in town.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    with psycopg.connect(town.stack.database_url("owner")) as owner:
        for table in tables:
            rows = owner.execute(sql.SQL("SELECT to_jsonb(t)::text FROM {} t").format(sql.Identifier(table))).fetchall()
            yield table, "\n".join(row[0] for row in rows).encode()
    seats = terminal.Seats(town.stack.environment("console"))
    for command in COMMANDS:
        ended = seats(*command, "--json")
        yield " ".join(command), (ended.out + ended.err).encode()


def fail_in_every_way(town: Living) -> None:
    """Let Asana answer with our own secrets, refuse them, and end the grant; leave a dead letter and bad requests."""
    tokens = held(town)
    body = json.dumps({"errors": [{"message": f"bad {tokens['credential/acme/oauth/access_token']} token"}]})
    for status in (500, 403):
        town.fault("answer", route=MEMBERSHIPS, status=status, body=body)
        assert town.ended(town.order("download"))["state"] == "failed"
        httpx.delete(f"{town.stack.asana.url}/-/sandbox/faults", trust_env=False)
    sent = f"{tokens['credential/acme/oauth/refresh_token']} of {town.stack.asana.client_secret}"
    refused = json.dumps({"error": "invalid_grant", "error_description": f"not {sent}"})
    town.fault("answer", route="/-/oauth_token", status=400, body=refused)
    town.fault("answer", route=MEMBERSHIPS, status=401, body=body)  # the worker still has its token: it has to renew
    assert town.ended(town.order("download"))["state"] == "failed"
    (lost,) = town.rows("SELECT state FROM credential WHERE kind = 'oauth'")
    assert lost["state"] == "reconnect_needed"
    assert town.events("ConnectionLost") == 1
    assert "reconnect" in town.stack.seats("profile", "show", "acme")
    line = pika.BlockingConnection(pika.URLParameters(town.stack.edge_url("requester")))
    line.channel().basic_publish("", "seatkeeper.requests", b"no request")
    line.close()
    town.until("a request was refused", lambda: town.rows("SELECT FROM quarantine") or None)


def shows(text: bytes, secret: str) -> bool:
    """Whether a text holds a secret, plain or as the database writes bytes."""
    return secret.encode() in text or secret.encode().hex().encode() in text


def secrets_of(town: Living, code: str, service: str) -> dict[str, str]:
    """Give everything that must not be found, by what it is."""
    stack = town.stack
    addresses = {f"database {role}": stack.database_url(role) for role in ("worker", "relay", "console", "owner")}
    addresses |= {user: stack.services.rabbitmq.url(user, stack.internal_vhost) for user in ("worker", "relay")}
    addresses |= {f"edge {user}": stack.edge_url(user) for user in ("relay", "intake")}
    passwords = {f"password of {name}": unquote(urlsplit(url).password or "") for name, url in addresses.items()}
    asana = {"client secret": stack.asana.client_secret, "code": code, "service account": service}
    return held(town) | passwords | asana | {"key": stack.key}


def test_no_secret_is_found_anywhere_but_sealed(town: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    stack, codes, whole = town.stack, list[str](), terminal.code_for

    def noted(address: str) -> str:
        codes.append(whole(address))
        return codes[-1]

    monkeypatch.setattr(terminal, "code_for", noted)
    env = stack.environment("console", {"SEATKEEPER_CLIENT_SECRET": stack.asana.client_secret})
    arguments = ("acme", f"--url={stack.asana.url}", f"--client-id={stack.asana.client_id}")
    connected = terminal.connect_by_browser(env, *arguments, "--requests-per-minute=unlimited", "--json")
    assert connected.returncode == 0, connected.stderr
    written = [("connect", (connected.stdout + connected.stderr).encode())]
    token = stack.asana.admin_token
    stack.seats("connect", "by-token", f"--url={stack.asana.url}", "--token-file=-", stdin=token + "\n")
    about = httpx.get(f"{stack.asana.url}/-/sandbox/about", trust_env=False).json()
    keep_service_account(town, about["service_account_token"])
    with every_event(stack) as bodies:
        stack.seats("profile", "create", "acme", "--connection=acme", "--plan=advanced")
        stack.seats("profile", "publish", "acme")
        town.until("the first cycle ended", lambda: town.rows(CYCLE_ENDED) or None)
        fail_in_every_way(town)
        hidden = secrets_of(town, codes[0], about["service_account_token"])
        written += list(everything_written(town))
    written += [("an event", body) for body in bodies]
    assert bodies
    assert len({name for name, _ in written}) > 40
    assert all(len(secret) >= 12 for secret in hidden.values())
    assert [(what, where) for where, text in written for what, secret in hidden.items() if shows(text, secret)] == []
    assert all(b"Traceback" not in text for where, text in written if where == "connect")
