"""Asana's published OpenAPI document, cut to the routes that the look-alike serves.

The whole document is 3 MB, most of it prose and code samples. What the tests need is kept beside them as an extract of
facts (routes, parameters, fields, types), made by `scripts/extract-openapi`; where the whole document is at hand, the
same tests run on that as well.
"""

import json
import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from sandbox.asana.routes import ROUTES

ROOT = Path(__file__).parents[2]
EXTRACT = ROOT / "tests" / "sandbox" / "asana_openapi_extract.json"

PROSE = frozenset({"description", "summary", "example", "examples", "externalDocs", "tags"})

Document = dict[str, Any]  # a JSON document: anything can stand anywhere


def whole_document() -> Path | None:
    """Where the published document is: as `SEATKEEPER_ASANA_OAS` says, else beside the project, else nowhere."""
    named = os.environ.get("SEATKEEPER_ASANA_OAS")
    path = Path(named) if named else ROOT.parent / "shared" / "asana" / "asana_oas.yaml"
    return path if named or path.exists() else None


def load(path: Path) -> Document:
    """The document at `path` (YAML, or JSON for the extract), cut to our routes."""
    text = path.read_text(encoding="utf-8")
    loaded = json.loads(text) if path.suffix == ".json" else yaml.load(text, yaml.CSafeLoader)
    return cut(loaded, sha256(text.encode()).hexdigest())


def cut(document: Document, digest: str) -> Document:
    """The routes that we serve and whatever they refer to, without prose; numbers as keys become strings."""
    paths: Document = {}
    for method, template, _ in ROUTES:
        published = document["paths"][template]
        kept = paths.setdefault(template, {"parameters": published.get("parameters", [])})
        kept[method.lower()] = published[method.lower()]
    source = {
        "x-source": {
            "document": "https://github.com/Asana/openapi, defs/asana_oas.yaml",
            "sha256": digest,
            "license": document["info"].get("license"),
            "note": "Facts from the document named here: routes, parameters, fields and types, without its prose.",
        }
    }
    cut_down = {
        "openapi": document["openapi"],
        "info": {"title": document["info"]["title"], "version": document["info"]["version"]}
        | ({"x-source": document["info"]["x-source"]} if "x-source" in document["info"] else source),
        "servers": [{"url": server["url"]} for server in document["servers"]],
        "paths": paths,
        "components": _components(document, paths),
    }
    plain: Document = json.loads(json.dumps(_without_prose(cut_down)))
    return plain


def _components(document: Document, paths: Document) -> Document:
    """All components that the paths need, and for each compact record the full one that `opt_fields` can ask for."""
    kept: dict[str, Document] = {}
    waiting = list(_references(paths))
    while waiting:
        group, name = waiting.pop().split("/")[2:]
        if name in kept.setdefault(group, {}):
            continue
        kept[group][name] = document["components"][group][name]
        waiting += _references(kept[group][name])
        full = name.removesuffix("Compact") + "Response"
        if name in {"AgentCompact", "StoryCompact"} and full in document["components"][group]:
            waiting.append(f"#/components/schemas/{full}")
    return {group: dict(sorted(members.items())) for group, members in sorted(kept.items())}


def _references(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "$ref":
                yield value
            else:
                yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)


def _without_prose(part: object, *, names: bool = False) -> object:
    """The same without its prose. Below `properties` the keys are names of fields, so all of them stay."""
    if isinstance(part, list):
        return [_without_prose(value) for value in part]
    if not isinstance(part, dict):
        return part
    return {
        key: _without_prose(value, names=key == "properties" and not names)
        for key, value in part.items()
        if names or not (key in PROSE or (str(key).startswith("x-") and key != "x-source") or key == "security")
    }
