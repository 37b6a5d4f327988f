"""The made-up log of libs/verifier's page, as files in this folder, whole and tampered with:
`python -m tests.support.example_log`."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from direct311.verifier.bundle import Receipt, encode_bundle
from direct311.verifier.merkle import MemoryHashes, inclusion_proof, leaf_hash
from direct311.verifier.note import Cosigner, Note
from tests.support.audit_log import (
    KEYS,
    LOG_SIGNER,
    Written,
    access,
    entry_key,
    private_key,
    sealed,
    write_log,
)
from tests.support.witnesses import AT

SIZE = 5_000
ASKED = range(41, SIZE, 97)
"""The entries about one record: 52."""
WITNESSES = {
    "clerk": "witness.example.org/clerk",
    "press": "witness.example.net/press",
    "university": "witness.example.edu/w1",
}


def main() -> None:
    events = [access(number) for number in range(SIZE)]
    entries = [sealed(event) for event in events]
    log = write_log(entries, [3_000, 4_000])
    read = MemoryHashes([leaf_hash(entry) for entry in entries])

    def receipt(index: int) -> Receipt:
        proof = tuple(inclusion_proof(read, index, SIZE))
        if index == ASKED[-1]:
            return Receipt(index, entries[index], proof)
        return Receipt.disclose(
            index, entries[index], proof, entry_key(events[index], entries[index])
        )

    receipts = [receipt(index) for index in ASKED]
    _bundle("bundle.json", log, receipts)
    _bundle("altered.json", log, [_altered(each) for each in receipts])
    Path("producers.json").write_text(json.dumps({"keys": [key.as_json() for key in KEYS]}))
    Path("log.vkey").write_text(f"{LOG_SIGNER.key}\n")
    Path("march-2.checkpoint").write_text(log.checkpoints[3_000])
    Path("monday.checkpoint").write_text(log.checkpoints[SIZE])
    _cosigned(log).write(Path("log"))
    _tampered(log, entries).write(Path("log-altered"))
    write_log(entries[:4_000]).write(Path("log-cut"))
    _policy(Path("county.policy"))


def _bundle(name: str, log: Written, receipts: Sequence[Receipt]) -> None:
    pieces = encode_bundle(log.checkpoints[SIZE], [LOG_SIGNER.key], KEYS, receipts)
    Path(name).write_bytes(b"".join(pieces))


def _altered(receipt: Receipt) -> Receipt:
    """One event names another actor, and one entry claims to be at the next place."""
    if receipt.index == 138:
        event: Any = json.loads(json.dumps(receipt.event))
        event["body"]["agent"]["id"] = "somebody else"
        return replace(receipt, event=event)
    return replace(receipt, index=527) if receipt.index == 526 else receipt


def _tampered(log: Written, entries: Sequence[bytes]) -> Written:
    """Entry 1030 is replaced, and entry 3089 is missing from its file."""
    changed = [*entries[:1_030], sealed(access(SIZE)), *entries[1_031:3_089], *entries[3_090:]]
    other = write_log(changed).files
    names = ("tile/entries/004", "tile/entries/012")
    return Written(log.files | {name: other[name] for name in names}, {})


def _cosigned(log: Written) -> Written:
    """Only one of the three witnesses has cosigned it."""
    note = Note.parse(log.checkpoints[SIZE])
    clerk = Cosigner(WITNESSES["clerk"], private_key("clerk"))
    signed = Note(note.text, (*note.signatures, clerk.sign(note.text, AT)))
    return Written(log.files | {"checkpoint": str(signed).encode()}, {})


def _policy(path: Path) -> None:
    lines = [f"log {LOG_SIGNER.key}"]
    for name, party in WITNESSES.items():
        lines.append(f"witness {name} {Cosigner(party, private_key(name)).key}")
    lines += ["group two-of-three 2 clerk press university", "quorum two-of-three"]
    path.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
