"""Health and figures of one process, answered beside its event loop."""

import asyncio
import json
import sys
import threading
from collections.abc import Mapping

import psycopg
import pytest
from prometheus_client import CollectorRegistry, Metric

from settings import Settings
from tests.workers.running import get
from workers.metrics import _one
from workers.operations import Check, OperationsServer, operations, peak_memory, process_registry

pytestmark = pytest.mark.anyio
SETTINGS = Settings()


async def well() -> str | None:
    return None


async def test_all_well_is_200_and_one_trouble_is_503_in_words() -> None:
    troubles: list[str | None] = [None]

    async def broker() -> str | None:
        return troubles[0]

    async def broken() -> str | None:
        raise OSError("no route")

    async with operations(SETTINGS, "relay", checks={"broker": broker, "database": well}) as server:
        status, body = await asyncio.to_thread(get, f"{server.address}/health")
        checks = {"loop": "ok", "broker": "ok", "database": "ok"}
        assert (status, json.loads(body)) == (200, {"process": "relay", "healthy": True, "checks": checks})
        troubles[0] = "RabbitMQ is away"
        status, body = await asyncio.to_thread(get, f"{server.address}/health")
        assert (status, json.loads(body)["checks"]["broker"]) == (503, "RabbitMQ is away")
        assert (await asyncio.to_thread(get, f"{server.address}/elsewhere"))[0] == 404
    async with operations(SETTINGS, "relay", checks={"database": broken}) as server:
        status, body = await asyncio.to_thread(get, f"{server.address}/health")
        assert (status, json.loads(body)["checks"]["database"]) == (503, "no route")


async def test_a_blocked_event_loop_is_a_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.operations.LONGEST_CHECK", 0.2)
    answers: list[tuple[int, str]] = []
    async with operations(SETTINGS, "relay", checks={}) as server:
        asking = threading.Thread(target=lambda: answers.append(get(f"{server.address}/health")))
        asking.start()
        asking.join()  # the loop waits here, in this very thread, and answers nothing
    ((status, body),) = answers
    assert (status, json.loads(body)["checks"]["loop"]) == (503, "no answer within 0 seconds")


async def test_figures_are_collected_at_the_moment_of_asking() -> None:
    value = [1.0]

    async def collect() -> list[Metric]:
        return [_one("things", "Things", value[0])]

    async with operations(SETTINGS, "relay", checks={}, collect=collect) as server:
        for value[0] in (2.0, 3.0):
            status, body = await asyncio.to_thread(get, f"{server.address}/metrics")
            assert status == 200
            assert f"seatkeeper_things {value[0]}" in body
            assert "seatkeeper_process_resident_memory_bytes" in body


async def test_figures_that_cannot_be_had_are_503() -> None:
    async def collect() -> list[Metric]:
        raise psycopg.OperationalError("the connection is lost")

    async with operations(SETTINGS, "relay", checks={}, collect=collect) as server:
        assert await asyncio.to_thread(get, f"{server.address}/metrics") == (503, "the connection is lost\n")


def served(checks: Mapping[str, Check]) -> tuple[int, dict[str, str]]:
    """Ask a process with these checks for its health once."""
    server = OperationsServer(SETTINGS, "worker", checks, CollectorRegistry())
    server.start()
    try:
        status, body = get(f"{server.address}/health")
    finally:
        server.close()
    return status, json.loads(body)["checks"]


def test_a_process_without_a_loop_gives_plain_functions() -> None:
    assert served({"threads": lambda: "3 of 4 are alive"}) == (503, {"threads": "3 of 4 are alive"})


def test_all_checks_are_asked_at_once() -> None:
    together = threading.Barrier(3)

    def meets_the_others() -> None:
        together.wait(timeout=2)  # broken, and a trouble, when one is asked after another

    names = ("broker", "database", "loop")
    assert served(dict.fromkeys(names, meets_the_others)) == (200, dict.fromkeys(names, "ok"))


def test_a_check_that_never_answers_keeps_nothing_of_the_others_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.operations.LONGEST_CHECK", 0.2)
    end = threading.Event()
    try:
        status, said = served({"database": lambda: str(end.wait()), "broker": lambda: "away", "loop": lambda: None})
    finally:
        end.set()
    assert (status, said) == (503, {"database": "no answer within 0 seconds", "broker": "away", "loop": "ok"})


def test_every_process_shows_the_most_memory_that_it_held() -> None:
    held = b"x" * 64_000_000
    before = peak_memory()
    del held
    shown = {sample.name: sample.value for family in process_registry().collect() for sample in family.samples}
    assert (before is None) == (sys.platform != "linux")
    if before is not None:  # the system counts pages in batches
        assert shown["seatkeeper_process_peak_memory_bytes"] == pytest.approx(before, abs=4_000_000)
        assert shown["seatkeeper_process_resident_memory_bytes"] < before - 32_000_000


def test_where_the_system_does_not_tell_it_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.operations.Path.read_text", _no_such_file)
    assert peak_memory() is None
    assert not any("peak_memory" in family.name for family in process_registry().collect())


def _no_such_file(*_path: object, **_how: object) -> str:
    raise FileNotFoundError
