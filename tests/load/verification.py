"""How many receipts and how many entries of a whole log the verifier checks in a second."""

import time
from dataclasses import dataclass

from direct311.verifier.bundle import Receipt, encode_bundle, verify_bundle
from direct311.verifier.log import verify_log
from direct311.verifier.merkle import MemoryHashes, inclusion_proof, leaf_hash
from tests.support.audit_log import KEYS, LOG_SIGNER, TRUST, access, entry_key, sealed, write_log


@dataclass(frozen=True)
class Verified:
    """A second: `receipts` with inclusion, opening and the producer's signature; `entries` of a
    whole log, hashed into its root."""

    receipts: float
    entries: float


def verification_rates(count: int = 4_000) -> Verified:
    """On one core, of a log of so many entries."""
    events = [access(number) for number in range(count)]
    entries = [sealed(event) for event in events]
    written = write_log(entries)
    read = MemoryHashes([leaf_hash(entry) for entry in entries])
    receipts = [
        Receipt.disclose(
            index, entry, inclusion_proof(read, index, count), entry_key(events[index], entry)
        )
        for index, entry in enumerate(entries)
    ]
    pieces = encode_bundle(written.checkpoints[count], [LOG_SIGNER.key], KEYS, receipts)
    bundle = b"".join(pieces)
    started = time.perf_counter()
    report = verify_bundle(bundle, TRUST, KEYS)
    bundled = time.perf_counter() - started
    started = time.perf_counter()
    whole = verify_log(written.read, TRUST)
    taken = time.perf_counter() - started
    if not (report.ok and whole.ok):
        raise SystemExit(report.text + whole.text)
    return Verified(count / bundled, count / taken)
