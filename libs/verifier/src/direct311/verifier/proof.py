"""C2SP tlog-proof: proof that an entry is in a log, in one self-contained text.

    c2sp.org/tlog-proof@v1
    [extra <base64>]
    index <number>
    <hash, base64> ...

    <checkpoint>

Source: c2sp.org/tlog-proof.
"""

from dataclasses import dataclass
from typing import Self

from direct311.verifier.checkpoint import SignedCheckpoint, Trust, verify_checkpoint
from direct311.verifier.merkle import HASH_SIZE, ProofError, leaf_hash, verify_inclusion
from direct311.verifier.note import decode_base64, encode_base64

HEADER = "c2sp.org/tlog-proof@v1"


class MalformedProofError(ProofError):
    """The text does not follow c2sp.org/tlog-proof@v1."""


@dataclass(frozen=True, slots=True)
class TlogProof:
    """Inclusion proof of entry `index` under a checkpoint (a signed note, verbatim).

    `extra` is opaque and not authenticated.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: str
    extra: bytes | None = None

    def __str__(self) -> str:
        extra = "" if self.extra is None else f"extra {encode_base64(self.extra)}\n"
        hashes = "".join(f"{encode_base64(each)}\n" for each in self.hashes)
        return f"{HEADER}\n{extra}index {self.index}\n{hashes}\n{self.checkpoint}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a proof. Raises `MalformedProofError`."""
        head, blank, checkpoint = text.partition("\n\n")
        first, *lines = head.split("\n")
        if first != HEADER or not blank:
            raise MalformedProofError(f"not a proof: it should begin with {HEADER}")
        try:
            extra = None
            if lines and lines[0].startswith("extra "):
                extra = decode_base64(lines.pop(0).removeprefix("extra "))
            hashes = tuple(decode_base64(line, HASH_SIZE) for line in lines[1:])
        except ValueError as error:
            raise MalformedProofError("the proof contains a line that is not base64") from error
        word, _, index = lines[0].partition(" ") if lines else ("", "", "")
        if word != "index" or not (index.isascii() and index.isdecimal()) or len(index) > 19:
            raise MalformedProofError("the proof has no index")
        if str(int(index)) != index:
            raise MalformedProofError("the proof's index has leading zeroes")
        return cls(int(index), hashes, checkpoint, extra)

    def verify(self, entry: bytes, trust: Trust) -> SignedCheckpoint:
        """Check that `entry` is number `index` in the checkpoint's log.

        Raises `ProofError`, or a `NoteError` for the checkpoint.
        """
        signed = verify_checkpoint(self.checkpoint, trust)
        head = signed.checkpoint
        verify_inclusion(leaf_hash(entry), self.index, head.size, self.hashes, head.root)
        return signed
