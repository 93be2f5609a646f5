"""Sends an answer, or spoils it as a scripted fault says. The only place that touches the connection."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from starlette.types import Receive, Send

from sandbox.asana.faults import Fault

JSON_TYPE = (b"content-type", b"application/json; charset=UTF-8")

write_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


@dataclass(slots=True)
class Answer:
    """A status, a body and the headers beside its length, ready to be sent."""

    status: int
    body: bytes
    headers: list[tuple[bytes, bytes]] = field(default_factory=lambda: [JSON_TYPE])


def json_answer(content: object, status: int = 200, *, pretty: bool = False) -> Answer:
    text = json.dumps(content, indent=2, ensure_ascii=False) if pretty else write_json(content)
    return Answer(status, text.encode())


async def read_body(receive: Receive) -> bytes:
    """The whole body of a request."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    return body


async def send_through(fault: Fault | None, send: Send, act: Callable[[], Answer]) -> int:
    """Do what the call asks for (`act`) and send its answer, through the fault if there is one.

    Returns the status that the caller was told; 0 when the connection was closed before the answer was whole. A caller
    who hangs up while a fault waits does not stop the effect, as it would not with a real server.
    """
    if fault is None:
        return await _send(send, act())
    if fault.delay and not fault.after_effect:
        await asyncio.sleep(fault.delay)
    answer = act() if fault.after_effect or fault.kind == "slow" else None
    if fault.delay and fault.after_effect and fault.kind != "drip":
        await asyncio.sleep(fault.delay)
    return await _spoil(fault, send, answer)


async def _spoil(fault: Fault, send: Send, answer: Answer | None) -> int:
    if fault.kind in {"lost", "close"}:
        return await _close(send)
    if answer is None or fault.kind in {"answer", "html"}:
        headers = [(name.lower().encode(), value.encode()) for name, value in fault.headers.items()]
        return await _send(send, Answer(fault.status, fault.body, headers))
    if fault.kind == "cut":
        return await _cut(send, answer)
    if fault.kind == "drip":
        return await _drip(send, answer, fault.delay)
    if fault.rewrite:
        headers = [(name.lower().encode(), value.encode()) for name, value in fault.headers.items()]
        return await _send(send, Answer(answer.status, fault.rewrite(answer.body), headers))
    if fault.patch:
        answer = json_answer(fault.patch(json.loads(answer.body)), answer.status)
    return await _send(send, answer)


async def _send(send: Send, answer: Answer) -> int:
    await _start(send, answer)
    await send({"type": "http.response.body", "body": answer.body})
    return 0 if _transport(send).is_closing() else answer.status


async def _start(send: Send, answer: Answer) -> None:
    length = (b"content-length", str(len(answer.body)).encode())
    await send({"type": "http.response.start", "status": answer.status, "headers": [*answer.headers, length]})


async def _cut(send: Send, answer: Answer) -> int:
    """Half of the body under the length of the whole."""
    await _start(send, answer)
    half = answer.body[: len(answer.body) // 2]
    await send({"type": "http.response.body", "body": half, "more_body": True})
    return await _close(send)


async def _drip(send: Send, answer: Answer, seconds: float) -> int:
    """The body in small pieces, evenly over so many seconds."""
    await _start(send, answer)
    pieces = min(len(answer.body), max(2, int(seconds * 20)))
    size = -(-len(answer.body) // pieces) if pieces else 1
    for at in range(0, len(answer.body), size):
        await asyncio.sleep(seconds / pieces)
        await send({"type": "http.response.body", "body": answer.body[at : at + size], "more_body": True})
    await send({"type": "http.response.body", "body": b""})
    return 0 if _transport(send).is_closing() else answer.status


async def _close(send: Send) -> int:
    """Close the connection as a server does that dies: what was written goes out, then nothing more."""
    _transport(send).close()
    # Only once uvicorn has noticed does it accept that no answer was sent.
    while not _cycle(send).disconnected:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.001)
    return 0


def _transport(send: Send) -> asyncio.Transport:
    return _cycle(send).transport


class _Cycle(Protocol):
    """What we use of uvicorn's request cycle, with httptools and h11 alike."""

    transport: asyncio.Transport
    disconnected: bool


def _cycle(send: Send) -> _Cycle:
    """Uvicorn's side of a call: its `send` is a method of it.

    ASGI has no word for closing a connection without an answer, which is just what we want to play.
    """
    cycle: _Cycle = send.__self__  # type: ignore[attr-defined]  # a bound method, see above
    return cycle
