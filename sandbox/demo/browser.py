"""Plays the browser of the administrator who allows the app: opens the page, presses Allow, reads the code."""

from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx


class _Page(HTMLParser):
    """The form's address and hidden fields, and the text of the element with the id `code`."""

    def __init__(self) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self.code = ""
        self._in_code = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = given.get("action", "")
        elif tag == "input":
            self.fields[given.get("name", "")] = given.get("value", "")
        self._in_code = given.get("id") == "code"

    def handle_data(self, data: str) -> None:
        if self._in_code:
            self.code += data

    def handle_endtag(self, tag: str) -> None:
        self._in_code = self._in_code and tag != "code"


def allow(address: str) -> str:
    """Open the address that `seats connect` printed, allow the app, and return the code that is shown."""
    with httpx.Client(trust_env=False, timeout=10) as browser:
        asked = _read(browser.get(address))
        answer = browser.post(urljoin(address, asked.action), data={**asked.fields, "allow": "yes"})
        return _read(answer).code


def _read(answer: httpx.Response) -> _Page:
    answer.raise_for_status()
    page = _Page()
    page.feed(answer.text)
    return page
