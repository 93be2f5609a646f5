"""Asks whether something listens where a Docker engine would.

Docker's own library takes half a second to load, and leaves a socket open when nothing listens; so it is used only
after this.
"""

import os
import socket
from urllib.parse import urlsplit

USUAL = "unix:///var/run/docker.sock"


def engine_listens() -> bool:
    """Whether DOCKER_HOST, or the usual socket, accepts a connection within five seconds."""
    host = urlsplit(os.environ.get("DOCKER_HOST") or USUAL)
    family, address = (
        (socket.AF_UNIX, host.path) if host.scheme == "unix" else (socket.AF_INET, (host.hostname, host.port or 2375))
    )
    with socket.socket(family) as one:
        one.settimeout(5)
        try:
            one.connect(address)
        except OSError:
            return False
    return True
