"""All that can be checked of a package without network, in one report."""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO

from direct311.verifier.checkpoint import Trust
from direct311.verifier.event import EventKey
from direct311.verifier.note import VerifierKey
from direct311.verifier.package.archive import Archive, ArchiveError
from direct311.verifier.package.bag import SIGNED_BY, Bag, check_bag
from direct311.verifier.package.proofs import PROOFS, check_proofs
from direct311.verifier.package.release import check_release
from direct311.verifier.package.withheld import Withheld, check_withheld
from direct311.verifier.report import Fault, Finding, Report, count

_PDFS = ("letter.pdf", "exemption-log.pdf")


def verify_package(
    file: BinaryIO,
    keys: Iterable[VerifierKey],
    *,
    receipts: Mapping[str, bytes] | None = None,
    trust: Trust | None = None,
    producers: Sequence[EventKey] | None = None,
) -> Report:
    """Check a package: the zip, the bag, the note under one of `keys`, marks against exemption log.

    `receipts` of its release, by the names that findings use, are checked under `trust` and
    `producers` (see `verify_receipt`); without `trust`, no log is trusted. The proof in the package
    is checked under them too; without `trust` it is not, and the report says so.
    """
    try:
        archive = Archive(file)
    except ArchiveError as error:
        says = f"{error}; nothing else was checked"
        return Report((Finding(Fault.ARCHIVE, says, where=error.where),))
    bag = check_bag(archive, keys)
    readable = [name for name in archive.entries if name not in bag.broken]
    withheld = check_withheld(archive, readable)
    findings = [*bag.findings, *withheld.findings, *_pdfs(archive, readable)]
    package = archive.sha256()
    verified = _verified(archive, bag, withheld, package)
    notes: list[str] = []
    if PROOFS in archive.entries:
        proved = _proofs(archive, trust, producers, bag)
        findings += proved.findings
        verified += () if proved.findings else proved.verified
        notes += proved.notes
    released = False
    for name, data in (receipts or {}).items():
        report = check_release(
            data, trust or Trust(()), producers, package=package, case_id=bag.case_id, where=name
        )
        findings += report.findings
        verified += () if report.findings else report.verified
        notes += [note for note in report.notes if note not in notes]
        released = released or report.ok
    if not released:
        # The receipt vouches for each byte. Without it, the form of the packed bytes has to.
        wrong, said = _packing(archive, readable)
        findings += wrong
        notes += said
        notes.append("only the receipt of its release shows that this package went out")
    return Report(tuple(findings), tuple(verified), tuple(notes))


def _proofs(
    archive: Archive, trust: Trust | None, producers: Sequence[EventKey] | None, bag: Bag
) -> Report:
    """What the proof in the package shows. A file that the manifests say was changed is looked at
    all the same: it says which entry."""
    if trust is None:
        return Report((), (), (f"{PROOFS} was not checked: that takes a key of the log",))
    try:
        data = archive.read(PROOFS)
    except ArchiveError:
        return Report(())  # the bag has it as changed
    return check_proofs(data, trust, producers, case_id=bag.case_id)


def _verified(archive: Archive, bag: Bag, withheld: Withheld, package: str) -> list[str]:
    verified = [f"the package has the SHA-256 {package}"]
    if not bag.findings:
        verified += [
            f"the note is signed by {SIGNED_BY} for the case {bag.case_id}",
            f"files that are as the manifests say: {len(archive.entries):,}",
        ]
    if not withheld.findings and not bag.findings:
        verified.append(
            f"{count(withheld.marks, 'mark')} in {count(withheld.records, 'record')} and "
            f"{count(withheld.rows, 'row')} of the exemption log belong to each other"
        )
        if withheld.files:
            verified.append(
                f"{count(withheld.files, 'file')} of records as the records and the log say"
            )
    return verified


def _pdfs(archive: Archive, readable: Sequence[str]) -> Iterator[Finding]:
    for name in _PDFS:
        if name not in readable:
            continue
        content = archive.read(name)
        if not content.startswith(b"%PDF-") or not content.rstrip().endswith(b"%%EOF"):
            yield Finding(Fault.MALFORMED, "not a PDF from its beginning to its end", where=name)


def _packing(archive: Archive, readable: Sequence[str]) -> tuple[list[Finding], list[str]]:
    """Files whose packed bytes were changed without a change of what they unpack to."""
    if "ng" in zlib.ZLIB_RUNTIME_VERSION:
        return [], ["this machine packs in another way: unused bits of the zip were not compared"]
    other = [name for name in readable if not archive.is_packed_by_rule(name)]
    says = "its packed bytes were changed, without a change of its content"
    return [Finding(Fault.ARCHIVE, says, where=name) for name in other], []
