"""`seats init`: the schema in an empty database, and what each process is to be told."""

import os
import secrets
from typing import Annotated
from urllib.parse import quote, urlsplit, urlunsplit

import typer

from connections.sealing import new_key
from console.errors import BadUse, Refused
from console.output import AsJson, show
from console.session import run
from console.style import examples
from store.installing import PROCESSES, AnotherVersion, Installed, install

HELP = examples(
    "init --owner-url postgresql://seatkeeper_owner:secret@127.0.0.1:5432/seatkeeper",
    "init --password-for console=secret --password-for worker=other",
)
OWNER_URL, ONE_PASSWORD, KEYS = "SEATKEEPER_OWNER_URL", "SEATKEEPER_ROLE_PASSWORD", "SEATKEEPER_KEYS"


def init(
    owner_url: Annotated[
        str, typer.Option(envvar=OWNER_URL, help="Address of the empty database, for the role that is to own it.")
    ],
    password_for: Annotated[
        list[str] | None, typer.Option(help="A process and its database password, as worker=secret; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make the schema in an empty database.

    Prints what each process needs to know. Passwords are made up unless they are given; SEATKEEPER_ROLE_PASSWORD gives
    the same one to all. On a database that is ready already, nothing is changed but the passwords that are given.
    """
    _check(owner_url)
    given = _given(password_for or [])
    made = {process: secrets.token_urlsafe(24) for process in PROCESSES if process not in given}
    try:
        done = run(install(owner_url, given, made))
    except AnotherVersion as error:
        raise Refused(str(error)) from None
    document = _document(owner_url, done, {**made, **given})
    show(document, *_lines(document), as_json=as_json)


def _check(owner_url: str) -> None:
    if urlsplit(owner_url).scheme not in {"postgresql", "postgres"}:
        raise BadUse(f"{OWNER_URL} must begin with postgresql://")


def _given(pairs: list[str]) -> dict[str, str]:
    one_for_all = os.environ.get(ONE_PASSWORD)
    given = dict.fromkeys(PROCESSES, one_for_all) if one_for_all else {}
    for pair in pairs:
        process, _, password = pair.partition("=")
        process = process.removeprefix("seatkeeper_")
        if process not in PROCESSES or not password:
            raise BadUse(f"--password-for takes PROCESS=PASSWORD, where PROCESS is one of {', '.join(PROCESSES)}")
        given[process] = password
    return given


def _document(owner_url: str, done: Installed, passwords: dict[str, str]) -> dict[str, object]:
    urls = {
        process: _url(owner_url, process, passwords[process]) if process in done.passwords_set else None
        for process in PROCESSES
    }
    key = None if os.environ.get(KEYS) else new_key()
    return {"loaded": done.loaded, "database_urls": urls, "new_key": key if done.loaded else None}


def _url(owner_url: str, process: str, password: str) -> str:
    parts = urlsplit(owner_url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"seatkeeper_{process}:{quote(password, safe='')}@{place}"))


def _lines(document: dict[str, object]) -> list[str]:
    urls = document["database_urls"]
    assert isinstance(urls, dict)
    lines = [
        "The schema is loaded." if document["loaded"] else "The database is ready already; its schema was not touched."
    ]
    known = {process: url for process, url in urls.items() if url}
    lines += ["", "SEATKEEPER_DATABASE_URL of each process:"] if known else []
    lines += [f"  {process:<10} {url}" for process, url in known.items()]
    kept = [process for process in urls if process not in known]
    if kept:
        lines += [f"Passwords that were set before stay: {', '.join(kept)} (--password-for sets one)."]
    if document["new_key"]:
        lines += [
            "",
            "A key that seals tokens, for all processes; it is shown only now:",
            f"  {KEYS}={document['new_key']}",
        ]
    return lines
