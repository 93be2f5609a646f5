"""Whatever comes back that is not a whole and right answer becomes the right error, and never a value."""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import time
from typing import Literal

import pytest

from asana_api.errors import (
    AsanaError,
    BadAnswer,
    Forbidden,
    ListingCut,
    NotAuthorized,
    NotThere,
    NotUnderstood,
    PlanTooLow,
    RateLimited,
    ServerTrouble,
    Unreachable,
)
from asana_api.permits import Kind, NoLimits
from asana_api.refusals import printable
from asana_api.sending import Bounds
from sandbox.asana import Running
from tests.asana_api.conftest import OpenClient, Stranger
from tests.asana_api.reads import READS

pytestmark = pytest.mark.anyio

COMPLAINT = b'{"errors":[{"message":"Scripted"}]}'
PAGE = b"<!doctype html><title>Not here</title>"


@dataclass(frozen=True)
class Bad:
    """An answer, and the error that it must become."""

    error: type[AsanaError]
    status: int = 200
    body: bytes = COMPLAINT
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    kind: Literal["answer", "html", "cut", "close", "lost", "slow", "drip"] = "answer"


ANSWERS = {
    "400": Bad(NotUnderstood, 400),
    "400 truncated": Bad(ListingCut, 400, b'{"errors":[{"message":"The result was truncated."}]}'),
    "401": Bad(NotAuthorized, 401),
    "401 page": Bad(NotAuthorized, 401, PAGE),
    "402": Bad(PlanTooLow, 402),
    "403": Bad(Forbidden, 403),
    "403 page": Bad(BadAnswer, 403, PAGE),
    "404": Bad(NotThere, 404),
    "404 page": Bad(BadAnswer, 404, PAGE),
    "404 empty": Bad(BadAnswer, 404, b""),
    "409": Bad(NotUnderstood, 409),
    "412": Bad(NotUnderstood, 412),
    "422": Bad(NotUnderstood, 422),
    "451": Bad(NotUnderstood, 451),
    "429": Bad(RateLimited, 429),
    "429 page": Bad(RateLimited, 429, PAGE),
    "500": Bad(ServerTrouble, 500),
    "502 page": Bad(ServerTrouble, 502, PAGE),
    "503": Bad(ServerTrouble, 503, b""),
    "504": Bad(ServerTrouble, 504, b""),
    "201": Bad(BadAnswer, 201, b'{"data":[],"next_page":null}'),
    "204": Bad(BadAnswer, 204, b""),
    "empty": Bad(BadAnswer, 200, b""),
    "nothing in it": Bad(BadAnswer, 200, b"{}"),
    "null": Bad(BadAnswer, 200, b"null"),
    "null data": Bad(BadAnswer, 200, b'{"data":null,"next_page":null}'),
    "data of another kind": Bad(BadAnswer, 200, b'{"data":"x","next_page":null}'),
    "one item null": Bad(BadAnswer, 200, b'{"data":[null],"next_page":null}'),
    "one item empty": Bad(BadAnswer, 200, b'{"data":[{}],"next_page":null}'),
    "gid with letters": Bad(BadAnswer, 200, b'{"data":[{"gid":"me"}],"next_page":null}'),
    "errors in a 200": Bad(BadAnswer, 200, b'{"errors":[{"message":"x"}]}'),
    "errors beside data": Bad(BadAnswer, 200, b'{"data":[],"next_page":null,"errors":[{"message":"x"}]}'),
    "byte order mark": Bad(BadAnswer, 200, b'\xef\xbb\xbf{"data":[],"next_page":null}'),
    "not UTF-8": Bad(BadAnswer, 200, b'{"data":[{"gid":"1","name":"\xff\xfe"}],"next_page":null}'),
    "half the JSON": Bad(BadAnswer, 200, b'{"data":[{"gid":"1","na'),
    "a web page": Bad(BadAnswer, kind="html"),
    "broken gzip": Bad(BadAnswer, 200, b"\x1f\x8b\x08 not gzip", {"content-encoding": "gzip"}),
    "cut": Bad(Unreachable, kind="cut"),
    "closed": Bad(Unreachable, kind="close"),
    "answer lost": Bad(Unreachable, kind="lost"),
}


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("name", READS)
async def test_a_bad_answer_is_its_error_and_never_a_value(
    name: str, answer: str, asana: Running, open_client: OpenClient
) -> None:
    route, read = READS[name]
    bad = ANSWERS[answer]
    fault = asana.faults.add(bad.kind, route=route, status=bad.status, body=bad.body, headers=bad.headers)
    with pytest.raises(AsanaError) as raised:
        await read(open_client(reads=1), asana)
    assert type(raised.value) is bad.error
    assert fault.fired == 1, "a read is not tried again unless the caller asks for it"


@pytest.mark.parametrize("name", READS)
async def test_the_deadline_holds_for_a_slow_answer_and_for_one_that_drips(
    name: str, asana: Running, open_client: OpenClient
) -> None:
    route, read = READS[name]
    for kind in ("slow", "drip"):
        asana.faults.clear()
        asana.faults.add(kind, route=route, delay=20)
        began = time()
        with pytest.raises(Unreachable):
            await read(open_client(reads=1, bounds=Bounds(seconds=0.2)), asana)
        assert time() - began < 2


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("packing", ["", "gzip"])
async def test_a_body_over_the_bound_is_not_held(
    name: str, packing: str, asana: Running, open_client: OpenClient
) -> None:
    route, read = READS[name]
    body = json.dumps({"data": [], "next_page": None, "filling": "x" * 300_000}).encode()
    headers = {"content-encoding": packing} if packing else {}
    body = gzip.compress(body) if packing else body
    asana.faults.add("answer", route=route, status=200, body=body, headers=headers)
    with pytest.raises(BadAnswer, match="BodyTooLong"):
        await read(open_client(reads=1, bounds=Bounds(longest_body=200_000)), asana)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("name", READS)
async def test_a_redirect_is_not_followed(
    name: str, status: int, asana: Running, open_client: OpenClient, stranger: Stranger
) -> None:
    route, read = READS[name]
    asana.faults.add("answer", route=route, status=status, headers={"location": f"{stranger.url}/api/1.0/users/me"})
    with pytest.raises(BadAnswer):
        await read(open_client(reads=1), asana)
    assert stranger.heard == []


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("1.5", 1.5),
        ("0", 1),
        ("1000000000", 900),
        (None, 30),
        ("", 30),
        ("-5", 30),
        ("soon", 30),
        ("nan", 30),
        ("1e3", 30),
        ("\u0663", 30),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 1),
        ("Wed, 18 May 2094 03:33:20 GMT", 900),
        ("Wed, 99 May 2094 03:33:20 GMT", 30),
    ],
)
async def test_retry_after_is_told_to_everybody(
    header: str | None, seconds: float, asana: Running, open_client: OpenClient
) -> None:
    slowed: list[float] = []

    class Permits(NoLimits):
        async def slow_down(self, retry_after: float, kind: Kind) -> None:
            assert kind == "read"
            slowed.append(retry_after)

    headers = {} if header is None else {"retry-after": header.encode("utf-8").decode("latin-1")}
    asana.faults.add("answer", route="/users/{user_gid}", status=429, headers=headers)
    with pytest.raises(RateLimited) as raised:
        await open_client(permits=Permits()).me()
    assert raised.value.retry_after == seconds
    assert slowed == [seconds]


async def test_a_limit_that_asana_sets_is_met(asana: Running, open_client: OpenClient) -> None:
    asana.limits.switch("free")
    client = open_client(reads=1)

    async def ask_often() -> None:
        for _ in range(50):
            await client.me()

    with pytest.raises(RateLimited) as raised:
        await ask_often()
    assert 1 <= raised.value.retry_after <= 60


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("bad token 1/1200001:ab12cd34ef56ab12cd34ef56", "bad token 1/1200001:[secret]"),
        ("refresh 1/r/kJ3_x9Qw-tokenOfAnother", "refresh [secret]"),
        ("Unknown object: 1200000000000042", "Unknown object: 1200000000000042"),
        ("user mara.lind@acme.example is none", "user [address] is none"),
        (
            "Your result set is too large: it has been truncated.",
            "Your result set is too large: it has been truncated.",
        ),
    ],
)
def test_words_of_others_never_carry_a_token_or_an_address(said: str, told: str) -> None:
    assert printable(said) == told
