"""A TCP proxy for tests, between a client and a real server, that fails on command.

Networks fail in more ways than by refusing: a peer can fall silent and keep the connection, or be cut off in the middle
of an answer. The proxy does each of these at the moment a test wants it, without touching the server.
"""

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

CHUNK = 65536


class Proxy:
    """Forwards 127.0.0.1:`port` to the host and port of `target`, a URL of any scheme."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        assert parts.hostname, "the target has a host"
        assert parts.port, "the target has a port"
        self._target = (parts.hostname, parts.port)
        self._hears = threading.Event()
        self._hears.set()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._allowance: int | None = None
        self.port = 0
        self._listen()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        for thread in self._threads:
            thread.join()

    def through(self, url: str) -> str:
        """Give the same URL, by way of the proxy."""
        parts = urlsplit(url)
        credentials, at, _place = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{credentials}{at}127.0.0.1:{self.port}"))

    def stop(self) -> None:
        """Refuse new connections and cut those that are open."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        self.hear()  # what was held back finds its connection cut

    def restart(self) -> None:
        """Accept connections again after `stop`, on the same port."""
        self._listen()

    def go_deaf(self) -> None:
        """Keep every connection and accept new ones, but pass nothing on in either direction until `hear`."""
        self._hears.clear()

    def hear(self) -> None:
        """Pass on again, beginning with what was held back."""
        self._hears.set()

    def cut(self) -> None:
        """Cut every open connection; new ones are accepted."""
        with self._lock:
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def cut_after(self, count: int) -> None:
        """Cut every connection, once, after the server has sent `count` more bytes over any of them."""
        with self._lock:
            self._allowance = count

    def _listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        self._run(self._accept, self._listener)

    def _run(self, work: Callable[..., None], *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=work, args=arguments, name="proxy", daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _address = listener.accept()
            except OSError:  # the listener was closed
                return
            self._run(self._serve, listener, client)

    def _serve(self, listener: socket.socket, client: socket.socket) -> None:
        """Carry one connection, both ways, until either side ends it."""
        try:
            server = socket.create_connection(self._target)
        except OSError:  # the server is away, so we are as well
            client.close()
            return
        with client, server:
            with self._lock:
                self._open |= {client, server}
            if listener.fileno() < 0:  # stopped while we connected
                self.cut()
            asking = self._run(self._pump, client, server, lambda chunk: chunk)
            self._pump(server, client, self._allowed)
            asking.join()
            with self._lock:
                self._open -= {client, server}

    def _pump(self, source: socket.socket, sink: socket.socket, allowed: Callable[[bytes], bytes]) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(CHUNK):
                self._hears.wait()
                passed = allowed(chunk)
                sink.sendall(passed)
                if len(passed) < len(chunk):
                    self.cut()
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _allowed(self, chunk: bytes) -> bytes:
        """Give what the server may still send of a chunk; a limit that is reached is lifted."""
        with self._lock:
            if self._allowance is None:
                return chunk
            passed = chunk[: self._allowance]
            self._allowance -= len(passed)
            if len(passed) < len(chunk):
                self._allowance = None
            return passed
