"""A log that can fork, what it sends to witnesses, and running witnesses."""

import http.client
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from direct311.verifier.checkpoint import Checkpoint
from direct311.verifier.merkle import EMPTY_ROOT, MemoryHashes, consistency_proof, leaf_hash
from direct311.verifier.merkle import tree_root as root_of
from direct311.verifier.note import Cosigner, Signer
from direct311.verifier.submission import Submission
from tests.support.audit_log import LOG_SIGNER, ORIGIN, private_key

COSIGNER = Cosigner("witness.example.org/w1", private_key("witness 1"))
AT = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)


class History:
    """A log of up to `length` entries; entries from `forked_at` on belong only to this history."""

    def __init__(self, length: int, name: str = "", forked_at: int | None = None) -> None:
        forked_at = length if forked_at is None else forked_at
        self.leaves = [
            leaf_hash(f"{'' if number < forked_at else name}{number}".encode())
            for number in range(length)
        ]
        self._read = MemoryHashes(self.leaves)

    def root(self, size: int) -> bytes:
        return root_of(self._read, size) if size else EMPTY_ROOT

    def checkpoint(self, size: int, origin: str = ORIGIN) -> Checkpoint:
        return Checkpoint(origin, size, self.root(size))

    def proof(self, old: int, size: int) -> tuple[bytes, ...]:
        return tuple(consistency_proof(self._read, old, size)) if old else ()

    def submission(self, old: int, size: int, signer: Signer = LOG_SIGNER) -> Submission:
        note = self.checkpoint(size).sign([signer])
        return Submission(old, self.proof(old, size), note)


def serving(folder: Path, port: int = 0) -> list[str]:
    return [
        "serve",
        f"--key={folder / 'key'}",
        f"--policy={folder / 'policy'}",
        f"--memory={folder / 'memory'}",
        f"--port={port}",
    ]


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


class Served:
    """A witness as a client sees it."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def ask(self, path: str, body: str | None = None) -> tuple[int, str | None, str]:
        method = "GET" if body is None else "POST"
        self.connection.request(method, path, None if body is None else body.encode())
        answer = self.connection.getresponse()
        return answer.status, answer.getheader("content-type"), answer.read().decode()

    def ready(self) -> bool:
        try:
            return self.ask("/health/ready")[0] == 200
        except OSError:
            self.connection.close()
            return False


@contextmanager
def served(folder: Path, *more: str, port: int | None = None) -> Iterator[Served]:
    """A process with `key` and `policy` of a folder, which gets its `memory` and its `log`."""
    port = port or free_port()
    command = [sys.executable, "-m", "direct311.witness", *serving(folder, port), *more]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, stderr=log)
    try:
        client = Served(port)
        deadline = time.monotonic() + 20
        while not client.ready():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield client
        client.connection.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) in (0, -signal.SIGTERM)
    finally:
        process.kill()
        process.wait()
