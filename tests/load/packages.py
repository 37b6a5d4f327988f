"""How much memory a large package takes in retention and in the gateway.

Three processes talk HTTP: the owners, a double that makes up a file of its own for each id;
retention's handlers with real seals, over a store in a folder; and the gateway's call. A record
withholds a text, so the leak check goes through all of the package.
"""

import asyncio
import hashlib
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from direct311.intake.clients.api.failed_keys import FailedKeys
from direct311.intake.clients.handlers.reads import ReadLimits, SharedNames
from direct311.intake.records_packages.adapters import RetentionPackages
from direct311.intake.records_packages.api import records_packages_router
from direct311.intake.records_packages.handlers import FetchRecords
from direct311.retention.packages.adapters.files import PeerFiles
from direct311.retention.packages.api import public_router
from direct311.retention.packages.handlers.file_collecting import FileCollecting
from direct311.runtime.access.sign_ins import Sources
from direct311.runtime.http.api import caller_of, install
from direct311.runtime.http.health import Readiness
from direct311.runtime.peers import HttpClient, Peer
from direct311.runtime.storage.objects import MissingObjectError
from direct311.runtime.telemetry import Metrics
from tests.support.quotas import InMemoryCounts
from tests.support.record_owners import ExchangedTokens, record
from tests.support.served import served
from tests.unit.retention.packages.fakes import CARLA, COLE, OLGA, PackagingDesk

FILE_BYTES = 48 * 1024**2
"""About as large as media takes files."""
FILES = 43
"""2 GB and a little."""
MOST_MEGABYTES = 300
_PIECE = 1024 * 1024


@dataclass(frozen=True)
class PackageMemory:
    """`retention`, `gateway`: peak resident memory in MB. `size`: of the package, in bytes."""

    retention: float
    gateway: float
    size: int
    built_seconds: float
    fetched_seconds: float


def package_memory(files: int = FILES) -> PackageMemory:
    """Collect, build, approve, release and download a package of so many files."""
    with (
        tempfile.TemporaryDirectory(prefix="direct311-package-") as folder,
        _part("owners", folder, str(files)) as owners,
        _part("retention", folder, str(files), owners["url"]) as retention,
        _part("gateway", folder, retention["url"]) as gateway,
    ):
        digest, size, begun = hashlib.sha256(), 0, time.monotonic()
        url = f"{gateway['url']}/v1/records-requests/package"
        headers = {"Authorization": f"Bearer {retention['token']}"}
        with httpx.stream("GET", url, headers=headers, timeout=600, trust_env=False) as answer:
            answer.raise_for_status()
            for piece in answer.iter_raw():
                digest.update(piece)
                size += len(piece)
            wanted = answer.headers["x-package-sha256"]
        if digest.hexdigest() != wanted:
            raise SystemExit("the package that arrived has another hash")
        return PackageMemory(
            retention=_peak(retention["pid"]),
            gateway=_peak(gateway["pid"]),
            size=size,
            built_seconds=retention["seconds"],
            fetched_seconds=time.monotonic() - begun,
        )


def _peak(pid: int) -> float:
    """Peak resident memory of a process, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = (each for each in lines if each.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


@contextmanager
def _part(*arguments: str) -> Iterator[Mapping[str, Any]]:
    """One of the processes, once it answers."""
    command = [sys.executable, "-m", "tests.load.packages", *arguments]
    process = subprocess.Popen(
        command, cwd=Path(__file__).parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        line = process.stdout.readline() if process.stdout else b""
        if not line:
            raise SystemExit(f"{arguments[0]} did not start")
        yield {**json.loads(line), "pid": process.pid}
    finally:
        process.terminate()
        process.wait(30)


class FolderDocuments:
    """`SealedDocuments` in a folder, so that nothing of them is in the memory that is measured."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, case_id: str, sha256: str, sealed: bytes) -> None:
        path = self._path(case_id, sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sealed)

    async def get(self, case_id: str, sha256: str) -> bytes:
        try:
            return self._path(case_id, sha256).read_bytes()
        except FileNotFoundError:
            raise MissingObjectError("no such object") from None

    async def remove(self, case_id: str, name: str) -> None:
        for each in self._path(case_id, name).glob("*"):
            each.unlink()

    async def builds_of_shard(self, shard: int, older_than: datetime) -> Sequence[tuple[str, str]]:
        raise NotImplementedError

    async def remove_all(self, case_id: str) -> tuple[int, int]:
        raise NotImplementedError

    def _path(self, case_id: str, name: str) -> Path:
        return self._folder / case_id / name


def owners(files: int) -> FastAPI:
    """Media: each file is a JPEG's beginning and its own noise."""
    app = FastAPI()
    noise = random.Random(311).randbytes(_PIECE)
    hashes: dict[str, str] = {}

    def pieces(media_id: str) -> Iterator[bytes]:
        yield b"\xff\xd8\xff\xda\x00\x02" + media_id.encode()
        left = FILE_BYTES
        clean = noise.replace(b"\xff", b"\xfe")
        while left > 0:
            yield clean[:left]
            left -= len(clean)
        yield b"\xff\xd9"

    async def sent(media_id: str) -> AsyncIterator[bytes]:
        for piece in pieces(media_id):
            yield piece
            await asyncio.sleep(0)

    @app.post("/internal/cases/{case_id}/files/{media_id}/rendering")
    async def rendering(case_id: str, media_id: str) -> StreamingResponse:
        if media_id not in hashes:
            digest = hashlib.sha256()
            for piece in pieces(media_id):
                digest.update(piece)
            hashes[media_id] = digest.hexdigest()
        headers = {
            "Direct311-Sha256": hashes[media_id],
            "Direct311-Kind": "original",
            "Direct311-Warnings": "unscanned",
            "Direct311-Decisions": "0" * 64,
            "Direct311-Version": "1",
        }
        return StreamingResponse(sent(media_id), media_type="image/jpeg", headers=headers)

    return app


async def retention(folder: Path, files: int, owners_url: str) -> tuple[FastAPI, str, float]:
    """Retention with one released package of so many files, and the token of its requester."""
    desk = PackagingDesk()
    documents = FolderDocuments(folder)
    for each in (desk.collecting, desk.building, desk.releasing):
        each._sealed = documents
    media = Peer(owners_url, HttpClient(timeout=60), ExchangedTokens())
    desk.collecting._files = FileCollecting(PeerFiles(media), documents)
    names = [f"file-{number:03}" for number in range(files)]
    case_id = await desk.granted(1, ("description",))
    desk.owners.records["record-0000"] = record(0, withheld=1, files=dict.fromkeys(names, "kept"))
    desk.owners.withheld["record-0000"] = [("name", "Filomena Oyelaran-Quetzal")]
    await desk.grant(case_id, ["record-0000"], ("description", "media_original"), tuple(names))
    begun = time.monotonic()
    (call,) = await desk.collected(case_id)
    if call.remaining:
        raise SystemExit(f"not collected: {[each.reason for each in call.not_collected]}")
    sha256 = await desk.built(case_id)
    seconds = time.monotonic() - begun
    for by in (OLGA, COLE):
        await desk.approve(case_id, sha256, by)
    await desk.releasing.release(CARLA, case_id, sha256)
    app = FastAPI()
    install(app, Readiness(), Metrics(), desk.ledger)
    app.include_router(public_router(desk.releasing, caller_of(desk.authenticator)))
    return app, desk.token, seconds


def gateway(retention_url: str) -> FastAPI:
    """The gateway's call."""
    desk = PackagingDesk()

    class Own:
        async def get(self) -> str:
            return "service:svc-intake"

        async def exchanged(self, authorization: str) -> str:
            raise NotImplementedError

    async def salt(_: str, offered: bytes) -> bytes:
        return offered

    peer = Peer(retention_url, HttpClient(timeout=60), Own())
    limits = ReadLimits(InMemoryCounts(), desk.clock, worth=1)
    names = SharedNames(Sources(desk.clock), desk.clock, b"s" * 32, salt)
    app = FastAPI()
    install(app, Readiness(), Metrics(), desk.ledger)
    fetch = FetchRecords(RetentionPackages(peer))
    app.include_router(records_packages_router(fetch, FailedKeys(limits, names, 3)))
    return app


def main(part: str, folder: str, *more: str) -> None:
    said: dict[str, Any] = {}
    if part == "owners":
        app = owners(int(more[0]))
    elif part == "retention":
        made = asyncio.run(retention(Path(folder), int(more[0]), more[1]))
        app, said["token"], said["seconds"] = made
    else:
        app = gateway(more[0])
    with served(app) as server:
        said["url"] = f"http://127.0.0.1:{server.port}"
        sys.stdout.write(f"{json.dumps(said)}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
