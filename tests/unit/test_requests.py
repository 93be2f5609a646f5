"""Reading a request: what is good is read, and everything else is refused with a sentence, whatever it is."""

import json
import random
import string
from uuid import UUID

import pytest

from messages.errors import RequestError
from messages.requests import LARGEST_BODY, read_request

ID = "7b0c2f6e-3c52-4bb0-9f5c-4a0c1f7a9d10"
GOOD = {"id": ID, "kind": "cycle", "profile": "acme", "requested_by": "ann"}


def body(**changes: object) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def nested(depth: int, **changes: object) -> bytes:
    return body(**changes)[:-1] + b', "x": ' + b"[" * depth + b"]" * depth + b"}"


def test_a_good_request_is_read() -> None:
    request = read_request(body(at="2026-03-02T06:00:00+01:00"))
    assert request.id == UUID(ID)
    assert request.at is not None
    assert request.at.isoformat() == "2026-03-02T06:00:00+01:00"


def test_a_reclaim_names_its_plan() -> None:
    assert read_request(body(kind="reclaim", plan="a" * 64)).plan == "a" * 64


ODD = {
    "nothing": (b"", "not JSON"),
    "not UTF-8": (b"\xff\xfe{}", "not JSON"),
    "UTF-16": (body().decode().encode("utf-16"), "not JSON"),
    "cut": (body()[:-1], "not JSON"),
    "a list": (b"[1]", "not a JSON object"),
    "null": (b"null", "not a JSON object"),
    "a number of 5,000 digits": (b'{"id": ' + b"9" * 5000 + b"}", "not JSON"),
    "NaN": (b'{"id": NaN}', "NaN"),
    "infinity by another name": (body()[:-1] + b', "at": 1e400}', "at: "),
    "a key twice": (body()[:-1] + b', "kind": "reclaim"}', "twice"),
    "nested too deeply to read": (nested(20_000), "nested"),
    "nested too deeply to write": (nested(950), ""),
    "an id nested deeply": (b'{"id": ' + b"[" * 900 + b"]" * 900 + b"}", ""),
    "too large": (body(requested_by="a" * LARGEST_BODY), "at most 65536"),
    "no id": (json.dumps({**GOOD, "id": None}).encode(), "id: "),
    "an extra key": (body(dry_run=False), "dry_run: "),
    "an unknown kind": (body(kind="remove_everybody"), "kind: "),
    "a wrong type": (body(profile=7), "profile: "),
    "a time without zone": (body(at="2026-03-02T06:00:00"), "at: "),
    "NUL in text": (body(requested_by="a\x00b"), "requested_by: "),
    "NUL in a key": (body(**{"a\x00b": 1}), "a"),
    "half of a surrogate pair": (body(requested_by="\ud800"), ""),
    "half of one in a key": (body(**{"\udfff": 1}), ""),
    "a colour in a terminal": (body(requested_by="\x1b[31mroot"), "requested_by: "),
    "a profile of another alphabet": (body(profile="аcme"), "profile: "),  # noqa: RUF001 - Cyrillic on purpose
    "a reclaim without plan": (body(kind="reclaim"), "approved plan"),
    "a plan without reclaim": (body(plan="a" * 64), "approved plan"),
    "pickle": (b"\x80\x04\x95\x10", "not JSON"),
}
"""What is wrong with a body, the body, and a word of the refusal."""


@pytest.mark.parametrize("wrong", ODD)
def test_odd_ones_are_refused_with_a_sentence(wrong: str) -> None:
    odd, word = ODD[wrong]
    with pytest.raises(RequestError) as refused:
        read_request(odd)
    assert word in refused.value.reason


def test_the_id_is_kept_where_it_can_be_read() -> None:
    with pytest.raises(RequestError) as refused:
        read_request(body(kind="nonsense"))
    assert refused.value.request_id == ID


@pytest.mark.parametrize("given", [7, ["x"], "no uuid", ID + "0"])
def test_an_id_that_is_none_is_not_kept(given: object) -> None:
    with pytest.raises(RequestError) as refused:
        read_request(body(id=given))
    assert refused.value.request_id is None


def test_whatever_is_changed_it_is_read_or_refused(seed: int) -> None:
    """Change a good body in some bytes, 3,000 times over."""
    dice = random.Random(seed)
    for _ in range(3000):
        odd = bytearray(body(at="2026-03-02T06:00:00Z"))
        for _ in range(dice.randint(1, 4)):
            place = dice.randrange(len(odd))
            odd[place : place + dice.randint(0, 3)] = dice.choice(string.printable + "\x00\x80\xff").encode("latin-1")
        try:
            read_request(bytes(odd))
        except RequestError as refused:
            assert refused.reason  # noqa: PT017 - either outcome is good, any other exception is not
