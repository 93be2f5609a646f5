"""Logs: one JSON line for each outcome, from us and from libraries, and no secret in any of them."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Literal

import pytest
import structlog

from settings import Settings
from workers.logs import configure_logs

CANARY = "s3cret-canary"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Put logging back afterwards as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield io.StringIO()
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def configured(written: io.StringIO, log_format: Literal["json", "console"] = "json") -> None:
    configure_logs(Settings(log_format=log_format), "relay", stream=written)


def lines(written: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_a_line_has_its_process_its_time_and_what_it_belongs_to(written: io.StringIO) -> None:
    configured(written)
    with structlog.contextvars.bound_contextvars(correlation_id="c", run_id="r"):
        structlog.get_logger("workers.relay").info("leading", count=3)
    (line,) = lines(written)
    assert str(line.pop("at")).endswith("Z")
    assert line == {
        "event": "leading",
        "level": "info",
        "process": "relay",
        "count": 3,
        "correlation_id": "c",
        "run_id": "r",
    }


def test_libraries_are_heard_from_warning_upwards(written: io.StringIO) -> None:
    configured(written)
    logging.getLogger("httpx").info("HTTP Request: GET https://app.asana.com")
    logging.getLogger("dramatiq").warning("consumer %s restarts", "x")
    (line,) = lines(written)
    assert (line["event"], line["process"], line["level"]) == ("consumer x restarts", "relay", "warning")


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_secret_comes_out(written: io.StringIO, log_format: Literal["json", "console"]) -> None:
    configured(written, log_format)
    log = structlog.get_logger("workers.relay")
    log.info("a", access_token=CANARY, client_secret=CANARY, PASSWORD=CANARY, keys=CANARY)
    log.info("b", headers={"Authorization": CANARY, "nested": [{"refresh_token": CANARY}]})
    log.info("c", reason=f"cannot reach amqp://relay:{CANARY}@127.0.0.1:5672/edge")
    log.info("d: postgresql://x:%s@h/db and Bearer %s", CANARY, CANARY)
    logging.getLogger("pika.x").critical("amqp://relay:%s@h", CANARY)
    try:
        password = CANARY
        raise ValueError(f"postgresql://me:{password}@host")  # noqa: TRY301 - what is logged is a traceback
    except ValueError:
        log.exception("e")
    assert CANARY not in written.getvalue()
    assert "postgresql://***@host" in written.getvalue()
    assert "ValueError" in written.getvalue()


def test_what_is_no_secret_stays(written: io.StringIO) -> None:
    configured(written)
    structlog.get_logger("workers.relay").info("ok", url="https://app.asana.com/api/1.0", count=3, people=["a@b.c"])
    (line,) = lines(written)
    assert (line["url"], line["count"], line["people"]) == ("https://app.asana.com/api/1.0", 3, ["a@b.c"])
