"""C2SP tlog-witness: what a log sends to ask a witness to cosign a checkpoint.

    old <size that the witness has cosigned>
    <hash of the consistency proof, base64> ...

    <checkpoint>

Source: c2sp.org/tlog-witness, add-checkpoint.
"""

import re
from dataclasses import dataclass
from typing import Self

from direct311.verifier.merkle import HASH_SIZE
from direct311.verifier.note import Note, decode_base64, encode_base64

PATH = "add-checkpoint"
"""Below a witness's submission prefix."""
SIZE_TYPE = "text/x.tlog.size"
"""The content type of a 409 answer, whose body is the size that the witness has cosigned and a
newline."""
MAX_HASHES = 63
_OLD = re.compile("old (0|[1-9][0-9]{0,18})")


class MalformedSubmissionError(ValueError):
    """The text is not a submission, or its checkpoint is not a signed note."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A checkpoint (a signed note) and the proof that its tree begins with the `old` entries."""

    old: int
    proof: tuple[bytes, ...]
    note: Note

    def __str__(self) -> str:
        hashes = "".join(f"{encode_base64(each)}\n" for each in self.proof)
        return f"old {self.old}\n{hashes}\n{self.note}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a submission. Raises `MalformedSubmissionError`."""
        head, blank, note = text.partition("\n\n")
        first, *lines = head.split("\n")
        old = _OLD.fullmatch(first)
        if old is None or not blank:
            raise MalformedSubmissionError("it does not begin with 'old', a size and a proof")
        if len(lines) > MAX_HASHES:
            raise MalformedSubmissionError(f"the proof has more than {MAX_HASHES} hashes")
        try:
            proof = tuple(decode_base64(line, HASH_SIZE) for line in lines)
            return cls(int(old[1]), proof, Note.parse(note))
        except ValueError as error:
            raise MalformedSubmissionError(f"a line cannot be read: {error}") from error
