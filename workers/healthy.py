"""Asks a process of this container whether it is well: `python -m workers.healthy`, for Compose's health checks.

It asks `/health` on SEATKEEPER_OPERATIONS_PORT, says what is wrong, one line for each check, and exits 0 or 1. It runs
every few seconds in every container, so it reads that one variable itself and speaks plain HTTP/1.0 over a socket:
loading the settings or an HTTP client would cost more than all else that it does.
"""

import json
import os
import socket
import sys

PORT = "SEATKEEPER_OPERATIONS_PORT"
PATIENCE = 8.0
"""Seconds; a process asks all of its checks at once, and gives them five."""


def main() -> int:
    """Ask, print the answer in words, and return 0 for a healthy process, 78 for a wrong port, else 1."""
    port = os.environ.get(PORT, "")
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        sys.stdout.write(f"{PORT} must be the port where the process answers /health\n")
        return os.EX_CONFIG
    try:
        well, words = _read(_ask(int(port)))
    except (OSError, ValueError) as error:
        well, words = False, f"127.0.0.1:{port} does not answer /health: {error}"
    sys.stdout.write(f"{words}\n")
    return 0 if well else 1


def _ask(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as asked:
        asked.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        return b"".join(iter(lambda: asked.recv(65536), b""))


def _read(answer: bytes) -> tuple[bool, str]:
    """Give whether it is well, and what each check said; ValueError for what is no answer of ours."""
    head, _, body = answer.partition(b"\r\n\r\n")
    said = json.loads(body)
    if not isinstance(said, dict) or not isinstance(said.get("checks"), dict):
        raise ValueError("the answer is not Seatkeeper's")  # noqa: TRY004 - a wrong answer, not a wrong argument
    well = said.get("healthy") is True and b" 200 " in head.partition(b"\r\n")[0]
    troubles = [f"{name}: {words}" for name, words in said["checks"].items() if words != "ok"]
    return well, "; ".join(troubles) or "well"


if __name__ == "__main__":
    raise SystemExit(main())
