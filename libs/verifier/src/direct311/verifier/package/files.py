"""Files in a package: what the records say of theirs, the files that are there, and the rows of the
exemption log about them.

A file goes out as it came, or with boxes burnt in, and then it is at
`data/media/<record>/<file>.<ending>`; or nothing of it goes out. The log has a row
`file:<file>:<page>:<box>` for each box, and `file:<file>` for a file that is withheld whole.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from direct311.verifier.package.archive import Archive
from direct311.verifier.report import Fault

FIELD = "files"
FILE_ITEM = re.compile(r"file:([A-Za-z0-9_-]{1,64})(?::([1-9][0-9]{0,5}):([1-9][0-9]{0,5}))?")
FOLDER = "data/media/"
LOG = "exemption-log.json"

_NAME = re.compile(r"data/media/([A-Za-z0-9_-]{1,64})/([A-Za-z0-9_-]{1,64})\.[a-z0-9]{1,8}")
_OUT = ("original", "redacted")
_OUTCOMES = (*_OUT, "withheld", "not_kept", "not_in_scope")

Wrong = Callable[[Fault, str, str], None]
File = tuple[str, str]
"""Record and file."""


def check_files(
    archive: Archive,
    readable: Collection[str],
    told: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any] | None],
    wrong: Wrong,
) -> int:
    """Compare files, records and log; returns how many files there are.

    `readable`: the names of entries that are as the manifests say. `told`: what each record says of
    its files. `wrong` gets each finding.
    """
    there = _there(archive, wrong)
    outcomes = _outcomes(archive, readable, told, there, wrong)
    for file in sorted(there.keys() - outcomes.keys()):
        wrong(Fault.INSERTED, there[file], "its record does not say that it goes out")
    boxes: dict[File, int] = {}
    wholes: set[File] = set()
    for number, row in enumerate(rows, 1):
        if row is None or row["field"] != FIELD:
            continue
        item = FILE_ITEM.fullmatch(row["item"])
        if item is None:
            continue
        file = (row["record_id"], item[1])
        where = f"{LOG}, row {number}"
        if item[2] is None:
            wholes.add(file)
            if file in there:
                wrong(Fault.MARK, where, "its file is withheld whole, but is in the package")
            elif outcomes.get(file) != "withheld":
                wrong(Fault.MARK, where, "its record does not say that the file is withheld")
        else:
            boxes[file] = boxes.get(file, 0) + 1
            if file not in there:
                wrong(Fault.MARK, where, "a box was burnt into a file that is not there")
            elif outcomes.get(file) != "redacted":
                wrong(Fault.MARK, where, "its record does not say that boxes were burnt in")
    for (record_id, media_id), outcome in sorted(outcomes.items()):
        where = f"data/records/{record_id}.json, file {media_id}"
        if outcome == "redacted" and (record_id, media_id) not in boxes:
            wrong(Fault.MARK, where, f"boxes were burnt in, and {LOG} has no row for them")
        if outcome == "withheld" and (record_id, media_id) not in wholes:
            wrong(Fault.MARK, where, f"it is withheld, and {LOG} has no row for it")
    return len(there)


def _there(archive: Archive, wrong: Wrong) -> dict[File, str]:
    """The files in the package, by record and file."""
    found: dict[File, str] = {}
    for name in archive.entries:
        if not name.startswith(FOLDER):
            continue
        match = _NAME.fullmatch(name)
        if match is None:
            wrong(Fault.INSERTED, name, "it is not a file of a record")
        elif (match[1], match[2]) in found:
            wrong(Fault.DOUBLED, name, "the file is there twice")
        else:
            found[match[1], match[2]] = name
    return found


def _outcomes(
    archive: Archive,
    readable: Collection[str],
    told: Mapping[str, Any],
    there: Mapping[File, str],
    wrong: Wrong,
) -> dict[File, str]:
    """What the records say of each file."""
    outcomes: dict[File, str] = {}
    for record_id, files in told.items():
        where = f"data/records/{record_id}.json, files"
        if not isinstance(files, list) or not all(map(_is_file, files)):
            wrong(Fault.MALFORMED, where, "not files and what became of them")
            continue
        for file in files:
            key = (record_id, file["media_id"])
            place = f"data/records/{record_id}.json, file {file['media_id']}"
            if key in outcomes:
                wrong(Fault.DOUBLED, place, "the record says twice what became of it")
            outcomes[key] = file["outcome"]
            if file["outcome"] not in _OUT:
                if key in there:
                    wrong(Fault.MARK, place, "it does not go out, but is in the package")
            elif there.get(key) != file["name"]:
                wrong(Fault.MISSING, place, "the package does not have it under this name")
            elif file["name"] in readable:
                _same(archive, file, place, wrong)
    return outcomes


def _same(archive: Archive, file: Mapping[str, Any], place: str, wrong: Wrong) -> None:
    digest = archive.digest(file["name"])
    if (digest, archive.entries[file["name"]].size) != (file["sha256"], file["size"]):
        wrong(Fault.CHANGED, place, "the file in the package is another one: its SHA-256 differs")


def _is_file(file: Any) -> bool:
    if not isinstance(file, dict) or not isinstance(file.get("media_id"), str):
        return False
    if file.get("outcome") not in _OUTCOMES:
        return False
    if file["outcome"] not in _OUT:
        return True
    texts = all(isinstance(file.get(name), str) for name in ("name", "content_type", "sha256"))
    return texts and type(file.get("size")) is int
