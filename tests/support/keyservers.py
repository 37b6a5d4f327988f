"""Servers that hold keys, for tests: OpenBao (transit, as HashiCorp Vault's), and a KMS.

OpenBao's program comes inside a package of the environment. local-kms is built once into the cache
of servers; it needs Go.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from deploy.local import bootstrap

LOCAL_KMS = "v0.0.0-20260228092603-2a5e92d09ab6"
GO = shutil.which("go")
PATIENCE = 30.0
ROOT_TOKEN = "root"
POLICY = """
path "transit/encrypt/{key}" {{ capabilities = ["update"] }}
path "transit/decrypt/{key}" {{ capabilities = ["update"] }}
path "transit/keys/{key}" {{ capabilities = ["read"] }}
"""
"""Only what a service's token needs: with `create`, a mistyped name would make a key."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _running(
    command: Sequence[str | Path], port: int, environment: Mapping[str, str], log: Path
) -> Iterator[None]:
    with log.open("w") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            deadline = time.monotonic() + PATIENCE
            while not _answers(port):
                assert process.poll() is None, log.read_text()[-2000:]
                assert time.monotonic() < deadline, f"{command[0]} does not answer"
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait(10)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Bao:
    """An OpenBao server in its development mode: unsealed, in memory, with a root token."""

    def __init__(self, url: str) -> None:
        self.url = url

    def call(self, method: str, path: str, body: object = None) -> Any:
        answer = httpx.request(
            method,
            f"{self.url}/v1/{path}",
            json=body,
            headers={"X-Vault-Token": ROOT_TOKEN},
            trust_env=False,
        )
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def key(self, name: str) -> str:
        """Makes a transit key; returns its address for a provider."""
        self.call("POST", f"transit/keys/{name}", {})
        return f"{self.url}/transit/{name}"

    def token(self, key: str, policy: str = POLICY) -> str:
        """A token that may use this key as a service does."""
        name = f"uses-{key}"
        self.call("PUT", f"sys/policies/acl/{name}", {"policy": policy.format(key=key)})
        made = self.call("POST", "auth/token/create", {"policies": [name]})
        return str(made["auth"]["client_token"])


@contextmanager
def bao(folder: Path) -> Iterator[Bao]:
    port = free_port()
    program = Path(sys.executable).parent / "bao"
    command: list[str | Path] = [
        program,
        "server",
        "-dev",
        "-dev-no-store-token",
        f"-dev-root-token-id={ROOT_TOKEN}",
        f"-dev-listen-address=127.0.0.1:{port}",
    ]
    with _running(command, port, {"HOME": str(folder)}, folder / "bao.log"):
        server = Bao(f"http://127.0.0.1:{port}")
        server.call("POST", "sys/mounts/transit", {"type": "transit"})
        yield server


def local_kms_program() -> Path:
    """Builds local-kms unless it was built before."""
    folder = bootstrap.cache() / f"local-kms-{LOCAL_KMS}"
    if not (folder / "local-kms").exists():
        making = folder.with_name(f".{folder.name}-{os.getpid()}")
        subprocess.run(
            [str(GO), "install", f"github.com/nsmithuk/local-kms@{LOCAL_KMS}"],
            env={**os.environ, "GOBIN": str(making)},
            check=True,
            timeout=280,
        )
        folder.mkdir(parents=True, exist_ok=True)
        (making / "local-kms").replace(folder / "local-kms")
        making.rmdir()
    return folder / "local-kms"


@contextmanager
def kms(folder: Path) -> Iterator[str]:
    """The URL of a KMS that keeps its keys in `folder`."""
    port = free_port()
    environment = {
        "PORT": str(port),
        "KMS_REGION": "us-east-1",
        "KMS_ACCOUNT_ID": "111122223333",
        "KMS_DATA_PATH": str(folder),
    }
    with _running([local_kms_program()], port, environment, folder / "kms.log"):
        yield f"http://127.0.0.1:{port}"
