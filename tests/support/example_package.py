"""The made-up package of the auditor's guide, as files in this folder, whole and altered, with the
receipt of its release: `python -m tests.support.example_package`."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from direct311.verifier.bundle import Receipt, encode_receipt
from direct311.verifier.event import Event
from direct311.verifier.merkle import MemoryHashes, inclusion_proof, leaf_hash
from direct311.verifier.package.release import RELEASED
from tests.support.audit_log import (
    KEYS,
    LOG_SIGNER,
    START,
    access,
    entry_key,
    sealed,
    signed,
    uuid7,
    write_log,
)
from tests.support.packages import CASE, HOME, SIGNER, bagged, contents, package, zipped


def main() -> None:
    good = package()
    files = bagged(contents())
    name = f"data/records/{HOME}.json"
    files[name] = files[name].replace("[■ 119.071(5)(b)]".encode(), b"account 4111-2222")
    Path("package.zip").write_bytes(good)
    Path("altered.zip").write_bytes(zipped(files))
    Path("release.json").write_bytes(receipt(released(good)))
    Path("retention.vkey").write_text(f"{SIGNER.key}\n")
    Path("release-log.vkey").write_text(f"{LOG_SIGNER.key}\n")
    Path("release-producers.json").write_text(json.dumps({"keys": [k.as_json() for k in KEYS]}))


def released(package: bytes, case_id: str = CASE, **more: Any) -> Event:
    """What retention says when a package goes out."""
    at = START.isoformat().replace("+00:00", "Z")
    body = {
        "case_id": case_id,
        "version": 9,
        "kind": "public_records",
        "package": sha256(package).hexdigest(),
        "counts": {"records": 2, "withheld": 4},
        "recipient": "requester",
        "released_by": "carla",
        "approvals": [],
        "released_at": at,
    } | more
    event = Event(
        id=uuid7(77),
        type=RELEASED,
        source="/direct311/retention",
        subject=case_id,
        time=at,
        body=json.dumps(body).encode(),
        keyid="",
        signature=bytes(64),
    )
    return signed(event, "retention")


def receipt(event: Event, *, shown: bool = True) -> bytes:
    """The receipt of an event, which is the second entry of a log of two."""
    events = [access(1), event]
    entries = [sealed(each) for each in events]
    note = write_log(entries).checkpoints[2]
    proof = tuple(inclusion_proof(MemoryHashes([leaf_hash(each) for each in entries]), 1, 2))
    if not shown:
        return encode_receipt(Receipt(1, entries[1], proof), note, KEYS)
    key = entry_key(event, entries[1])
    return encode_receipt(Receipt.disclose(1, entries[1], proof, key), note, KEYS)


if __name__ == "__main__":
    main()
