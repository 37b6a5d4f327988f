"""A small audit log for tests: signed events, sealed into entries and written as files."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from direct311.verifier.checkpoint import Checkpoint, Trust
from direct311.verifier.entry import Entry, derive_entry_key, seal
from direct311.verifier.event import Event, EventKey
from direct311.verifier.merkle import Frontier, leaf_hash
from direct311.verifier.note import Signer
from direct311.verifier.tiles import (
    ENTRIES,
    WIDTH,
    Tile,
    grown_tiles,
    join_entries,
    partial_tiles,
)

ORIGIN = "direct311.miamidade.gov/audit"
START = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
ACCESS = "gov.miamidade.direct311.pii.accessed.v1"


def private_key(name: str) -> Ed25519PrivateKey:
    """The same key for the same name in every run."""
    return Ed25519PrivateKey.from_private_bytes(sha256(name.encode()).digest())


LOG_SIGNER = Signer(ORIGIN, private_key("log"))
TRUST = Trust((LOG_SIGNER.key,))


def event_key(service: str) -> EventKey:
    public = private_key(service).public_key().public_bytes_raw()
    return EventKey(
        f"{service}-2026-1",
        service,
        public,
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2027, 1, 1, tzinfo=UTC),
    )


KEYS = (event_key("intake"), event_key("retention"))


def uuid7(number: int) -> str:
    return f"0195567e-8f00-7000-8000-{number:012x}"


def signed(event: Event, service: str = "intake") -> Event:
    """The event, signed by a service."""
    event = replace(event, keyid=f"{service}-2026-1")
    return replace(event, signature=private_key(service).sign(event.signed_bytes))


def access(number: int, at: datetime | None = None) -> Event:
    """A signed access event about the record with this number."""
    record = uuid7(number % 97)
    at = at or START + timedelta(seconds=number)
    body = {
        "action": "view",
        "outcome": "success",
        "time": {"sequence": number + 1, "producer": "intake/1"},
        "agent": {"id": f"agent-{number % 7}", "roles": ["agent"]},
        "where": {"service": "intake", "instance": "intake-1"},
        "why": {"purpose": "respond"},
        "what": {"record_ids": [record], "fields": ["phone"]},
    }
    return signed(
        Event(
            id=uuid7(number),
            type=ACCESS,
            source="/direct311/intake",
            subject=record,
            time=at.isoformat().replace("+00:00", "Z"),
            body=json.dumps(body).encode(),
            keyid="",
            signature=bytes(64),
        )
    )


def body_key(event: Event) -> tuple[bytes, bytes]:
    """The key reference (16 bytes) and body key (32 bytes) of an event's record."""
    digest = sha256(event.subject.encode()).digest()
    return digest[:16], sha256(digest).digest()


def sealed(event: Event, logged_at: datetime | None = None) -> bytes:
    reference, key = body_key(event)
    logged_at = logged_at or datetime.fromisoformat(event.time) + timedelta(milliseconds=80)
    return seal(event, body_key=key, key_reference=reference, logged_at=logged_at)


def entry_key(event: Event, entry: bytes) -> bytes:
    reference, key = body_key(event)
    return derive_entry_key(key, reference, Entry.parse(entry).nonce)


@dataclass(frozen=True)
class Written:
    """A log as files: path → content, and the checkpoints that were signed on the way."""

    files: dict[str, bytes]
    checkpoints: dict[int, str]

    def read(self, path: str) -> bytes:
        if path not in self.files:
            raise FileNotFoundError(path)
        return self.files[path]

    def write(self, directory: Path) -> None:
        for path, content in self.files.items():
            (directory / path).parent.mkdir(parents=True, exist_ok=True)
            (directory / path).write_bytes(content)


def write_log(entries: Sequence[bytes], sizes: Sequence[int] = ()) -> Written:
    """Append entries in batches that end at `sizes` and at the end; sign a checkpoint after each.

    Partial tiles stay, as in a log that never deletes.
    """
    tiles: dict[Tile, bytes] = {}
    checkpoints = {}
    frontier = Frontier()
    for size in [*sizes, len(entries)]:
        batch = entries[frontier.size : size]
        growth = frontier.append([leaf_hash(entry) for entry in batch])
        partials = {tile: tiles[tile] for tile in partial_tiles(frontier.size)}
        last = tiles.get(Tile(-1, frontier.size // 256, frontier.size % 256), b"")
        tiles |= grown_bundles(frontier.size, batch, last) | grown_tiles(growth, partials)
        frontier = growth.frontier
        head = Checkpoint(ORIGIN, size, frontier.root)
        checkpoints[size] = str(head.sign([LOG_SIGNER]))
    files = {tile.path: content for tile, content in tiles.items()}
    files["checkpoint"] = checkpoints[len(entries)].encode()
    return Written(files, checkpoints)


def grown_bundles(size: int, entries: Sequence[bytes], partial: bytes) -> dict[Tile, bytes]:
    """Content of each entry bundle that appending `entries` to `size` entries completes or begins.

    `partial` is the content of the last bundle if that is not full, otherwise empty.
    """
    index, width = divmod(size, WIDTH)
    bundles = {}
    start = 0
    while start < len(entries):
        part = entries[start : start + WIDTH - width]
        start += len(part)
        bundles[Tile(ENTRIES, index, width + len(part))] = partial + join_entries(part)
        index, width, partial = index + 1, 0, b""
    return bundles
