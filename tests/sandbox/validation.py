"""Checks answers of the look-alike against Asana's OpenAPI document, more strictly than the document alone would.

The document requires no field and forbids none, so on its own it accepts `{"data": [{"gdi": 1}]}`. Here, too: a field
must be one that the schema or the route's `opt_fields` declares, and a listing's fields that only `opt_fields` brings
must have the types that the full record declares.
"""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy

import httpx
from openapi_core import Config, OpenAPI
from openapi_core.testing import MockRequest, MockResponse

from tests.sandbox.openapi_document import Document

BASE = "/api/1.0"
ERRORS = {
    "400": "BadRequest",
    "401": "Unauthorized",
    "403": "Forbidden",
    "404": "NotFound",
    "500": "InternalServerError",
}

UNDECLARED = {"user.email"}
"""The one field beyond the document: a membership's `user.email` is not declared, yet any dotted path is answered."""


class Undeclared(AssertionError):
    """An answer has fields that the document does not know on this route."""


class Validator:
    """Holds one document, ready to check answers against. Building it takes about a tenth of a second."""

    def __init__(self, document: Document) -> None:
        self._document = document = _as_meant(_with_errors_everywhere(document))
        self._as_published = _built(document)
        self._with_full_records = _built(_full_records(document))

    def check(self, response: httpx.Response) -> None:
        """Raise if the document does not allow this answer of a route of the API; the body must have been read."""
        request = _request(response.request)
        mock = MockResponse(response.content, response.status_code, content_type=response.headers["content-type"])
        self._as_published.validate_response(request, mock)
        self._with_full_records.validate_response(request, mock)
        self._check_fields(request, response)

    def _check_fields(self, request: MockRequest, response: httpx.Response) -> None:
        operation = self._operation(request)
        published = operation["responses"][str(response.status_code)]
        schema = self._resolved(published)["content"]["application/json"]["schema"]
        asked = {name for part in _opt_fields(operation) for name in part}
        unknown = {
            path
            for path in _paths(response.json())
            if not self._declares(schema, path) and ".".join(path[1:]) not in asked | UNDECLARED
        }
        if unknown:
            raise Undeclared(f"{request.method} {request.path}: {sorted('.'.join(path) for path in unknown)}")

    def _operation(self, request: MockRequest) -> Document:
        wanted = request.path.removeprefix(BASE).split("/")
        for template, published in self._document["paths"].items():
            steps = template.split("/")
            if len(steps) == len(wanted) and all(
                step == given or step.startswith("{") for step, given in zip(steps, wanted, strict=True)
            ):
                operation: Document = published[request.method]
                return operation
        raise Undeclared(f"{request.path} is no route of the document")

    def _declares(self, schema: Document, path: tuple[str, ...]) -> bool:
        """Whether the schema knows a field at this path; what is named by itself may have `gid` and `resource_type`."""
        if not path or path[-1] in {"gid", "resource_type"}:
            return True
        return any(
            path[0] in part.get("properties", {}) and self._declares(part["properties"][path[0]], path[1:])
            for part in self._parts(schema)
        )

    def _parts(self, schema: Document) -> Iterator[Document]:
        """A schema and everything that it is put together from; of a list, its items."""
        schema = self._resolved(schema)
        yield schema
        for part in [
            *schema.get("allOf", []),
            *schema.get("anyOf", []),
            *([schema["items"]] if "items" in schema else []),
        ]:
            yield from self._parts(part)

    def _resolved(self, schema: Document) -> Document:
        while "$ref" in schema:
            group, name = schema["$ref"].split("/")[2:]
            schema = self._document["components"][group][name]
        return schema


def _built(document: Document) -> OpenAPI:
    return OpenAPI.from_dict(document, config=Config(spec_validator_cls=None))


def _request(request: httpx.Request) -> MockRequest:
    """The same request as if it had been sent to Asana: a document knows its own address only."""
    return MockRequest("https://app.asana.com", request.method, request.url.path, args=dict(request.url.params))


def _with_errors_everywhere(document: Document) -> Document:
    """The document names no errors for the list of memberships: they are taken to be those of all other routes."""
    document = deepcopy(document)
    for published in document["paths"].values():
        for method in published.keys() & {"get", "post"}:
            for status, name in ERRORS.items():
                published[method]["responses"].setdefault(status, {"$ref": f"#/components/responses/{name}"})
    return document


def _as_meant(part: Document) -> Document:
    """`allOf: [a record, {nullable: true}]` read as a record or null, which it means and, strictly, does not say."""
    meant = {key: _each(value, _as_meant) for key, value in part.items()}
    parts = part.get("allOf", [])
    if isinstance(parts, list) and len(parts) == 2 and "$ref" in parts[0] and parts[1].get("nullable"):
        del meant["allOf"]
        meant["anyOf"] = [parts[0], {"type": "object", "nullable": True, "maxProperties": 0}]
    return meant


def _each(value: object, change: Callable[[Document], Document]) -> object:
    if isinstance(value, list):
        return [_each(one, change) for one in value]
    return change(value) if isinstance(value, dict) else value


def _full_records(document: Document) -> Document:
    """The document with full records in place of compact ones: the fields that `opt_fields` adds have types there."""
    text = json.dumps(document["paths"])
    for name in document["components"]["schemas"]:
        full = f"{name.removesuffix('Compact')}Response"
        if name.endswith("Compact") and full in document["components"]["schemas"]:
            text = text.replace(f'"#/components/schemas/{name}"', f'"#/components/schemas/{full}"')
    return document | {"paths": json.loads(text), "components": _nothing_required(document["components"])}


def _nothing_required(part: Document) -> Document:
    """A compact record may stand where the full one is expected: it only has fewer fields."""
    return {
        key: _each(value, _nothing_required)
        for key, value in part.items()
        if not (key == "required" and isinstance(value, list))
    }


def _opt_fields(operation: Document) -> Iterator[set[str]]:
    """What `opt_fields` may ask for, by the document: each path with all that it begins with."""
    for parameter in operation.get("parameters", []):
        if parameter.get("name") == "opt_fields":
            for path in parameter["schema"]["items"]["enum"]:
                steps = path.split(".")
                yield {".".join(steps[: end + 1]) for end in range(len(steps))}


def _paths(part: object, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of all fields in an answer; lists are passed through."""
    if isinstance(part, list):
        for value in part:
            yield from _paths(value, above)
    elif isinstance(part, dict):
        for name, value in part.items():
            yield (*above, name)
            yield from _paths(value, (*above, name))
