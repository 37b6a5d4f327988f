"""C2SP checkpoints: the signed head of a log, and the keys that a verifier trusts to sign it.

    <origin>
    <number of entries>
    <root hash, base64>
    [<extension line> ...]

as the text of a signed note. Source: c2sp.org/tlog-checkpoint.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from direct311.verifier.merkle import HASH_SIZE
from direct311.verifier.note import (
    MalformedNoteError,
    Note,
    Signer,
    UnverifiedNoteError,
    VerifierKey,
    decode_base64,
    encode_base64,
)
from direct311.verifier.report import count


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a log: the `root` (32 bytes) of its first `size` entries."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        lines = (self.origin, str(self.size), encode_base64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a note's text as a checkpoint. Raises `MalformedNoteError`."""
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop() != "" or "" in lines:
            raise MalformedNoteError("a checkpoint has at least three lines, none of them empty")
        origin, size, root, *extensions = lines
        if not (size.isascii() and size.isdecimal()) or len(size) > 19 or str(int(size)) != size:
            raise MalformedNoteError("the checkpoint's size is not a plain number")
        try:
            return cls(origin, int(size), decode_base64(root, HASH_SIZE), tuple(extensions))
        except ValueError as error:
            raise MalformedNoteError("the checkpoint's root is not a hash") from error

    def sign(self, signers: Iterable[Signer]) -> Note:
        """The checkpoint as a note, signed with one or more keys."""
        return Note(self.text, tuple(signer.sign(self.text) for signer in signers))


@dataclass(frozen=True, slots=True)
class Quorum:
    """A rule for cosignatures: at least `least` of `members`, which are witnesses or other rules.

    `name` is for human readers.
    """

    name: str = "none"
    least: int = 0
    members: tuple["VerifierKey | Quorum", ...] = ()

    def reached(self, cosigned: Container[VerifierKey]) -> bool:
        return sum(_has_cosigned(each, cosigned) for each in self.members) >= self.least

    def shortfall(self, cosigned: Container[VerifierKey]) -> str:
        """What is missing, in words, if the rule is not met."""
        missing = [each for each in self.members if not _has_cosigned(each, cosigned)]
        return (
            f"{len(self.members) - len(missing)} of the {len(self.members)} members of the quorum "
            f"'{self.name}' cosigned the checkpoint, {self.least} are required; missing: "
            + ", ".join(each.name for each in missing)
        )


def _has_cosigned(member: VerifierKey | Quorum, cosigned: Container[VerifierKey]) -> bool:
    return member.reached(cosigned) if isinstance(member, Quorum) else member in cosigned


@dataclass(frozen=True, slots=True)
class Trust:
    """The keys that a verifier trusts. They are decided in advance, and never taken from the file
    under check.

    `log_keys` are the log's keys (several while one replaces another); `quorum` says which of
    `witnesses` must have cosigned.
    """

    log_keys: tuple[VerifierKey, ...]
    witnesses: tuple[VerifierKey, ...] = ()
    quorum: Quorum = Quorum()


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint with verified signatures; `seen_at` says when each witness saw it."""

    checkpoint: Checkpoint
    signed_by: VerifierKey
    seen_at: dict[str, datetime]

    @property
    def says(self) -> str:
        """What was verified, for a report."""
        head = self.checkpoint
        cosigned = f", cosigned by {', '.join(sorted(self.seen_at))}" if self.seen_at else ""
        entries = count(head.size, "entry")
        return f"the checkpoint of {head.origin} over {entries} is signed by the log{cosigned}"


def verify_checkpoint(note: str, trust: Trust) -> SignedCheckpoint:
    """Verify a checkpoint's signatures. Raises a `NoteError` that says what is wrong.

    The log's signature counts only under the name in the checkpoint's origin line, so that one
    log's key cannot vouch for another log.
    """
    parsed = Note.parse(note)
    signed = parsed.verify(trust.log_keys + trust.witnesses)
    checkpoint = Checkpoint.parse(parsed.text)
    own = [key for key in trust.log_keys if key in signed and key.name == checkpoint.origin]
    if not own:
        raise UnverifiedNoteError("the checkpoint is not signed by a key of the log that it names")
    seen_at = {key.name: at for key, at in signed.items() if at and key in trust.witnesses}
    if not trust.quorum.reached(signed):
        raise UnverifiedNoteError(trust.quorum.shortfall(signed))
    return SignedCheckpoint(checkpoint, own[0], seen_at)
