"""The bad answers: one row for each, and how it is put into the look-alike's script.

An answer that is well formed and simply untrue is none of them, as long as nothing in it says so: that nobody can tell.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from benchmarks.proofs import answers_spoiling as spoiling
from sandbox.asana.faults import Fault, Faults, Kind, Patch, Rewrite

Shape = Literal["token", "one", "seat", "memberships", "users", "workspaces", "tasks", "stories", "search", "log"]
"""What the right answer is made of."""

PAGED = frozenset[Shape]({"seat", "memberships", "users", "workspaces", "tasks", "stories"})
LISTED = PAGED | frozenset[Shape]({"search", "log"})
LOG = frozenset[Shape]({"log"})
OF_PEOPLE = frozenset[Shape]({"seat", "memberships", "users"})
EVERYWHERE = LISTED | frozenset[Shape]({"token", "one"})

COMPLAINT = b'{"errors":[{"message":"Scripted"}]}'
PAGE = b"<!doctype html><title>Not here</title>"
TYPE = {"content-type": "application/json"}
WEB = {"content-type": "text/html"}
ELSEWHERE = "<elsewhere>"
"""Stands for the address of the second listener, which must see nothing."""


@dataclass(frozen=True, slots=True)
class Bad:
    """One bad answer. `makes` makes the function that spoils the right answer's JSON, given the foreign address."""

    name: str
    kind: Kind = "answer"
    status: int = 200
    body: bytes = COMPLAINT
    headers: Mapping[str, str] = field(default_factory=lambda: TYPE)
    times: int | None = None
    makes: Callable[[str], Patch] | None = None
    rewrite: Rewrite | None = None
    of: frozenset[Shape] = EVERYWHERE
    why_not: str = ""
    on_every_page: bool = False

    def put_into(
        self, faults: Faults, elsewhere: str, *, method: str, route: str, query: Mapping[str, str | None]
    ) -> Fault:
        """Script it for the calls that are meant."""
        if self.on_every_page:
            query = {name: wanted for name, wanted in query.items() if name != "offset"}
        return faults.add(
            self.kind,
            method=method,
            route=route,
            query=query,
            status=self.status,
            headers={name: value.replace(ELSEWHERE, elsewhere) for name, value in self.headers.items()},
            body=self.body,
            times=self.times,
            patch=self.makes(elsewhere) if self.makes else None,
            rewrite=self.rewrite,
        )


def _moved(status: int) -> Bad:
    return Bad(f"{status} to another host", status=status, body=b"", headers=TYPE | {"location": f"{ELSEWHERE}/all"})


def _slow_down(name: str, **headers: str) -> Bad:
    return Bad(
        f"429, Retry-After {name}", status=429, headers=TYPE | {k.replace("_", "-"): v for k, v in headers.items()}
    )


NO_PAGES = "the answer has no pages that it could name"
NO_ITEMS = "the answer has nothing of the kind"
PROOF = "an empty list is a right answer there"

KINDS: tuple[Bad, ...] = (
    Bad("empty 200", body=b""),
    Bad("{}", body=b"{}"),
    Bad("null", body=b"null"),
    Bad("data is null", body=b'{"data":null,"next_page":null}'),
    Bad("data is a word", body=b'{"data":"none","next_page":null}'),
    Bad("one item is null", body=b'{"data":[null],"next_page":null}'),
    Bad("a web page with 200", "html", body=PAGE, headers=WEB),
    Bad("the right answer as text/html", "bytes", headers=WEB, rewrite=bytes),
    Bad("gzip that breaks off", "bytes", headers=TYPE | {"content-encoding": "gzip"}, rewrite=spoiling.half_gzip),
    Bad("gzip that is none", "bytes", headers=TYPE | {"content-encoding": "gzip"}, rewrite=bytes),
    Bad("a byte order mark", "bytes", rewrite=lambda body: b"\xef\xbb\xbf" + body),
    Bad("UTF-16", "bytes", rewrite=lambda body: body.decode().encode("utf-16")),
    Bad("half of the JSON", "bytes", rewrite=lambda body: body[: len(body) // 2]),
    Bad("cut in the middle", "cut"),
    Bad("closed", "close"),
    Bad("closed once", "close", times=1),
    Bad("201 with an empty list", status=201, body=b'{"data":[],"next_page":null}'),
    Bad("204", status=204, body=b""),
    _moved(301),
    _moved(302),
    _moved(307),
    Bad("304", status=304, body=b""),
    Bad("400", status=400),
    Bad("400, truncated", status=400, body=b'{"errors":[{"message":"The result was truncated."}]}'),
    Bad("401 once", status=401, times=1),
    Bad("401 always", status=401),
    Bad("402", status=402),
    Bad("403", status=403),
    Bad("403, a web page", status=403, body=PAGE, headers=WEB),
    Bad("404", status=404),
    Bad("404, a web page", status=404, body=PAGE, headers=WEB),
    Bad("407", status=407),
    Bad("409", status=409),
    Bad("410", status=410),
    Bad("412", status=412),
    Bad("422", status=422),
    _slow_down("in seconds", retry_after="60"),
    _slow_down("as a date", retry_after="Fri, 01 Jan 2038 00:00:00 GMT"),
    _slow_down("absent"),
    _slow_down("negative", retry_after="-7"),
    _slow_down("huge", retry_after="1000000000"),
    Bad("451", status=451),
    Bad("500", status=500),
    Bad("500 once", status=500, times=1),
    Bad("500 with the data of a 200", status=500, body=b'{"data":[],"next_page":null}'),
    Bad("502, a web page", status=502, body=PAGE, headers=WEB),
    Bad("503", status=503, body=b""),
    Bad("504", status=504, body=b""),
    Bad("200 with errors only", body=COMPLAINT),
    Bad("errors beside the data", "patch", makes=spoiling.with_errors),
    Bad("a field is missing", "patch", makes=spoiling.without_gid),
    Bad(
        "a time without its zone",
        "patch",
        makes=spoiling.time_without_zone,
        of=frozenset({"seat", "memberships", "tasks", "stories", "search", "log"}),
        why_not=NO_ITEMS,
    ),
    Bad("round in a circle", "patch", makes=spoiling.round_in_a_circle, of=PAGED, why_not=NO_PAGES, on_every_page=True),
    Bad("next_page.uri elsewhere", "patch", makes=spoiling.way_on_elsewhere, of=PAGED | LOG, why_not=NO_PAGES),
    Bad("the offset is an address", "patch", makes=spoiling.offset_is_an_address, of=PAGED | LOG, why_not=NO_PAGES),
    Bad("next_page is missing", "patch", makes=spoiling.no_way_on, of=PAGED, why_not=NO_PAGES),
    Bad("somebody else's people", "patch", makes=spoiling.of_strangers, of=OF_PEOPLE, why_not=NO_ITEMS),
    Bad(
        "another person's tasks",
        "patch",
        makes=spoiling.of_another_person,
        of=frozenset({"tasks"}),
        why_not=NO_ITEMS,
    ),
    Bad("nobody at all", "patch", makes=spoiling.nobody, of=frozenset({"memberships"}), why_not=PROOF),
    Bad("one of them twice", "patch", makes=spoiling.twice_and_different, of=OF_PEOPLE, why_not=NO_ITEMS),
)
