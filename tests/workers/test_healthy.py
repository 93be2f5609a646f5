"""The health check from inside of a container: exit code and words."""

import socket
import threading
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from settings import Settings
from workers import healthy
from workers.operations import Check, OperationsServer


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator["Asking"]:
    asking = Asking(monkeypatch, capsys)
    yield asking
    for server in asking.servers:
        server.close()


class Asking:
    """Ask a process with given checks, or a port."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys
        self.servers: list[OperationsServer] = []

    def process(self, **checks: Check) -> tuple[int, str]:
        server = OperationsServer(Settings(), "relay", checks, CollectorRegistry())
        server.start()
        self.servers.append(server)
        return self.port(server.address.rpartition(":")[2])

    def port(self, port: str) -> tuple[int, str]:
        self._monkeypatch.setenv("SEATKEEPER_OPERATIONS_PORT", port)
        self._capsys.readouterr()  # what the process itself said so far
        code = healthy.main()
        return code, self._capsys.readouterr().out.strip()


def test_a_process_that_is_well(ask: Asking) -> None:
    assert ask.process(broker=lambda: None) == (0, "well")


def test_what_is_wrong_is_said_in_its_words(ask: Asking) -> None:
    checks = {"broker": lambda: "RabbitMQ is away", "loop": lambda: None, "database": lambda: "no answer"}
    assert ask.process(**checks) == (1, "broker: RabbitMQ is away; database: no answer")


def test_a_process_that_does_not_listen(ask: Asking) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        code, words = ask.port(str(port))
    assert code == 1
    assert f"127.0.0.1:{port} does not answer /health" in words


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.0 200 OK\r\n\r\n{}", b'HTTP/1.0 200 OK\r\n\r\n"well"', b"\xff"])
def test_another_program_on_that_port(ask: Asking, answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def reply() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(answer)

        thread = threading.Thread(target=reply)
        thread.start()
        code, words = ask.port(str(listening.getsockname()[1]))
        thread.join()
    assert code == 1
    assert "does not answer /health" in words


@pytest.mark.parametrize("port", ["", "0", "65536", "many", "-1"])
def test_a_port_that_is_none(ask: Asking, port: str) -> None:
    code, words = ask.port(port)
    assert code == 78
    assert words.startswith("SEATKEEPER_OPERATIONS_PORT")
