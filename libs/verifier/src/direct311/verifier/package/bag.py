"""The bag: BagIt 1.0 (RFC 8493) with one algorithm, and a note that retention signed.

bagit.txt, bag-info.txt      what it is, and of which case
manifest-sha256.txt          the SHA-256 of each file under data/
tagmanifest-sha256.txt       of each other file, but itself and the note
tagmanifest.note             the signed SHA-256 of tagmanifest-sha256.txt
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from hashlib import sha256

from direct311.verifier.note import (
    MalformedNoteError,
    Note,
    UnverifiedNoteError,
    VerifierKey,
    WrongSignatureError,
)
from direct311.verifier.package.archive import Archive, ArchiveError
from direct311.verifier.report import Fault, Finding

FORMAT = "direct311-package-v1"
SIGNED_BY = "direct311/retention"
"""The name of the key in the note."""

MANIFEST, TAG_MANIFEST, NOTE = "manifest-sha256.txt", "tagmanifest-sha256.txt", "tagmanifest.note"
DECLARATION, INFO = "bagit.txt", "bag-info.txt"
REQUIRED = (
    DECLARATION,
    INFO,
    MANIFEST,
    TAG_MANIFEST,
    NOTE,
    "data/records.csv",
    "letter.pdf",
    "exemption-log.json",
    "exemption-log.csv",
    "exemption-log.pdf",
    "search-log.json",
    "fees.json",
)
_DECLARED = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
_LABELS = ("Source-Organization", "External-Identifier", "Payload-Oxum", "Bagging-Date")
_LINE = re.compile(r"([0-9a-f]{64})  ([!-~]{1,255})")
_OXUM = re.compile(r"(0|[1-9][0-9]{0,18})\.(0|[1-9][0-9]{0,9})")


@dataclass(frozen=True, slots=True)
class Bag:
    """What the bag says of itself."""

    case_id: str
    """Empty if the bag does not say."""
    findings: tuple[Finding, ...]
    broken: frozenset[str]
    """Files that are not there or not as the manifests say: nothing is read in them."""


def check_bag(archive: Archive, keys: Iterable[VerifierKey]) -> Bag:
    """Check all files of the bag against its manifests, and the manifests against the note."""
    findings = [
        Finding(Fault.MISSING, "a package has this file, and this one has not", where=name)
        for name in REQUIRED
        if name not in archive.entries
    ]
    texts, digests = {}, {}
    for name in archive.entries:
        try:
            if name in (DECLARATION, INFO, MANIFEST, TAG_MANIFEST, NOTE):
                texts[name] = archive.read(name)
                digests[name] = sha256(texts[name]).hexdigest()
            else:
                digests[name] = archive.digest(name)
        except ArchiveError as error:
            findings.append(Finding(Fault.CHANGED, str(error), where=error.where))
    unread = archive.entries.keys() - digests.keys()

    payload = {name for name in archive.entries if name.startswith("data/")}
    tags = archive.entries.keys() - payload - {TAG_MANIFEST, NOTE}
    listed: dict[str, set[str]] = {MANIFEST: payload, TAG_MANIFEST: tags}
    for manifest, files in listed.items():
        if manifest in texts:
            findings += _manifest(manifest, texts[manifest], files, digests, unread)
    if DECLARATION in texts and texts[DECLARATION] != _DECLARED:
        says = "it does not declare a bag of BagIt 1.0 in UTF-8"
        findings.append(Finding(Fault.MALFORMED, says, where=DECLARATION))
    case_id = ""
    if INFO in texts:
        info, wrong = _info(texts[INFO])
        findings += wrong
        case_id = info.get("External-Identifier", "")
        findings += _oxum(info, [archive.entries[name].size for name in payload])
    if NOTE in texts:
        findings += _note(texts[NOTE], case_id, digests.get(TAG_MANIFEST, ""), keys)
    broken = {finding.where.partition(", ")[0] for finding in findings}
    return Bag(case_id, tuple(findings), frozenset(broken | unread))


def _manifest(
    manifest: str,
    text: bytes,
    files: set[str],
    digests: Mapping[str, str],
    unread: Iterable[str],
) -> Iterator[Finding]:
    """Each file once, with its hash, and no other: as `sha256sum -c` reads it."""
    named: set[str] = set()
    lines = text.decode("ascii", "replace").split("\n")
    if lines.pop():
        yield Finding(Fault.MALFORMED, "its last line has no end", where=manifest)
    for number, line in enumerate(lines, 1):
        where = f"{manifest}, line {number}"
        match = _LINE.fullmatch(line)
        if match is None:
            says = "not a SHA-256, two spaces and a name"
            yield Finding(Fault.MALFORMED, says, where=where)
            continue
        digest, name = match.groups()
        if name in named:
            yield Finding(Fault.DOUBLED, "its file has a line already", where=where)
        elif name not in files:
            yield Finding(Fault.MISSING, "its file is not there, or is another's", where=where)
        elif name not in unread and digests[name] != digest:
            says = f"it is not the file of {manifest}, line {number}: the hash differs"
            yield Finding(Fault.CHANGED, says, where=name)
        named.add(name)
    for name in sorted(files - named):
        yield Finding(Fault.INSERTED, f"{manifest} does not list it", where=name)


def _info(text: bytes) -> tuple[dict[str, str], list[Finding]]:
    """The labels that a package has, and what is wrong with them."""
    found: dict[str, str] = {}
    findings = []
    for number, line in enumerate(text.decode("utf-8", "replace").splitlines(), 1):
        label, colon, value = line.partition(": ")
        where = f"{INFO}, line {number}"
        if line[:1] in (" ", "\t"):
            continue  # the value of the line before goes on (RFC 8493, section 2.2.2)
        if not colon or not label.isascii():
            findings.append(Finding(Fault.MALFORMED, "not a label and a value", where=where))
        elif label in _LABELS and label in found:
            findings.append(Finding(Fault.DOUBLED, "its label has a line already", where=where))
        else:
            found[label] = value
    findings += [
        Finding(Fault.MISSING, "it has no value", where=f"{INFO}, {label}")
        for label in _LABELS
        if not found.get(label)
    ]
    try:
        date.fromisoformat(found.get("Bagging-Date") or "1980-01-01")
    except ValueError:
        where = f"{INFO}, Bagging-Date"
        findings.append(Finding(Fault.MALFORMED, "not a date", where=where))
    return found, findings


def _oxum(info: Mapping[str, str], sizes: list[int]) -> Iterator[Finding]:
    said = info.get("Payload-Oxum")
    if not said:
        return
    where = f"{INFO}, Payload-Oxum"
    match = _OXUM.fullmatch(said)
    if match is None:
        yield Finding(Fault.MALFORMED, "not a number of bytes and of files", where=where)
    elif (int(match[1]), int(match[2])) != (sum(sizes), len(sizes)):
        says = f"the files under data/ have {sum(sizes):,} bytes in {len(sizes):,} files"
        yield Finding(Fault.CHANGED, f"{says}, and it says something else", where=where)


def _note(text: bytes, case_id: str, digest: str, keys: Iterable[VerifierKey]) -> Iterator[Finding]:
    try:
        note = Note.parse(text.decode())
        if len(note.signatures) != 1:
            raise MalformedNoteError("a package's note has one signature")
        note.verify(keys)
    except UnicodeDecodeError:
        yield Finding(Fault.MALFORMED, "not UTF-8", where=NOTE)
        return
    except (MalformedNoteError, WrongSignatureError, UnverifiedNoteError) as error:
        yield Finding(Fault.NOTE, str(error), where=NOTE)
        return
    lines = note.text.split("\n")
    for number, (line, right, what) in enumerate(
        zip(
            lines,
            (FORMAT, case_id, digest, ""),
            ("it is not the note of a package", "it names another case", _OTHER_MANIFEST, ""),
            strict=False,
        ),
        1,
    ):
        if line != right:
            yield Finding(Fault.NOTE, what or "it says more", where=f"{NOTE}, line {number}")
    if len(lines) != 4:
        yield Finding(Fault.NOTE, "it does not have three lines", where=NOTE)


_OTHER_MANIFEST = f"it signs another {TAG_MANIFEST}: a file of the package was changed"
