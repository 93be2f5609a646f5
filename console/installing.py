"""`seats init`: the schema in an empty database, and what each process is to be told."""

import secrets
from pathlib import Path
from typing import Annotated
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import typer

from connections.sealing import new_key
from console.errors import BadUse, Refused
from console.output import AsJson, show
from console.session import run
from console.style import examples
from settings import SettingsUnfit, read_secret
from store.connect import SCHEMA_VERSION
from store.installing import PROCESSES, AnotherVersion, Installed, install
from store.migrating import MigrationRefused, migrate

HELP = examples(
    "init --owner-url postgresql://seatkeeper_owner:secret@127.0.0.1:5432/seatkeeper",
    "init --password-for console=secret --password-for worker=other",
    "init --password-from worker=/run/secrets/worker_database_url",
    "init --migrate",
)
OWNER_URL, ONE_PASSWORD, KEYS = "SEATKEEPER_OWNER_URL", "SEATKEEPER_ROLE_PASSWORD", "SEATKEEPER_KEYS"


def init(
    owner_url: Annotated[
        str,
        typer.Option(
            help=f"Address of the empty database, for the role that is to own it. Or {OWNER_URL}.", show_default=False
        ),
    ] = "",
    password_for: Annotated[
        list[str] | None, typer.Option(help="A process and its database password, as worker=secret; may be repeated.")
    ] = None,
    password_from: Annotated[
        list[str] | None,
        typer.Option(help="A process and the file with its database address, as worker=FILE; may be repeated."),
    ] = None,
    migrate_too: Annotated[
        bool, typer.Option("--migrate", help="Bring the database of an earlier release forward first.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make the schema in an empty database.

    Prints what each process needs to know. Passwords are made up unless they are given; SEATKEEPER_ROLE_PASSWORD gives
    the same one to all. On a database that is ready already, nothing is changed but the passwords that are given.
    """
    owner_url = read_owner_url(owner_url)
    given = _given(password_for or [])
    from_files = _from_files(password_from or [])
    made = {process: secrets.token_urlsafe(24) for process in PROCESSES if process not in {**given, **from_files}}
    done, migrated = _installed(owner_url, given | from_files, made, migrate_too=migrate_too)
    document = _document(owner_url, done, {**made, **given}, list(from_files)) | {"migrated_to": migrated}
    show(document, *_lines(document), as_json=as_json)


def _installed(
    owner_url: str, given: dict[str, str], made: dict[str, str], *, migrate_too: bool
) -> tuple[Installed, list[int]]:
    """Install; return what was done, with the versions that an older database was brought through."""
    try:
        try:
            return run(install(owner_url, given, made)), []
        except AnotherVersion:
            if not migrate_too:
                raise
        steps = [step.version for step in migrate(owner_url).steps]
        return run(install(owner_url, given, made)), steps
    except (AnotherVersion, MigrationRefused) as error:
        raise Refused(str(error)) from None


def read_owner_url(given: str) -> str:
    """Return the owner's address, given or from SEATKEEPER_OWNER_URL; BadUse where there is none or it is none."""
    owner_url = given or read_secret(OWNER_URL)
    if not owner_url:
        raise BadUse(f"give the owner's address of the database with --owner-url or {OWNER_URL}")
    if urlsplit(owner_url).scheme not in {"postgresql", "postgres"}:
        raise BadUse(f"{OWNER_URL} must begin with postgresql://")
    return owner_url


def _given(pairs: list[str]) -> dict[str, str]:
    one_for_all = read_secret(ONE_PASSWORD)
    given = dict.fromkeys(PROCESSES, one_for_all) if one_for_all else {}
    return given | dict(_pair("--password-for takes PROCESS=PASSWORD", pair) for pair in pairs)


def _from_files(pairs: list[str]) -> dict[str, str]:
    """Read each process's password out of the very address that it is to log in with, so that the two cannot differ."""
    files = dict(_pair("--password-from takes PROCESS=FILE", pair) for pair in pairs)
    return {process: _password_in(Path(file), process) for process, file in files.items()}


def _password_in(file: Path, process: str) -> str:
    try:
        address = urlsplit(file.read_text(encoding="utf-8").strip())
        user, password = address.username, unquote(address.password or "")
    except OSError as error:
        raise SettingsUnfit(f"--password-from: {file}: {error.strerror}") from None
    except ValueError:
        raise SettingsUnfit(f"--password-from: {file} does not hold an address") from None
    if user != f"seatkeeper_{process}" or not password:
        raise SettingsUnfit(f"--password-from: {file} must hold an address with seatkeeper_{process} and its password")
    return password


def _pair(usage: str, pair: str) -> tuple[str, str]:
    process, _, value = pair.partition("=")
    process = process.removeprefix("seatkeeper_")
    if process not in PROCESSES or not value:
        raise BadUse(f"{usage}, where PROCESS is one of {', '.join(PROCESSES)}")
    return process, value


def _document(owner_url: str, done: Installed, passwords: dict[str, str], from_files: list[str]) -> dict[str, object]:
    """Say what was done, with each address that nobody else knows; one that came from a file is not said again."""
    said = done.passwords_set - set(from_files)
    urls = {process: _url(owner_url, process, passwords[process]) if process in said else None for process in PROCESSES}
    key = None if read_secret(KEYS) else new_key()
    return {
        "loaded": done.loaded,
        "database_urls": urls,
        "passwords_from_files": from_files,
        "new_key": key if done.loaded else None,
    }


def _url(owner_url: str, process: str, password: str) -> str:
    parts = urlsplit(owner_url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"seatkeeper_{process}:{quote(password, safe='')}@{place}"))


def _what_became(document: dict[str, object]) -> str:
    if document["loaded"]:
        return "The schema is loaded."
    if document["migrated_to"]:
        return f"The database was brought forward to version {SCHEMA_VERSION}."
    return "The database is ready already; its schema was not touched."


def _lines(document: dict[str, object]) -> list[str]:
    urls, from_files = document["database_urls"], document["passwords_from_files"]
    assert isinstance(urls, dict)
    assert isinstance(from_files, list)
    lines = [_what_became(document)]
    known = {process: url for process, url in urls.items() if url}
    lines += ["", "SEATKEEPER_DATABASE_URL of each process:"] if known else []
    lines += [f"  {process:<10} {url}" for process, url in known.items()]
    lines += [f"Passwords are those of the files: {', '.join(from_files)}."] if from_files else []
    kept = [process for process in urls if process not in known and process not in from_files]
    if kept:
        lines += [f"Passwords that were set before stay: {', '.join(kept)} (--password-for sets one)."]
    if document["new_key"]:
        lines += [
            "",
            "A key that seals tokens, for all processes; it is shown only now:",
            f"  {KEYS}={document['new_key']}",
        ]
    return lines
