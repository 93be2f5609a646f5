"""Any answer of any route can be scripted to fail, in the ways in which answers fail in the world.

faults.add("answer", route="/tasks", status=503)              another answer, and nothing happens
faults.add("answer", route="…/removeUser", status=502, after_effect=True)   it happened, yet the answer is bad
faults.add("html", …)          a web page with status 200 where JSON was due
faults.add("cut", …)           the length of the whole, half of the body, and the connection is closed
faults.add("close", …)         the connection is closed, and nothing happened
faults.add("lost", …)          it happened, and the connection is closed without an answer
faults.add("slow", delay=2)    the answer is late (`after_effect`: it has happened before the wait)
faults.add("drip", delay=2)    the body comes byte by byte over so many seconds
faults.add("patch", patch=f)   `f` changes the JSON before it is sent (only from within the same process)
faults.add("bytes", rewrite=f) `f` changes the body's bytes, and `headers` stand beside them instead of the right ones
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Literal, get_args

Kind = Literal["answer", "html", "cut", "close", "lost", "slow", "drip", "patch", "bytes"]
Patch = Callable[[object], object]
Rewrite = Callable[[bytes], bytes]

AFTER_EFFECT = frozenset({"cut", "lost", "drip", "patch", "bytes"})
"""Kinds that only make sense once the call has done what it does."""

WEB_PAGE = b"<!doctype html><title>Asana</title><h1>We will be right back</h1>"


@dataclass(slots=True)
class Fault:
    """One scripted failure and how often it was met.

    `route` is a template as in `/tasks/{task_gid}` (below `/api/1.0`; other paths in full), `path` a regular expression
    searched in the path as it was called; `query` holds regular expressions that parameters must match in full, and
    None for a parameter that must not be there (the first page of a listing is asked for without an offset).
    """

    number: int
    kind: Kind
    method: str | None = None
    route: str | None = None
    path: str | None = None
    query: Mapping[str, str | None] = field(default_factory=dict)
    skip: int = 0
    times: int | None = None
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay: float = 0.0
    after_effect: bool = False
    patch: Patch | None = None
    rewrite: Rewrite | None = None
    met: int = 0  # calls that it fits
    fired: int = 0  # calls that it spoiled

    def fits(self, method: str, route: str, path: str, query: Mapping[str, str]) -> bool:
        """Whether this call is one of those meant."""
        return (
            self.method in {None, method}
            and self.route in {None, route}
            and (self.path is None or re.search(self.path, path) is not None)
            and all(_is_as_wanted(query.get(name), wanted) for name, wanted in self.query.items())
        )

    def spoils(self) -> bool:
        """Count a call that fits, and say whether its turn has come."""
        self.met += 1
        if self.met <= self.skip or (self.times is not None and self.fired >= self.times):
            return False
        self.fired += 1
        return True


class Faults:
    """The script. Of several faults whose turn has come, the one that was added first is taken."""

    def __init__(self) -> None:
        self._faults: dict[int, Fault] = {}
        self._numbers = count(1)

    def __bool__(self) -> bool:
        return bool(self._faults)

    def __iter__(self) -> Iterator[Fault]:
        return iter(list(self._faults.values()))

    def add(  # noqa: PLR0913 - one word for each way in which an answer can go wrong
        self,
        kind: Kind,
        *,
        method: str | None = None,
        route: str | None = None,
        path: str | None = None,
        query: Mapping[str, str | None] | None = None,
        skip: int = 0,
        times: int | None = None,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        body: str | bytes | None = None,
        delay: float = 0.0,
        after_effect: bool = False,
        patch: Patch | None = None,
        rewrite: Rewrite | None = None,
    ) -> Fault:
        """Script a failure for the calls that fit: the first `skip` pass, the next `times` (None: all) fail.

        `delay` is in seconds. Raises ValueError for a kind that there is not, a patch fault without `patch`, a
        bytes fault without `rewrite`, and a `path` or `query` that is no regular expression.
        """
        if kind not in get_args(Kind):
            raise ValueError(f"there is no fault {kind!r}; there are {', '.join(get_args(Kind))}")
        if (kind == "patch") != (patch is not None):
            raise ValueError("a patch fault, and no other, needs a function as `patch`")
        if (kind == "bytes") != (rewrite is not None):
            raise ValueError("a bytes fault, and no other, needs a function as `rewrite`")
        _check_expressions([path or "", *filter(None, (query or {}).values())])
        web_page = kind == "html"
        fault = Fault(
            next(self._numbers),
            kind,
            method.upper() if method else None,
            route,
            path,
            query or {},
            skip,
            times,
            status or (200 if web_page else 500),
            headers or ({"content-type": "text/html"} if web_page else {"content-type": "application/json"}),
            _bytes(body, WEB_PAGE if web_page else b'{"errors":[{"message":"Scripted failure"}]}'),
            delay,
            after_effect or kind in AFTER_EFFECT,
            patch,
            rewrite,
        )
        self._faults[fault.number] = fault
        return fault

    def remove(self, fault: Fault | int) -> bool:
        """Take a fault (or the one of that number) out of the script; False when it was not in it."""
        return self._faults.pop(fault if isinstance(fault, int) else fault.number, None) is not None

    def clear(self) -> None:
        """An empty script."""
        self._faults.clear()

    def take(self, method: str, route: str, path: str, query: Mapping[str, str]) -> Fault | None:
        """The fault that spoils this call. A fault counts the calls that reach it."""
        for fault in list(self._faults.values()):
            if fault.fits(method, route, path, query) and fault.spoils():
                return fault
        return None


def _is_as_wanted(given: str | None, wanted: str | None) -> bool:
    return given is None if wanted is None else given is not None and re.fullmatch(wanted, given) is not None


def _bytes(body: str | bytes | None, otherwise: bytes) -> bytes:
    if body is None:
        return otherwise
    return body.encode() if isinstance(body, str) else body


def _check_expressions(expressions: list[str]) -> None:
    for expression in expressions:
        try:
            re.compile(expression)
        except re.error as reason:
            raise ValueError(f"{expression!r} is no regular expression: {reason}") from reason
