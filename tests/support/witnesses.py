"""A log that can fork, and what it sends to witnesses."""

from datetime import UTC, datetime

from direct311.verifier.checkpoint import Checkpoint
from direct311.verifier.merkle import EMPTY_ROOT, MemoryHashes, consistency_proof, leaf_hash
from direct311.verifier.merkle import tree_root as root_of
from direct311.verifier.note import Cosigner, Signer
from direct311.verifier.submission import Submission
from tests.support.audit_log import LOG_SIGNER, ORIGIN, private_key

COSIGNER = Cosigner("witness.example.org/w1", private_key("witness 1"))
AT = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)


class History:
    """A log of up to `length` entries; those from `forked_at` on are this history's own."""

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
