"""The proxy fails in each way that a network does, on command."""

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from sandbox.proxy import Proxy


@dataclass(frozen=True)
class Echo:
    """A server that answers what it hears."""

    url: str


@pytest.fixture
def echo() -> Iterator[Echo]:
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                one, _address = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(one,)).start()

    def answer(one: socket.socket) -> None:
        with one:
            while chunk := one.recv(1024):
                one.sendall(chunk)

    thread = threading.Thread(target=serve)
    thread.start()
    yield Echo(f"amqp://user:secret@127.0.0.1:{listener.getsockname()[1]}/vhost")
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    with Proxy(echo.url) as made:
        yield made


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    with connect(proxy) as one:
        assert ask(one, b"hello") == b"hello"
        yield one


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def ask(one: socket.socket, question: bytes) -> bytes:
    one.sendall(question)
    return one.recv(1024)


def ended(one: socket.socket) -> bool:
    try:
        return one.recv(1024) == b""
    except ConnectionError:
        return True


def test_a_url_through_it_keeps_all_but_the_place(echo: Echo, proxy: Proxy) -> None:
    through = urlsplit(proxy.through(echo.url))
    assert (through.username, through.password, through.path) == ("user", "secret", "/vhost")
    assert (through.hostname, through.port) == ("127.0.0.1", proxy.port)
    assert proxy.through("postgresql://127.0.0.1:1/x") == f"postgresql://127.0.0.1:{proxy.port}/x"


def test_stopped_it_cuts_and_refuses_until_it_is_restarted(proxy: Proxy, client: socket.socket) -> None:
    proxy.stop()
    assert ended(client)
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
    proxy.restart()
    with connect(proxy) as again:
        assert ask(again, b"back") == b"back"


def test_deaf_it_keeps_connections_and_answers_nothing(proxy: Proxy, client: socket.socket) -> None:
    proxy.go_deaf()
    client.sendall(b"anybody?")
    client.settimeout(0.1)
    with pytest.raises(TimeoutError):
        client.recv(1024)
    with connect(proxy) as another:
        another.settimeout(0.1)
        with pytest.raises(TimeoutError):
            ask(another, b"hello?")
    proxy.hear()
    client.settimeout(5)
    assert client.recv(1024) == b"anybody?"


def test_cut_ends_what_is_open_and_takes_new_connections(proxy: Proxy, client: socket.socket) -> None:
    proxy.cut()
    assert ended(client)
    with connect(proxy) as another:
        assert ask(another, b"new") == b"new"


@pytest.mark.parametrize("count", [0, 1, 4])
def test_cut_after_so_many_bytes_of_the_answer(count: int, proxy: Proxy, client: socket.socket) -> None:
    proxy.cut_after(count)
    client.sendall(b"12345")
    assert b"".join(iter(lambda: client.recv(1024), b"")) == b"12345"[:count]
    with connect(proxy) as another:
        assert ask(another, b"whole") == b"whole", "once only"


def test_without_a_server_a_connection_ends_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    with Proxy(f"tcp://127.0.0.1:{port}") as proxy, connect(proxy) as one:
        assert ended(one)
