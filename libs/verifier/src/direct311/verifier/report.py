"""What a verification found, in words.

Nothing here repeats an entry's content: more people may see a report than may see the entries.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """Kinds of finding."""

    MALFORMED = "malformed"
    """Malformed."""
    CHECKPOINT = "checkpoint"
    """Not signed by a key that the verifier trusts."""
    INCLUSION = "inclusion"
    """The entry is not where the proof says, or the proof belongs to another entry."""
    DECRYPTION = "decryption"
    """The entry does not open with the given key."""
    SHOWN = "shown"
    """The event shown to the reader is not the event in the entry."""
    SIGNATURE = "signature"
    """The event differs from what its producer signed."""
    KEY = "key"
    """The signing key is unknown, or was not valid at the time."""
    PRODUCER = "producer"
    """A service signed what it may not say."""
    CLOCK = "clock"
    """Two times cannot both be right."""
    MISSING = "missing"
    """A file or its expected content is missing."""
    CHANGED = "changed"
    """An entry is not the signed one."""
    DROPPED = "dropped"
    """An entry is gone and later ones have moved up."""
    INSERTED = "inserted"
    """An entry was inserted between others."""
    DOUBLED = "doubled"
    """An entry appears twice."""
    REORDERED = "reordered"
    """Entries have changed places."""
    TILE = "tile"
    """A hash tile does not match the signed entries."""
    REWRITTEN = "rewritten"
    """Entries and tiles agree with each other, but not with the signed root."""
    FORKED = "forked"
    """Two signed checkpoints contradict each other."""
    ROLLED_BACK = "rolled back"
    """The log is shorter than an older checkpoint says."""
    ARCHIVE = "archive"
    """A package's zip does not have its one form."""
    NOTE = "note"
    """A package's note is not signed by a key that the verifier trusts, or signs other files."""
    MARK = "mark"
    """Marks in a package's records and rows of its exemption log differ."""
    RECEIPT = "receipt"
    """A receipt is of something else than the release of the package."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong; `index` is the entry's number in the log, if there is one, and
    `where` the file and the place in it, if there are files."""

    fault: Fault
    says: str
    index: int | None = None
    where: str = ""

    def __str__(self) -> str:
        entry = "" if self.index is None else f"entry {self.index}"
        where = ", ".join(filter(None, (self.where, entry)))
        return f"{where}: {self.says} [{self.fault}]" if where else f"{self.says} [{self.fault}]"


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a verification.

    `verified` states what was checked and found true; `notes` says what the check does not cover.
    """

    findings: tuple[Finding, ...] = ()
    verified: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.findings

    @property
    def text(self) -> str:
        """The report for a reader; each line ends in a newline."""
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
