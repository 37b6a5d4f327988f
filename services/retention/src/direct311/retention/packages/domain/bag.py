"""The bytes of a package: a BagIt 1.0 bag (RFC 8493) in a zip file.

The same entries give the same bytes: entries are sorted by name, each in the form of `zip_form`. So
two people can approve a hash, and whoever builds the package again can compare. The bytes come
piece by piece, so that a package is never in memory as a whole.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Any, Final

from direct311.retention.packages.domain.files import CollectedFile
from direct311.retention.packages.domain.parts import RecordPart, canonical
from direct311.retention.packages.domain.zip_form import Zip

NOTE_FORM: Final = "direct311-package-v1"
"""The first line of the note that retention signs."""
TAG_MANIFEST: Final = "tagmanifest-sha256.txt"
NOTE: Final = "tagmanifest.note"
PROOFS: Final = "proofs/bundle.json"
LOG_COLUMNS: Final = (
    "record_id",
    "item",
    "field",
    "code",
    "citation",
    "decided_by",
    "decided_at",
    "version",
)
"""The columns of the exemption log."""
_FORMULA: Final = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""What a spreadsheet may take for the beginning of a formula; the last four are full-width."""


@dataclass(frozen=True, slots=True)
class PackageContent:
    """All that a package is made of. `parts`: its records. `letter`, `exemption_log_pdf`: its
    papers, as PDF. `last_decided_on`: the day of the last decision. `sign`: makes retention's
    signed note of a text. `proofs`: the audit log's proof of the case's entries, as it was
    pinned."""

    case_id: str
    organization: str
    last_decided_on: date
    parts: Sequence[RecordPart]
    letter: bytes
    exemption_log_pdf: bytes
    search_log: Sequence[Mapping[str, Any]]
    fees: Mapping[str, Any]
    sign: Callable[[str], str]
    proofs: bytes | None = None


def package(content: PackageContent) -> Iterator[bytes | CollectedFile]:
    """The bytes of the package, piece by piece. In the place of a file's bytes comes the file:
    whoever writes the package opens it there."""
    parts = sorted(content.parts, key=lambda each: each.record_id)
    rows = log_rows(parts)
    files = {file.name(each.record_id): file for each in parts for file in each.files_out}
    payload: dict[str, bytes | CollectedFile] = {
        **files,
        **{f"data/records/{each.record_id}.json": canonical(each.content) for each in parts},
        "data/records.csv": _records_csv(parts),
    }
    tags: dict[str, bytes | CollectedFile] = {
        "bagit.txt": b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
        "bag-info.txt": _bag_info(content, payload),
        "letter.pdf": content.letter,
        "exemption-log.json": canonical(rows),
        "exemption-log.csv": _csv(LOG_COLUMNS, rows),
        "exemption-log.pdf": content.exemption_log_pdf,
        "search-log.json": canonical(list(content.search_log)),
        "fees.json": canonical(dict(content.fees)),
        **({PROOFS: content.proofs} if content.proofs is not None else {}),
        "manifest-sha256.txt": _manifest(payload),
    }
    tag_manifest = _manifest(tags)
    note = content.sign(note_text(content.case_id, tag_manifest))
    return _zipped({**payload, **tags, TAG_MANIFEST: tag_manifest, NOTE: note.encode()})


def note_text(case_id: str, tag_manifest: bytes) -> str:
    """What retention signs about a package."""
    return f"{NOTE_FORM}\n{case_id}\n{sha256(tag_manifest).hexdigest()}\n"


def log_rows(parts: Iterable[RecordPart]) -> list[Mapping[str, Any]]:
    """The rows of the exemption log, by record."""
    ordered = sorted(parts, key=lambda each: each.record_id)
    return [row for each in ordered for row in each.log_rows]


def _manifest(entries: Mapping[str, bytes | CollectedFile]) -> bytes:
    """As `sha256sum` writes and checks it."""
    return "".join(f"{_sha256(entries[name])}  {name}\n" for name in sorted(entries)).encode()


def _sha256(entry: bytes | CollectedFile) -> str:
    return entry.sha256 if isinstance(entry, CollectedFile) else sha256(entry).hexdigest()


def _size(entry: bytes | CollectedFile) -> int:
    return entry.size if isinstance(entry, CollectedFile) else len(entry)


def _bag_info(content: PackageContent, payload: Mapping[str, bytes | CollectedFile]) -> bytes:
    octets = sum(map(_size, payload.values()))
    lines = (
        f"Source-Organization: {content.organization}",
        f"External-Identifier: {content.case_id}",
        f"Payload-Oxum: {octets}.{len(payload)}",
        f"Bagging-Date: {content.last_decided_on.isoformat()}",
    )
    return "".join(f"{line}\n" for line in lines).encode()


def _records_csv(parts: Sequence[RecordPart]) -> bytes:
    """One line for each record. A value that is not a text or a number is JSON."""
    public = sorted({name for each in parts for name in each.rendering.public})
    fields = sorted({name for each in parts for name in each.rendering.fields})
    columns = (
        "record_id",
        "version",
        *(f"public.{name}" for name in public),
        *(f"fields.{name}" for name in fields),
        "job_history",
        *(["files"] if any(each.files for each in parts) else []),
    )
    rows = []
    for each in parts:
        found = each.rendering
        rows.append(
            {
                "record_id": found.record_id,
                "version": found.version,
                **{f"public.{name}": value for name, value in found.public.items()},
                **{f"fields.{name}": value for name, value in found.fields.items()},
                "job_history": each.job_history,
                "files": each.content.get("files"),
            }
        )
    return _csv(columns, rows)


def _csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """RFC 4180, in UTF-8."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([cell(row.get(name)) for name in columns])
    return text.getvalue().encode()


def cell(value: object) -> str:
    """A value as a cell. A text that a spreadsheet would run as a formula gets an apostrophe."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str):
        plain = isinstance(value, int | float)
        return json.dumps(value) if plain else canonical(value).decode()
    return f"'{value}" if value[:1] in _FORMULA or value.lstrip()[:1] in _FORMULA else value


def _zipped(entries: Mapping[str, bytes | CollectedFile]) -> Iterator[bytes | CollectedFile]:
    """Pictures, recordings and PDFs are compressed already, so they are stored as they are."""
    archive = Zip()
    for name in sorted(entries):
        entry = entries[name]
        if isinstance(entry, CollectedFile):
            yield archive.stored(name, entry.crc, entry.size)
            yield entry
        else:
            yield archive.packed(name, entry)
    yield archive.end()
