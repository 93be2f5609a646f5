"""`seats keys`: the keys that seal tokens in the database, and sealing everything under a new one."""

import sys

from connections import rotating
from connections.rotating import Sealed
from connections.sealing import KeysUnfit, Sealing, new_key
from console.errors import CommandFailed
from console.output import AsJson, Sheet, named, show
from console.session import database, run, sealing
from console.style import examples, group

app = group("The keys that seal tokens.")


@app.command("new", epilog=examples("keys new", "keys new --json"))
def new(as_json: AsJson = False) -> None:
    """Make a key for SEATKEEPER_KEYS and print it, once; `keys rotate --help` says how it comes into use."""
    key = new_key()
    show({"key": key}, key, as_json=as_json)


@app.command("status", epilog=examples("keys status", "keys status --json"))
def status(as_json: AsJson = False) -> None:
    """Say how many sealed values stand under which key; an old key may go when none does."""
    sealed = run(_status(sealing()))
    _show(sealed, as_json=as_json)
    _check_that_any_opens(sealed)


@app.command("rotate", epilog=examples("keys rotate", "keys rotate --json"))
def rotate(as_json: AsJson = False) -> None:
    """Seal every secret anew under the first key of SEATKEEPER_KEYS, while workers go on.

    Before: give the new key to every process, second; then first. After: take the old one away. Running it again does
    what is left.
    """
    sealed = run(_rotate(sealing()))
    _show(sealed, as_json=as_json)
    _check_that_any_opens(sealed)
    if sealed.older or sealed.unreadable:
        raise CommandFailed(f"{named(sealed.older + len(sealed.unreadable), 'value')} not under the newest key")


def _check_that_any_opens(sealed: Sealed) -> None:
    if sealed.unreadable and not sealed.by_key:
        raise KeysUnfit(
            f"none of {named(sealed.values, 'sealed value')} opens with these keys: SEATKEEPER_KEYS holds others than"
            " those that sealed them"
        )


async def _status(seal: Sealing) -> Sealed:
    async with database() as connection:
        return await rotating.look(connection, seal)


async def _rotate(seal: Sealing) -> Sealed:
    async with database() as connection:
        sealed = await rotating.rotate(connection, seal, _progress)
    if sealed.resealed and sys.stderr.isatty():
        sys.stderr.write("\n")
    return sealed


def _progress(done: int, of: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\rsealed anew: {done:,} of {of:,}")
        sys.stderr.flush()


def _show(sealed: Sealed, *, as_json: bool) -> None:
    newest = sealed.by_key.get(1, 0)
    document = {
        "values": sealed.values,
        "newest": newest,
        "older": sealed.older,
        "resealed": sealed.resealed,
        "by_key": {str(key): count for key, count in sorted(sealed.by_key.items())},
        "unreadable": [{"row": row, "why": why} for row, why in sealed.unreadable.items()],
    }
    keys = [("1, the newest" if key == 1 else str(key), count) for key, count in sorted(sealed.by_key.items())]
    parts: list[Sheet | str] = [
        Sheet(
            ("key", "values"),
            keys,
            empty="No value opens." if sealed.unreadable else "Nothing is sealed.",
            numbers=frozenset({"values"}),
        )
    ]
    if sealed.resealed:
        parts.insert(0, f"Sealed anew: {named(sealed.resealed, 'value')}.")
    if sealed.unreadable:
        parts.append(Sheet(("row", "does not open because"), list(sealed.unreadable.items())))
    if sealed.older:
        parts.append(
            f"{named(sealed.older, 'value')} under an older key: `./seats keys rotate`; if they come back, "
            "a process still has the older key first: start it again with the new one first."
        )
    show(document, *parts, as_json=as_json)
