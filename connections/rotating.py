"""Sealing everything anew under the newest key, while workers go on using and refreshing it.

Row by row, each an exchange on its own: it can be stopped at any moment and taken up again. A value that is changed
meanwhile is looked at again; a process that still has an older key first may keep changing some, and that is said.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from connections.sealing import SealBroken, Sealing, authorization_row, connection_row, credential_row
from store import resealing
from store.connect import Connection
from store.resealing import SealedValue

PASSES = 5


@dataclass(slots=True)
class Sealed:
    """How many values there are, under which key (1 is the newest), and what could not be sealed anew."""

    by_key: dict[int, int] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    """By row, why it does not open."""
    resealed: int = 0

    @property
    def values(self) -> int:
        """All of them."""
        return sum(self.by_key.values()) + len(self.unreadable)

    @property
    def older(self) -> int:
        """Those under another key than the newest."""
        return sum(count for key, count in self.by_key.items() if key > 1)


def row_of(value: SealedValue) -> str:
    """Name the row that a value must have been sealed for."""
    match value.place:
        case "client_secret":
            return connection_row(value.alias, "client_secret")
        case "code":
            return authorization_row(value.alias, bytes.fromhex(value.key))
        case "access_token" | "refresh_token":
            return credential_row(value.alias, value.kind, value.place)


async def look(connection: Connection, sealing: Sealing) -> Sealed:
    """Return what is sealed under which key; nothing is changed."""
    return _counted(await resealing.sealed_values(connection), sealing)


async def rotate(connection: Connection, sealing: Sealing, said: Callable[[int, int], None]) -> Sealed:
    """Seal every value that opens under the newest key; `said` is told how many are done, of how many."""
    done = 0
    for _ in range(PASSES):
        ahead = [one for one in await resealing.sealed_values(connection) if _is_to_be_sealed(one, sealing)]
        if not ahead:
            break
        all_of_them = done + len(ahead)
        for value in ahead:
            done += await _reseal(connection, value, sealing)
            said(done, all_of_them)
    sealed = await look(connection, sealing)
    sealed.resealed = done
    return sealed


def _is_to_be_sealed(value: SealedValue, sealing: Sealing) -> bool:
    return sealing.key_of(value.sealed) != 1 and _trouble(value, sealing) is None


async def _reseal(connection: Connection, value: SealedValue, sealing: Sealing) -> bool:
    row = row_of(value)
    return await resealing.exchange(connection, value, sealing.seal(sealing.open(value.sealed, row), row))


def _trouble(value: SealedValue, sealing: Sealing) -> str | None:
    try:
        sealing.open(value.sealed, row_of(value))
    except SealBroken as error:
        return str(error)
    return None


def _counted(values: list[SealedValue], sealing: Sealing) -> Sealed:
    sealed = Sealed()
    for value in values:
        trouble, key = _trouble(value, sealing), sealing.key_of(value.sealed)
        if trouble is not None or key is None:
            sealed.unreadable[row_of(value)] = trouble or "it does not open"
        else:
            sealed.by_key[key] = sealed.by_key.get(key, 0) + 1
    return sealed
