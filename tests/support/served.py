"""An application behind the real HTTP server, in a thread, for tests that speak bytes."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

from direct311.runtime.process import BoundedHeads


class QuickHeads(BoundedHeads):
    """The same, for tests that do not want to wait."""

    HEAD_SECONDS = 0.4
    UNREAD_SECONDS = 0.4


@dataclass(frozen=True)
class Served:
    """A server on its own port."""

    port: int

    def say(self, *pieces: bytes, seconds: float = 20.0, pause: float = 0.0) -> bytes:
        """Send these bytes; returns everything received until the server closed or was silent for a
        while."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as raw:
            for number, piece in enumerate(pieces):
                if number and pause:
                    time.sleep(pause)
                with contextlib.suppress(OSError):
                    raw.sendall(piece)
            return read(raw)


def read(raw: socket.socket) -> bytes:
    """Everything received until the other side closes."""
    found = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while piece := raw.recv(65_536):
            found += piece
    return bytes(found)


@contextlib.contextmanager
def served(app: ASGIApp, *, most: int | None = None) -> Iterator[Served]:
    """The application, served in the same way as by a real process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host="127.0.0.1",
            port=port,
            http=QuickHeads,
            ws="none",
            lifespan="off",
            limit_concurrency=most,
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < deadline, "the server starts"
        time.sleep(0.01)
    try:
        yield Served(port)
    finally:
        server.should_exit = True
        thread.join(20)
