"""A further copy of a service of a running stack, which may be killed too."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import httpx

from deploy.local.stack import Stack


class Copy:
    """One more process of a service, on its own port, with the same servers. `module` and
    `arguments` replace the service's own entry point. `port`: that of the service itself, which is
    stopped, so that all who call it reach the copy.
    """

    def __init__(
        self,
        stack: Stack,
        service: str,
        *,
        module: str | None = None,
        arguments: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
        port: int | None = None,
    ) -> None:
        self._stack = stack
        self._service = service
        self._module = module
        self._arguments = arguments
        self._environ = dict(environ or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._port = port or _free_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def dead(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def start(self) -> None:
        """Start it if it is not running."""
        if not self.dead:
            return
        command, environ = self._stack.command(self._service)
        if self._module is not None:
            command = [sys.executable, "-m", self._module, *self._arguments]
        port = {f"{self._service.upper()}_PORT": str(self._port)}
        log = self._stack.log_file(self._service).with_name(f"{self._service}-copy.log")
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, **environ, **port, **self._environ},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def wait_ready(self, seconds: float = 120) -> None:
        """:raises AssertionError: it died, or was not ready in time."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                if httpx.get(f"{self.url}/health/ready", trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            assert not self.dead, f"the copy of {self._service} died at its start"
            assert time.monotonic() < deadline, f"the copy of {self._service} is not ready"
            time.sleep(0.1)

    def kill9(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    @contextmanager
    def running(self) -> Iterator["Copy"]:
        self.start()
        try:
            yield self
        finally:
            self.kill9()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
