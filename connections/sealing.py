"""Secrets at rest: sealed before they reach the database, and bound to the row that they belong to.

A sealed token that is copied into another row still opens with the right key, so the key alone does not show that the
row was written by us. Therefore each sealed value names its row, and is refused when it is opened for another one.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

SecretOfConnection = Literal["client_secret"]
SecretOfCredential = Literal["access_token", "refresh_token"]


class KeysUnfit(Exception):
    """SEATKEEPER_KEYS cannot be used; the sentence says why, never what was given."""


class SealBroken(Exception):
    """A sealed value does not open: another key, another row, or it was changed."""


def connection_row(alias: str, what: SecretOfConnection) -> str:
    """Name the place of a connection's own secret."""
    return f"connection/{alias}/{what}"


def credential_row(alias: str, kind: str, what: SecretOfCredential) -> str:
    """Name the place of a credential's secret."""
    return f"credential/{alias}/{kind}/{what}"


def authorization_row(alias: str, state_sha256: bytes) -> str:
    """Name the place of the code that Asana's answer brought."""
    return f"authorization/{alias}/{state_sha256.hex()}/code"


def new_key() -> str:
    """Make a key for SEATKEEPER_KEYS."""
    return Fernet.generate_key().decode()


class Sealing:
    """Seals with the newest key, opens with any. Neither keys nor values are in its repr."""

    __slots__ = ("_count", "_each", "_fernet")

    def __init__(self, keys: Sequence[str]) -> None:
        """Take Fernet keys, newest first; raise KeysUnfit."""
        if not keys:
            raise KeysUnfit("SEATKEEPER_KEYS is empty; make a key with `./seats keys new`")
        self._count = len(keys)
        self._each = [_fernet(key, position) for position, key in enumerate(keys, start=1)]
        self._fernet = MultiFernet(self._each)

    def __repr__(self) -> str:
        return f"Sealing({self._count} keys)"

    def seal(self, value: str, row: str) -> bytes:
        """Return `value` sealed for `row`."""
        return self._fernet.encrypt(json.dumps({"row": row, "value": value}).encode())

    def open(self, sealed: bytes, row: str) -> str:
        """Return the value that was sealed for `row`; raise SealBroken."""
        try:
            content = json.loads(self._fernet.decrypt(sealed))
        except InvalidToken:
            raise SealBroken(f"{row} does not open with any key of SEATKEEPER_KEYS") from None
        if content["row"] != row:
            raise SealBroken(f"{row} holds a value that was sealed for {content['row']}; connect again")
        value: str = content["value"]
        return value

    def sealed_at(self, sealed: bytes) -> datetime | None:
        """Return when a value was sealed, to the second; None if no key of ours sealed it."""
        for fernet in self._each:
            try:
                return datetime.fromtimestamp(fernet.extract_timestamp(sealed), UTC)
            except InvalidToken:
                continue
        return None

    def key_of(self, sealed: bytes) -> int | None:
        """Return the place of the key that sealed this, 1 for the newest; None if it is none of ours."""
        for position, fernet in enumerate(self._each, start=1):
            try:
                fernet.decrypt(sealed)
            except InvalidToken:
                continue
            return position
        return None


def _fernet(key: str, position: int) -> Fernet:
    try:
        return Fernet(key)
    except ValueError:
        sentence = f"key {position} of SEATKEEPER_KEYS is not a Fernet key; make one with `./seats keys new`"
        raise KeysUnfit(sentence) from None
