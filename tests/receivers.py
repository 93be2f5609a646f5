"""Real receivers of alerts: a webhook that can refuse or be deaf, and a mail server that keeps what it is given."""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

SECRET = "s3cretOfTheChannel"


@dataclass
class Webhook:
    """Keeps what is posted to it, and answers with `status`."""

    port: int
    status: int = 200
    got: list[dict[str, str]] = field(default_factory=list)

    @property
    def address(self) -> str:
        """The address as Apprise takes it, with secrets in each place that can hold one."""
        return f"json://user:{SECRET}@127.0.0.1:{self.port}/{SECRET}?+X-Token={SECRET}"


@contextmanager
def webhook() -> Iterator[Webhook]:
    """Listen until the block ends."""

    class Answer(BaseHTTPRequestHandler):
        here: ClassVar[Webhook]

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.here.status == 200:
                self.here.got.append({"title": body["title"], "message": body["message"]})
            self.send_response(self.here.status)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        Answer.here = Webhook(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield Answer.here
        server.shutdown()
        thread.join()


@contextmanager
def deaf() -> Iterator[str]:
    """Listen and never answer; give the address."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"json://user:{SECRET}@127.0.0.1:{listening.getsockname()[1]}/"


@dataclass
class Mailbox:
    """Keeps the messages that were given to it, as they came."""

    port: int
    got: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        """The address as Apprise takes it."""
        return f"mailto://127.0.0.1:{self.port}?from=seats@example.com&to=ops@example.com&mode=insecure"


@asynccontextmanager
async def mailbox() -> AsyncIterator[Mailbox]:
    """Be a mail server, as far as a sender without a login needs one, until the block ends."""
    kept: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            command = line.split()[0].upper() if line.split() else b""
            if command == b"DATA":
                writer.write(b"354 go on\r\n")
                kept.append((await reader.readuntil(b"\r\n.\r\n")).decode())
            writer.write(b"221 bye\r\n" if command == b"QUIT" else b"250 yes\r\n")
            if command == b"QUIT":
                break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield Mailbox(server.sockets[0].getsockname()[1], kept)
