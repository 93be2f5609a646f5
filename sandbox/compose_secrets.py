"""Makes the secrets of a server that runs compose.yaml: `scripts/compose-secrets --help`.

Passwords, the addresses that hold them, the key that seals tokens, and RabbitMQ's definitions, each in a file of its
own. It needs Python and nothing else, since it runs before anything is installed, and never writes over a secret. What
is missing is made from the files that hold the same password. What the database was made with and nothing left can tell
is refused in a folder that was whole before: a new one would open neither the database nor its tokens. Only RabbitMQ's
definitions, which hold the hashes of passwords that stand in files of their own, are written again when they should say
something else.
"""

import argparse
import base64
import hashlib
import json
import os
import secrets
import sys
from pathlib import Path
from urllib.parse import quote, urlsplit

from sandbox.definitions import USERS, definitions
from sandbox.secrets_folder import FolderUnfit, SecretsFolder, SecretUnfit, in_address, in_statement

ROLES = ("owner", "relay", "intake", "scheduler", "worker", "reclaim", "console")
INTERNAL, EDGE = ("relay", "intake", "worker", "reclaim"), ("relay", "intake")
OUTSIDERS = ("requester", "consumer")
ADMINISTRATOR = "operator"
"""Who may open RabbitMQ's management page."""
EXAMPLES = """
examples:
  scripts/compose-secrets
  scripts/compose-secrets --folder /etc/seatkeeper/secrets       then: export SEATKEEPER_SECRETS=/etc/seatkeeper/secrets

Run it again at any time, and after each update: it makes what is missing and writes over no secret.
"""
DEFINITIONS, OWNER_URL, OWNER_SQL = "rabbitmq_definitions.json", "owner_database_url", "postgres_owner.sql"
ADDRESSES = {
    **{f"{user}_internal_url": (user, "internal") for user in INTERNAL},
    **{f"{user}_edge_url": (user, "edge") for user in (*EDGE, *OUTSIDERS)},
}
PASSWORDS = {user: f"rabbitmq_password_{user}" for user in (*USERS, ADMINISTRATOR)}
ONCE = (("postgres_password",), ("keys",), (OWNER_URL, OWNER_SQL))
"""What the database was made with. It is made before all else, so whoever has the rest has had it."""
NOBODY = "none"
"""What the file of alerts' addresses says until somebody is named there."""
LATER = (
    "alert_urls",
    *(f"{role}_database_url" for role in ROLES if role != "owner"),
    *PASSWORDS.values(),
    *ADDRESSES,
    DEFINITIONS,
)
ROOT = Path(__file__).resolve().parent.parent
AMQP_PORT, HIGHEST_PORT = 5672, 65535


def make_secrets(path: Path, amqp_port: int | None = None) -> SecretsFolder:
    """Make every secret that compose.yaml names and is missing in the folder; return it, with what was made.

    `amqp_port` is where RabbitMQ is published, for the outsiders' addresses; None keeps what they say, or takes 5672.
    FolderUnfit and SecretUnfit say what is wrong with the folder and with what is in it; nothing was made then.
    """
    folder = SecretsFolder(path, [*(name for group in ONCE for name in group), *LATER])
    _check_whole(folder)
    owner = folder.agreed({OWNER_URL: in_address, OWNER_SQL: in_statement}) or _password()
    passwords = {user: _rabbitmq_password(folder, user) for user in PASSWORDS}
    port = _amqp_port(folder, amqp_port)

    folder.keep("postgres_password", _password)
    folder.keep("keys", lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
    folder.keep("alert_urls", NOBODY.__str__)
    folder.keep(OWNER_URL, _database_url("owner", owner).__str__)
    folder.keep(OWNER_SQL, _owner(owner).__str__)
    for role in ROLES:
        folder.keep(f"{role}_database_url", _database_url(role, _password()).__str__)
    for user, name in PASSWORDS.items():
        folder.keep(name, passwords[user].__str__)
    for name, (user, vhost) in ADDRESSES.items():
        place = f"127.0.0.1:{port}" if user in OUTSIDERS else "rabbitmq:5672"
        folder.keep(name, f"amqp://{user}:{quote(passwords[user], safe='')}@{place}/{vhost}".__str__)
    folder.renew(DEFINITIONS, json.dumps(_definitions(passwords), indent=2))
    return folder


def _check_whole(folder: SecretsFolder) -> None:
    """Refuse to make up what the rest was made with."""
    for name in (*(name for group in ONCE for name in group), *LATER):
        if folder.has(name):
            folder.read(name)
    lost = [" and ".join(group) for group in ONCE if not any(map(folder.has, group))]
    if lost and any(map(folder.has, LATER)):
        raise SecretUnfit(
            f"{folder.path}: {', '.join(lost)} missing, which nothing left can tell: put back what the database was "
            "made with, or name a new folder for a new installation"
        )


def _rabbitmq_password(folder: SecretsFolder, user: str) -> str:
    addresses = [name for name, (owner, _vhost) in ADDRESSES.items() if owner == user]
    return folder.agreed({PASSWORDS[user]: str, **dict.fromkeys(addresses, in_address)}) or _password()


def _amqp_port(folder: SecretsFolder, wanted: int | None) -> int:
    """Give the port of the outsiders' addresses; SecretUnfit where they are there already and say another."""
    names = [name for name, (user, _vhost) in ADDRESSES.items() if user in OUTSIDERS and folder.has(name)]
    there = {name: urlsplit(folder.read(name)).port for name in names}
    if wanted and (others := [name for name, port in there.items() if port != wanted]):
        raise SecretUnfit(
            f"{folder.path}: {', '.join(others)} have another port than {wanted}: remove them, and they are made anew"
        )
    return wanted or next(filter(None, there.values()), AMQP_PORT)


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


def _database_url(role: str, password: str) -> str:
    return f"postgresql://seatkeeper_{role}:{quote(password, safe='')}@postgres:5432/seatkeeper"


def _owner(password: str) -> str:
    quoted = password.replace("'", "''")
    return (
        f"CREATE ROLE seatkeeper_owner LOGIN CREATEROLE PASSWORD '{quoted}';\n"
        "ALTER DATABASE seatkeeper OWNER TO seatkeeper_owner;"
    )


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"must be a port, 1 to {HIGHEST_PORT}: {text}")
    return int(text)


def main(given: list[str] | None = None) -> int:
    """Make them, and say which; return 0, 1 (the disk), 2 (no folder for secrets) or 78 (what is in it is unfit)."""
    parser = argparse.ArgumentParser(
        prog="scripts/compose-secrets",
        description="Make the secrets that compose.yaml needs, each in a file of its own.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--folder", type=Path, default=ROOT / "secrets", help="where (default: secrets, beside compose.yaml)"
    )
    parser.add_argument("--amqp-port", type=_port, help="where RabbitMQ is published on this machine (default: 5672)")
    chosen = parser.parse_args(given)
    try:
        folder = make_secrets(chosen.folder.absolute(), chosen.amqp_port)
    except OSError as error:
        return _failed(f"{error.filename}: {error.strerror}", 1)
    except FolderUnfit as error:
        return _failed(str(error), 2)
    except SecretUnfit as error:
        return _failed(str(error), os.EX_CONFIG)
    _report(folder)
    return 0


def _failed(sentence: str, code: int) -> int:
    sys.stderr.write(f"compose-secrets: {sentence}\n")
    return code


def _report(folder: SecretsFolder) -> None:
    there = sum(1 for file in folder.path.iterdir() if not file.name.startswith("."))
    sys.stdout.write(f"{folder.path}: {len(folder.made)} made, {there - len(folder.made)} were there already\n")
    if folder.renewed:
        sys.stdout.write("RabbitMQ reads its new definitions when it starts: docker compose restart rabbitmq\n")


if __name__ == "__main__":
    sys.exit(main())
