"""Makes the secrets of a server that runs compose.yaml: `scripts/compose-secrets --help`.

Passwords, the addresses that hold them, the key that seals tokens, and RabbitMQ's definitions, each in a file of its
own. It needs Python and nothing else, since it runs before anything is installed, and never writes over a secret: what
is there already is kept, and what is missing is made to fit it. Only RabbitMQ's definitions, which hold the hashes of
passwords that stand in files of their own, are written again when a new version describes them otherwise.
"""

import argparse
import base64
import hashlib
import json
import secrets
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from sandbox.definitions import USERS, definitions

ROLES = ("owner", "relay", "intake", "scheduler", "worker", "reclaim", "console")
INTERNAL, EDGE = ("relay", "intake", "worker"), ("relay", "intake")
OUTSIDERS = ("requester", "consumer")
ADMINISTRATOR = "operator"
"""Who may open RabbitMQ's management page."""
EXAMPLES = """
examples:
  scripts/compose-secrets
  scripts/compose-secrets --folder /etc/seatkeeper/secrets       then: export SEATKEEPER_SECRETS=/etc/seatkeeper/secrets

Run it again at any time, and after each update: it makes what is missing and writes over no secret.
"""
DEFINITIONS = "rabbitmq_definitions.json"


class SecretsFolder:
    """The folder. Nobody but its owner enters it; a container is given single files, and may run as anybody."""

    def __init__(self, path: Path) -> None:
        """Make the folder where there is none, closed to all others."""
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
        self.path = path
        self.made: list[str] = []

    def keep(self, name: str, make: Callable[[], str]) -> str:
        """Return what the file holds, without its last newline; make it first where it is missing."""
        file = self.path / name
        if not file.exists():
            self.write(name, make())
        return file.read_text(encoding="utf-8").removesuffix("\n")

    def write(self, name: str, content: str) -> None:
        """Write a file whole or not at all, and remember that it is new."""
        draft = self.path / f".{name}.new"
        draft.unlink(missing_ok=True)
        draft.write_text(f"{content}\n", encoding="utf-8")
        draft.chmod(0o444)
        draft.rename(self.path / name)
        self.made.append(name)


def make_secrets(path: Path, amqp_port: int = 5672) -> list[str]:
    """Make every secret that compose.yaml names and is missing in the folder; return the names of those made."""
    folder = SecretsFolder(path)
    folder.keep("postgres_password", _password)
    folder.keep("keys", lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
    for role in ROLES:
        folder.keep(f"{role}_database_url", partial(_database_url, role))
    owner = urlsplit(folder.keep("owner_database_url", str)).password or ""
    folder.keep("postgres_owner.sql", lambda: _owner(owner))
    _rabbitmq(folder, amqp_port)
    return folder.made


def _rabbitmq(folder: SecretsFolder, amqp_port: int) -> None:
    passwords = {user: folder.keep(f"rabbitmq_password_{user}", _password) for user in (*USERS, ADMINISTRATOR)}
    places = [
        *((user, "internal", "rabbitmq:5672", "internal_url") for user in INTERNAL),
        *((user, "edge", "rabbitmq:5672", "edge_url") for user in EDGE),
        *((user, "edge", f"127.0.0.1:{amqp_port}", "edge_url") for user in OUTSIDERS),
    ]
    for user, vhost, place, name in places:
        folder.keep(f"{user}_{name}", f"amqp://{user}:{passwords[user]}@{place}/{vhost}".__str__)
    wanted = json.dumps(_definitions(passwords), indent=2)
    if folder.keep(DEFINITIONS, wanted.__str__) != wanted:
        folder.write(DEFINITIONS, wanted)


def _definitions(passwords: dict[str, str]) -> dict[str, object]:
    """Give what RabbitMQ is to load, with the hashes of the passwords, and an administrator for its page."""
    document = definitions(lambda _: "")
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    for vhost in document["vhosts"]:
        document["permissions"].append({"user": ADMINISTRATOR, "vhost": vhost["name"], **everything})
    document["users"].append({"name": ADMINISTRATOR, "tags": "administrator"})
    for user in document["users"]:
        user.pop("password", None)
        user["password_hash"] = _hashed(passwords[str(user["name"])])
        user["hashing_algorithm"] = "rabbit_password_hashing_sha256"
    return dict(document)


def _hashed(password: str) -> str:
    """RabbitMQ's own form: a salt of four bytes, and the SHA-256 of it with the password, in Base64.

    The salt comes from the password, which is long and random, so that the same passwords give the same file.
    """
    salt = hashlib.sha256(f"salt of {password}".encode()).digest()[:4]
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def _password() -> str:
    return secrets.token_hex(24)  # letters and digits alone: it stands in addresses and in SQL


def _database_url(role: str) -> str:
    return f"postgresql://seatkeeper_{role}:{_password()}@postgres:5432/seatkeeper"


def _owner(password: str) -> str:
    return (
        f"CREATE ROLE seatkeeper_owner LOGIN CREATEROLE PASSWORD '{password}';\n"
        "ALTER DATABASE seatkeeper OWNER TO seatkeeper_owner;"
    )


def main(given: list[str] | None = None) -> int:
    """Make them, and say which."""
    parser = argparse.ArgumentParser(
        prog="scripts/compose-secrets",
        description="Make the secrets that compose.yaml needs, each in a file of its own.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--folder", type=Path, default=Path("secrets"), help="where (default: secrets)")
    parser.add_argument(
        "--amqp-port", type=int, default=5672, help="where RabbitMQ is published on this machine (default: 5672)"
    )
    chosen = parser.parse_args(given)
    try:
        made = make_secrets(chosen.folder, chosen.amqp_port)
    except OSError as error:
        sys.stderr.write(f"compose-secrets: {error.filename}: {error.strerror}\n")
        return 1
    there = sum(1 for file in chosen.folder.iterdir() if not file.name.startswith("."))
    sys.stdout.write(f"{chosen.folder}: {len(made)} made, {there - len(made)} were there already\n")
    if made == [DEFINITIONS]:
        sys.stdout.write("RabbitMQ reads its new definitions when it starts: docker compose restart rabbitmq\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
