"""How long one proof is: a tlog-proof under a checkpoint with cosignatures."""

from datetime import UTC, datetime
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from direct311.verifier.checkpoint import Checkpoint
from direct311.verifier.merkle import inclusion_proof
from direct311.verifier.note import Cosigner, Note, Signer
from direct311.verifier.proof import TlogProof

ORIGIN = "direct311.miamidade.gov/audit"


def proof_bytes(entries: int, cosignatures: int, log_keys: int = 1) -> int:
    """Length of the longest inclusion proof in a log of so many entries."""
    at = datetime(2026, 3, 2, tzinfo=UTC)
    note = Checkpoint(ORIGIN, entries, sha256(b"root").digest()).sign(
        [Signer(ORIGIN, _key(f"log {number}")) for number in range(log_keys)]
    )
    witnesses = (Cosigner(f"witness.example.org/w{n}", _key(f"w{n}")) for n in range(cosignatures))
    lines = (*note.signatures, *(witness.sign(note.text, at) for witness in witnesses))
    # The first entry's path is as long as the tree is high; what the hashes are does not matter.
    hashes = inclusion_proof(
        lambda level, index: sha256(f"{level} {index}".encode()).digest(), 0, entries
    )
    return len(str(TlogProof(0, tuple(hashes), str(Note(note.text, lines)))).encode())


def _key(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(sha256(name.encode()).digest())
