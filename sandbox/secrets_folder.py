"""The folder where scripts/compose-secrets keeps each secret in a file: closed to others, and never written over."""

import re
import stat
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit


class FolderUnfit(Exception):
    """The folder is not one for secrets: it is somebody else's, or open to others."""


class SecretUnfit(Exception):
    """What stands in the folder cannot be used; the sentence names the files and none of their content."""


class SecretsFolder:
    """The folder. Nobody but its owner enters it; a container is given single files, and may run as anybody."""

    def __init__(self, path: Path, names: Collection[str]) -> None:
        """Make the folder where there is none, closed to all others; one that is there is looked at, never changed.

        `names` are the files of a whole folder. FolderUnfit for a folder that holds other things and none of these.
        """
        if path.is_dir():
            _check_ours(path, names)
        else:
            path.mkdir(mode=0o700, parents=True)
            path.chmod(0o700)
        self.path = path
        self.made: list[str] = []
        self.renewed: list[str] = []

    def has(self, name: str) -> bool:
        """Say whether the file is there."""
        return (self.path / name).exists()

    def read(self, name: str) -> str:
        """Return what the file holds, without its last newline; SecretUnfit for nothing, and for what is not text."""
        try:
            content = (self.path / name).read_text(encoding="utf-8").removesuffix("\n")
        except UnicodeDecodeError:
            raise SecretUnfit(f"{self.path / name} cannot be read as text") from None
        if not content.strip():
            raise SecretUnfit(f"{self.path / name} is empty: put back what it held")
        return content

    def keep(self, name: str, make: Callable[[], str]) -> str:
        """Return what the file holds; make it first where it is missing."""
        if not self.has(name):
            self._write(name, make())
            self.made.append(name)
        return self.read(name)

    def renew(self, name: str, content: str) -> None:
        """Write over a file that holds no secret of its own, if it says something else."""
        if self.keep(name, content.__str__) != content:
            self._write(name, content)
            self.renewed.append(name)

    def _write(self, name: str, content: str) -> None:
        """Write a file whole or not at all."""
        draft = self.path / f".{name}.new"
        draft.unlink(missing_ok=True)
        draft.write_text(f"{content}\n", encoding="utf-8")
        draft.chmod(0o444)
        draft.rename(self.path / name)

    def agreed(self, tellers: Mapping[str, Callable[[str], str]]) -> str | None:
        """Give the one password that these files tell, each read in its way; None where all of them are missing.

        SecretUnfit, with the names of all that belong together, where two of them tell different ones.
        """
        told = {name: tell(self.read(name)) for name, tell in tellers.items() if self.has(name)}
        if silent := [name for name, password in told.items() if not password]:
            raise SecretUnfit(f"{self.path / silent[0]} holds no password where one belongs")
        if len({*told.values()}) > 1:
            raise SecretUnfit(f"{self.path}: {', '.join(told)} belong together and hold different passwords")
        return next(iter(told.values()), None)


def in_address(url: str) -> str:
    """Give the password of an address; empty where there is none, or it is no address."""
    try:
        return unquote(urlsplit(url).password or "")
    except ValueError:
        return ""


def in_statement(sql: str) -> str:
    """Give the password of CREATE ROLE; empty where there is none."""
    found = re.search(r"PASSWORD '((?:[^']|'')+)'", sql)
    return found[1].replace("''", "'") if found else ""


def _check_ours(path: Path, names: Collection[str]) -> None:
    inside = {file.name for file in path.iterdir()}
    ours = {*names, *(f".{name}.new" for name in names)} - {"keys"}  # anybody may have a file of this name
    if inside and not inside & ours:
        raise FolderUnfit(f"{path} holds other things and no secrets of ours: name an empty folder, or one that is new")
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise FolderUnfit(f"{path} is open to others: close it (chmod 700), or name a folder that is new")
