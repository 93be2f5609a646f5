"""Structured logs: one line for each outcome, the same shape from every process and library, and no secret in any.

`structlog.contextvars.bound_contextvars(correlation_id=..., run_id=...)` puts those into every line of a block. What
libraries log through the standard module comes out in the same form, from warning upwards.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from settings import Settings

SECRET_NAMES = re.compile(r"token|secret|passw|authorization|cookie|^credentials?$|api_?key|^keys?$", re.IGNORECASE)
_USERINFO = re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^/\s@]*@", re.IGNORECASE)
_BEARER = re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
MASK = "***"


def configure_logs(settings: Settings, process_name: str, *, stream: TextIO | None = None) -> None:
    """Write logs of this process to standard error (or `stream`), as the settings say."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _named(process_name),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    writing = logging.StreamHandler(stream or sys.stderr)
    writing.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_ending(settings)))
    root = logging.getLogger()
    root.handlers = [writing]
    root.setLevel(logging.WARNING)
    for ours in ("workers", "connections", "store", "asana_api", "console", "__main__"):
        logging.getLogger(ours).setLevel(settings.log_level.upper())
    # pika reports every closed connection as an error or a warning; we say so ourselves, once.
    logging.getLogger("pika").setLevel(logging.CRITICAL)


def _ending(settings: Settings) -> list[Processor]:
    render: Processor = (
        structlog.processors.JSONRenderer(default=str)
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    # A traceback becomes text before secrets are masked, without the values of local variables.
    as_text = structlog.processors.format_exc_info
    return [structlog.stdlib.ProcessorFormatter.remove_processors_meta, as_text, mask_secrets, render]


def _named(process_name: str) -> Processor:
    def name(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["process"] = process_name
        return event

    return name


def mask_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace the values of keys that name a secret, and names and passwords in addresses; a structlog processor."""
    for key, value in event.items():
        event[key] = MASK if SECRET_NAMES.search(key) and value is not None else _masked(value)
    return event


def _masked(value: object) -> object:
    if isinstance(value, str):
        return _BEARER.sub(rf"\1 {MASK}", _USERINFO.sub(rf"\1{MASK}@", value))
    if isinstance(value, MutableMapping):
        return {key: MASK if SECRET_NAMES.search(str(key)) else _masked(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(inner) for inner in value]
    return value
