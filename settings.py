"""Every setting, in one frozen model, read only by entry points and handed on from there.

A process names the settings that it cannot do without; a missing or wrong one stops it before it has touched anything,
with a line that names the variable. What holds a secret may stand in a file instead: SEATKEEPER_KEYS_FILE names the
file whose content is SEATKEEPER_KEYS, as orchestrators hand out secrets.
"""

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

import pika
import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "SEATKEEPER_"
CALLBACK = "/oauth/callback"
"""Below the public address: where Asana sends a browser back to."""
Needed = Literal["database_url", "internal_url", "edge_url", "keys"]


class SettingsUnfit(Exception):
    """A setting is missing or wrong; the sentence names the variable."""


def _is_postgres(value: SecretStr) -> SecretStr:
    return _an_address(value, ("postgresql", "postgres"), conninfo_to_dict)


def _is_amqp(value: SecretStr) -> SecretStr:
    return _an_address(value, ("amqp", "amqps"), pika.URLParameters)


def _is_public(url: str) -> str:
    """Take the address at which browsers reach `seats serve`: https, or this machine itself."""
    parts = urlsplit(url)
    loopback = parts.hostname in {"127.0.0.1", "localhost", "::1"}
    if parts.scheme != "https" and not (parts.scheme == "http" and loopback):
        raise ValueError("must begin with https:// (http:// only for 127.0.0.1)")
    if not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("is an address alone, as https://seats.example.com, without a path")
    return url.rstrip("/")


def _an_address(value: SecretStr, schemes: tuple[str, ...], read: Callable[[str], object]) -> SecretStr:
    """Read an address as its library will, and never repeat any of it: it holds a password."""
    url = value.get_secret_value()
    if url.partition("://")[0] not in schemes:
        raise ValueError(f"must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    try:
        _ = urlsplit(url).port
        read(url)
    except (psycopg.ProgrammingError, ValueError, TypeError, AssertionError):
        raise ValueError("cannot be read as an address: look at its port, options and percent signs") from None
    return value


class Settings(BaseSettings):
    """What the environment says. Seconds are seconds of wall time; addresses hold passwords and are never shown."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True)

    database_url: Annotated[SecretStr, AfterValidator(_is_postgres)] | None = None
    internal_url: Annotated[SecretStr, AfterValidator(_is_amqp)] | None = None
    edge_url: Annotated[SecretStr, AfterValidator(_is_amqp)] | None = None
    keys: SecretStr | None = None
    """Fernet keys that seal tokens, newest first, separated by commas."""

    alert_urls: SecretStr | None = None
    """Addresses of Apprise that are told what somebody has to look at, by blanks, lines or commas; or `none`."""

    log_format: Literal["json", "console"] = "json"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    operations_port: int = Field(default=0, ge=0, le=65535)
    """Where a process answers /health and /metrics, on 127.0.0.1; 0 takes a free port and logs it."""
    operations_host: str = "127.0.0.1"

    public_url: Annotated[str, AfterValidator(_is_public)] | None = None
    """Where browsers reach `seats serve`; without it, `seats connect` asks for the code."""
    serve_host: str = "127.0.0.1"
    serve_port: int = Field(default=8950, ge=1, le=65535)
    """Where `seats serve` listens; what is public before it ends TLS."""

    worker_threads: PositiveInt = Field(default=4, le=64)
    reads_in_flight: PositiveInt = Field(default=20, le=50)
    slice_seconds: PositiveFloat = Field(default=45.0, le=60.0)
    max_retries: PositiveInt = Field(default=8, le=20)

    call_window_seconds: PositiveFloat = Field(default=10.0, le=10.0)
    """How long after its intent a removal may still be sent."""
    recovery_after_seconds: PositiveFloat = Field(default=60.0, le=3600.0)
    """How long after the call's window an unanswered removal is read back."""
    recovery_pause_seconds: float = Field(default=2.0, ge=0.0, le=60.0)
    """Between the two readings of an unanswered removal."""

    def url(self, name: Literal["database_url", "internal_url", "edge_url"]) -> str:
        """Return an address that `read_settings` was told is needed."""
        value: SecretStr | None = getattr(self, name)
        assert value is not None, name
        return value.get_secret_value()

    def alert_addresses(self) -> str:
        """Return the addresses of channels as they were given; empty where there is no channel."""
        given = self.alert_urls.get_secret_value().strip() if self.alert_urls else ""
        return "" if given.lower() == "none" else given

    def sealing_keys(self) -> list[str]:
        """Return the Fernet keys, newest first."""
        assert self.keys is not None
        return [key.strip() for key in self.keys.get_secret_value().split(",") if key.strip()]


def read_settings(*needed: Needed) -> Settings:
    """Read the environment and the files that it names; SettingsUnfit with one line on all that is missing or wrong."""
    wrong: list[str] = []
    found: dict[str, Any] = {}  # what each field makes of it is the model's
    for name in (*get_args(Needed), "alert_urls"):
        try:
            if value := read_secret(PREFIX + name.upper(), lines=name == "alert_urls"):
                found[name] = value
        except SettingsUnfit as error:
            wrong.append(str(error))
    try:
        settings = Settings(**found)
    except ValidationError as error:
        wrong += [_line(problem["loc"], problem["msg"]) for problem in error.errors()]
    if wrong:
        raise SettingsUnfit("; ".join(wrong))
    missing = [PREFIX + name.upper() for name in needed if not getattr(settings, name)]
    if missing:
        raise SettingsUnfit(f"{', '.join(missing)} must be set")
    return settings


def read_secret(variable: str, *, lines: bool = False) -> str | None:
    """Return what a variable holds, or the content of the file that <variable>_FILE names; None where neither is set.

    The file's last newline is no part of the secret; `lines` makes one line of several. SettingsUnfit, naming the
    variable and never the content, for both at once, for a file that is missing, unreadable or empty, and for a secret
    with a byte order mark or a control character in it: a password that nobody sees to be another one.
    """
    value, file = os.environ.get(variable) or None, os.environ.get(f"{variable}_FILE")
    if not file:
        return _plain(_one_line(value) if lines else value, variable) if value else None
    if value is not None:
        raise SettingsUnfit(f"{variable} and {variable}_FILE are both set: choose one")
    try:
        content = Path(file).read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise SettingsUnfit(f"{variable}_FILE: {file}: {error.strerror}") from None
    except ValueError:  # not UTF-8, or a name that no file can have
        raise SettingsUnfit(f"{variable}_FILE: its file cannot be read as text") from None
    if not content.strip():
        raise SettingsUnfit(f"{variable}_FILE: {file} is empty")
    return _plain(_one_line(content) if lines else content, f"{variable}_FILE: {file}")


def _one_line(words: str) -> str:
    return " ".join(words.split())


def _plain(secret: str, where: str) -> str:
    if secret.startswith("\N{BYTE ORDER MARK}"):
        raise SettingsUnfit(f"{where} begins with a byte order mark: save it as UTF-8 without one")
    if any(unicodedata.category(character) == "Cc" for character in secret):
        raise SettingsUnfit(f"{where} holds a line break or another control character: a secret is one line of text")
    return secret


def _line(where: tuple[int | str, ...], message: str) -> str:
    return f"{PREFIX}{'.'.join(str(part) for part in where).upper()}: {message.removeprefix('Value error, ')}"
