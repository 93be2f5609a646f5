"""Asks the look-alike as a client would, and holds every answer against Asana's OpenAPI document."""

from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from sandbox.asana import Running
from tests.sandbox.openapi_document import EXTRACT, load
from tests.sandbox.validation import Validator

EXTRACT_VALIDATOR = Validator(load(EXTRACT))

Row = dict[str, Any]
Query = Mapping[str, str | int]


class Asking:
    """One client of the API. Answers of documented statuses are validated, unless `validator` is None."""

    def __init__(
        self, asana: Running, token: str | None = None, validator: Validator | None = EXTRACT_VALIDATOR
    ) -> None:
        self._validator = validator
        headers = {"Authorization": f"Bearer {asana.admin_token if token is None else token}"}
        self.client = httpx.Client(base_url=asana.api_url, headers=headers, timeout=10)
        self.organization = asana.organization_gid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.client.close()

    def answer(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        sent: object = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        response = self.client.request(method, path, params=query, json=sent, content=content)
        if self._validator and response.status_code != 429:
            self._validator.check(response)
        return response

    def get(self, path: str, *, status: int = 200, **query: str | int) -> Row:
        """The JSON of an answer that must have this status."""
        return self._read(path, query, status)

    def post(self, path: str, user: object, *, status: int = 200) -> Row:
        response = self.answer("POST", path, sent={"data": {"user": user}})
        assert response.status_code == status, response.text
        body: Row = response.json()
        return body

    def all(self, path: str, query: Query | None = None, *, limit: int = 100) -> Iterator[Row]:
        """All rows of a listing, page by page."""
        page: Row = {"next_page": {}}
        while page["next_page"] is not None:
            offset = {"offset": page["next_page"]["offset"]} if page["next_page"] else {}
            page = self._read(path, {"limit": limit, **(query or {}), **offset}, 200)
            yield from page["data"]

    def remove(self, user: object, *, status: int = 200) -> Row:
        return self.post(f"/workspaces/{self.organization}/removeUser", user, status=status)

    def memberships(self, fields: str = "user.name,is_active") -> list[Row]:
        """All rows of the organization's list of memberships."""
        return list(self.all(f"/workspaces/{self.organization}/workspace_memberships", {"opt_fields": fields}))

    def _read(self, path: str, query: Query, status: int) -> Row:
        response = self.answer("GET", path, query=query)
        assert response.status_code == status, response.text
        body: Row = response.json()
        return body
