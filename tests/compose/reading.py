"""compose.yaml as the tests look at it: read as Compose does, without an engine."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
SERVERS = {"postgres", "rabbitmq"}
ONE_SHOT = {"init", "console"}

Service = dict[str, Any]  # what YAML holds


class _Loader(yaml.SafeLoader):
    """Knows Compose's own tag, with which an override takes something away."""


_Loader.add_constructor("!reset", lambda _loader, _node: None)


@cache
def read(name: str = "compose.yaml") -> dict[str, Any]:
    """Give the whole document; nobody changes it."""
    document: dict[str, Any] = yaml.load((ROOT / name).read_text(encoding="utf-8"), _Loader)
    return document


def services(name: str = "compose.yaml") -> dict[str, Service]:
    """Give the services by name."""
    found: dict[str, Service] = read(name)["services"]
    return found


def secrets_of(service: Service) -> dict[str, str]:
    """Give a service's secrets: where each is in the container, and its name."""
    pairs = [
        (one, one) if isinstance(one, str) else (one["target"], one["source"]) for one in service.get("secrets", [])
    ]
    return {target if target.startswith("/") else f"/run/secrets/{target}": source for target, source in pairs}


def seconds(text: str) -> int:
    """Read a duration as compose.yaml writes them: whole seconds."""
    return int(text.removesuffix("s"))
