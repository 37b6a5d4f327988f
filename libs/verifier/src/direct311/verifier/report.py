"""What a verification found, in words.

Nothing here repeats what an entry says: a report may go where the entries may not.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """Kinds of finding."""

    MALFORMED = "malformed"
    """Not in the form that it should have."""
    CHECKPOINT = "checkpoint"
    """Not signed by whom the verifier trusts."""
    INCLUSION = "inclusion"
    """The entry is not where the proof says, or the proof is another's."""
    DECRYPTION = "decryption"
    """The entry does not open with the key that was given."""
    SHOWN = "shown"
    """The event shown to the reader is not the event that the entry holds."""
    SIGNATURE = "signature"
    """The event is not what its producer signed."""
    KEY = "key"
    """The signing key is unknown, or was not valid at the time."""
    PRODUCER = "producer"
    """A service signed what it may not say."""
    CLOCK = "clock"
    """Times that cannot both be right."""
    MISSING = "missing"
    """A file, or what it should hold, is not there."""
    CHANGED = "changed"
    """An entry is not the one that was signed."""
    DROPPED = "dropped"
    """An entry is gone and later ones have moved up."""
    INSERTED = "inserted"
    """An entry was put between others."""
    DOUBLED = "doubled"
    """An entry stands twice."""
    REORDERED = "reordered"
    """Entries have changed places."""
    TILE = "tile"
    """A hash tile does not belong to the entries that were signed."""
    REWRITTEN = "rewritten"
    """Entries and tiles agree with each other, but not with the signed root."""
    FORKED = "forked"
    """Two signed checkpoints exclude each other."""
    ROLLED_BACK = "rolled back"
    """The log is shorter than an older checkpoint says."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong; `index` is the entry's number in the log where there is one."""

    fault: Fault
    says: str
    index: int | None = None

    def __str__(self) -> str:
        where = "" if self.index is None else f"entry {self.index}: "
        return f"{where}{self.says} [{self.fault}]"


@dataclass(frozen=True, slots=True)
class Report:
    """Outcome of a verification.

    `verified` states what was checked and is so, `notes` what the check does not cover.
    """

    findings: tuple[Finding, ...] = ()
    verified: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.findings

    @property
    def text(self) -> str:
        """The report for a reader, lines ending in newlines."""
        lines = [
            "GOOD" if self.ok else f"WRONG: {count(len(self.findings), 'finding')}",
            *_indented("!", self.findings),
            *_indented("+", self.verified),
            *_indented("note:", self.notes),
        ]
        return "".join(f"{line}\n" for line in lines)


def _indented(mark: str, lines: Iterable[object]) -> list[str]:
    return [f"  {mark} {line}" for line in lines]


def count(number: int, what: str) -> str:
    """A number with its noun: '1 entry', '1,200 entries'."""
    plural = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{number:,} {what if number == 1 else plural}"
