"""Whether a finished package has something in it that was withheld.

Everything that can be extracted from the package is searched: names of entries, text, strings of
JSON, cells of CSV, of PDF the text of every page, every other string, metadata and attachments, and
of pictures and recordings their tags. Files, and the pictures and files in them, are also compared
by their hashes. What cannot be extracted stops the package too. Words inside pictures are not read.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO, Final

from direct311.redaction.leak_scan import LeakScanner
from direct311.redaction.leaks import Fingerprint, Keyed
from direct311.runtime.extraction import confined, tags
from direct311.runtime.extraction.archives import DOES_NOT_UNPACK, PIECE, Entry, entries_of
from direct311.runtime.extraction.documents import OTHERS, extracted_here, name_of
from direct311.runtime.extraction.pieces import Extracted, NotExtractableError


@dataclass(frozen=True, slots=True, order=True)
class FoundLeak:
    """A place that stops the package. `entry`: its number among the package's entries, from 1, and
    its name, unless something was found in the name itself. `record_id` and `kind`: of the value
    that is there; `None` and `not_extractable` where the entry could not be searched. `places`: how
    often. `content`: the SHA-256 (hex) of the entry's name and bytes; `None` if it does not unpack.
    The value is never here."""

    number: int
    entry: str | None
    record_id: str | None
    kind: str
    places: int
    content: str | None = None


NOT_EXTRACTABLE: Final = "not_extractable"
FILE: Final = "file"
"""The kind of a file, or of a picture in one, that is withheld."""
POSITION: Final = "position"


def leaks_in(
    package: BinaryIO,
    key: bytes,
    fingerprints: Iterable[Fingerprint],
    files: Mapping[bytes, str | None] | None = None,
) -> Sequence[FoundLeak]:
    """What stops the package; empty if it is clean. `package`: a file that can be read and searched
    here and there; one entry of it is in memory at a time. `key`: the one of this build, with which
    the owners made the fingerprints. `files`: keyed hashes of files and pictures, each with the
    record that withholds it. The same package and fingerprints give the same answer.

    This takes a second for every 5 MB of text: call it in a thread.
    """
    scanner, keyed = LeakScanner(key, fingerprints), Keyed(key)
    counts: dict[tuple[int, str | None, str | None, str], int] = {}
    named: set[int] = set()

    def withheld_file(digest: bytes) -> Iterator[str | None]:
        mac = keyed.file_mac(digest)
        if files and mac in files:
            yield files[mac]

    def found(number: int, name: str | None, record_id: str | None, kind: str) -> None:
        place = number, name, record_id, kind
        counts[place] = counts.get(place, 0) + 1

    try:
        entries = list(entries_of(package))
    except NotExtractableError:
        return (FoundLeak(0, None, None, NOT_EXTRACTABLE, 1),)
    for number, entry in enumerate(entries, 1):
        for hit in _hits(scanner, name_of(entry.name)):
            named.add(number)
            found(number, None, hit[0], hit[1])
        try:
            content = entry.content()
            for record_id in withheld_file(sha256(content).digest()):
                found(number, entry.name, record_id, FILE)
            for piece in extracted(entry.name, content):
                if piece.sha256 is not None:
                    for record_id in withheld_file(piece.sha256):
                        found(number, entry.name, record_id, FILE)
                    continue
                for record_id, kind in _hits(scanner, piece):
                    found(number, entry.name, record_id, kind)
        except NotExtractableError:
            found(number, entry.name, None, NOT_EXTRACTABLE)
    contents = {number: _hash_of(entries[number - 1]) for number in {each[0] for each in counts}}
    return tuple(
        sorted(
            (
                FoundLeak(
                    number,
                    None if number in named else name,
                    record_id,
                    kind,
                    places,
                    contents[number],
                )
                for (number, name, record_id, kind), places in counts.items()
            ),
            key=lambda leak: (leak.number, leak.kind, leak.record_id or "", leak.entry or ""),
        )
    )


def _hash_of(entry: Entry) -> str | None:
    """The SHA-256 (hex) of an entry's name and bytes, however long; `None` if it does not
    unpack."""
    digest, size = sha256(entry.name.encode() + b"\0"), 0
    try:
        with entry.archive.open(entry.info) as file:
            while piece := file.read(PIECE):
                digest.update(piece)
                size += len(piece)
    except DOES_NOT_UNPACK:
        return None
    return digest.hexdigest() if size == entry.info.file_size else None


def extracted(name: str, content: bytes) -> Iterator[Extracted]:
    """All text of one entry. A document that others made is read in a process of its own.

    :raises NotExtractableError: it is of no known kind, broken, encrypted, or too large.
    """
    if name.startswith(OTHERS) and not name.lower().endswith(tags.ENDINGS):
        return confined.extracted(name, content)
    return extracted_here(name, content)


def _hits(scanner: LeakScanner, piece: Extracted) -> list[tuple[str, str]]:
    return [
        (hit.record_id, hit.kind)
        for hit in scanner.scan(piece.text, piece.record_id)
        # Where a record is, is decided with the record. Most photos were taken there.
        if hit.kind != POSITION or hit.record_id != piece.record_id
    ]
