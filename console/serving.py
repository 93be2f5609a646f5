"""`seats serve`: the page for Asana's answers, as a process of its own behind whatever ends TLS."""

import socket
import sys
from typing import Annotated

import typer

from connections.sealing import Sealing
from console.errors import CommandFailed
from console.output import AsJson, show
from console.session import run, sealing
from console.style import examples
from settings import CALLBACK, read_settings
from store.connect import open_pool

HELP = examples("serve", "serve --port 8950")


def serve(
    port: Annotated[
        int | None,
        typer.Option(help="Where to listen; else SEATKEEPER_SERVE_PORT.", min=0, max=65535, show_default="8950"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Serve the page that Asana sends browsers back to, until a signal comes.

    It listens on 127.0.0.1; what ends TLS before it is SEATKEEPER_PUBLIC_URL.
    """
    run(_serve(port, sealing(), as_json=as_json))


async def _serve(port: int | None, seal: Sealing, *, as_json: bool) -> None:
    from console.callback import make_server  # noqa: PLC0415 - no other command needs a web server loaded

    settings = read_settings("database_url")
    sock = _listening(settings.serve_host, settings.serve_port if port is None else port)
    with sock:
        async with open_pool(settings.url("database_url"), size=2) as pool:
            host, bound = sock.getsockname()[:2]
            url = f"http://[{host}]:{bound}" if ":" in host else f"http://{host}:{bound}"
            show({"url": url, "callback": CALLBACK}, f"Asana's answers are taken at {url}{CALLBACK}", as_json=as_json)
            sys.stdout.flush()
            await make_server(pool, seal).serve([sock])


def _listening(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise CommandFailed(f"nobody can listen on {host}:{port}: {error.strerror}") from None
