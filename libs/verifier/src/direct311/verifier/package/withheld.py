"""What was withheld: the marks in the records against the rows of the exemption log.

A mark `[■ <citation>]` stands where something was withheld. In each field of each record there are
as many marks with a citation as the log has rows with that record, field and citation. Nothing
else bears marks.

Rows about files have no marks: `files` checks them against the files of the package.
"""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from direct311.verifier.event import MalformedEventError, decode_json
from direct311.verifier.package.archive import Archive
from direct311.verifier.package.files import FIELD, FILE_ITEM, check_files
from direct311.verifier.report import Fault, Finding, count

LOG_JSON, LOG_CSV, RECORDS_CSV = "exemption-log.json", "exemption-log.csv", "data/records.csv"
OTHER_DOCUMENTS = ("search-log.json", "fees.json")

_RECORD = re.compile(r"data/records/([A-Za-z0-9_-]{1,64})\.json")
_OPENING = "[■"
_MARK = re.compile(r"\[■ ([^\[\]■\r\n]{1,200})\]")
_ITEM = re.compile(r"([A-Za-z0-9_.-]{1,100})(?::(0|[1-9][0-9]{0,8})-([1-9][0-9]{0,8}))?")
_MEMBERS = frozenset(
    ("record_id", "item", "field", "code", "citation", "decided_by", "decided_at", "version")
)
_RECORD_MEMBERS = frozenset(("record_id", "version", "public", "fields", "job_history"))
_LATER_MEMBERS = frozenset(("files",))
"""Members that a record has only if there is something to say."""
_GUARDED = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""A cell that begins so gets an apostrophe before it, for spreadsheets; the last four are
full-width."""

Key = tuple[str, str, str]
"""Record, field and citation."""
Rows = Sequence[Mapping[str, Any] | None]
"""Rows of the log; None for one that is not in the form of a row."""


@dataclass(slots=True)
class Withheld:
    """What the check found, and how much it looked at."""

    findings: list[Finding] = field(default_factory=list)
    records: int = 0
    marks: int = 0
    rows: int = 0
    files: int = 0

    def wrong(self, fault: Fault, where: str, says: str) -> None:
        self.findings.append(Finding(fault, says, where=where))


def check_withheld(archive: Archive, readable: Sequence[str]) -> Withheld:
    """Compare marks and log, in the files that are as the manifests say."""
    found = Withheld()
    marks: Counter[Key] = Counter()
    whole: dict[tuple[str, str], bool] = {}
    told: dict[str, Any] = {}
    names = [name for name in readable if name.startswith("data/records/")]
    for name in names:
        match = _RECORD.fullmatch(name)
        document = _decode(archive.read(name), name, found)
        if match is None:
            found.wrong(Fault.INSERTED, name, "it is not a record")
        elif document is not None:
            marks += _record(match[1], document, name, found, whole)
            if match[1] in {of for of, _ in whole} and isinstance(document, dict):
                told[match[1]] = document.get("files", [])
    for name in OTHER_DOCUMENTS:
        if name in readable:
            _decode(archive.read(name), name, found)
    found.records, found.marks = len(names), sum(marks.values())
    complete = all(name in readable for name in archive.entries if _RECORD.fullmatch(name))
    if LOG_JSON in readable:
        rows = _log(archive.read(LOG_JSON), found)
        found.rows = len(rows)
        if complete:
            texts = [None if row is not None and row["field"] == FIELD else row for row in rows]
            _both_ways(marks, texts, whole, found)
            found.files = check_files(archive, {*readable}, told, rows, found.wrong)
        if LOG_CSV in readable:
            _same_rows(rows, archive.read(LOG_CSV), found)
    if RECORDS_CSV in readable and complete:
        _table(archive.read(RECORDS_CSV), {record for record, _ in whole}, marks, found)
    return found


def _decode(data: bytes, name: str, found: Withheld) -> Any:
    try:
        return decode_json(data.decode())
    except UnicodeDecodeError:
        found.wrong(Fault.MALFORMED, name, "not UTF-8")
    except MalformedEventError as error:
        found.wrong(Fault.MALFORMED, name, str(error))
    return None


# Records


def _record(
    record_id: str,
    document: Any,
    name: str,
    found: Withheld,
    whole: dict[tuple[str, str], bool],
) -> Counter[Key]:
    """The marks of one record. `whole` gets for each field whether it is one mark and no more."""
    marks: Counter[Key] = Counter()
    whole[record_id, ""] = False
    if not isinstance(document, dict) or document.keys() - _LATER_MEMBERS != _RECORD_MEMBERS:
        found.wrong(Fault.MALFORMED, name, "it does not have the members of a record")
        return marks
    if document["record_id"] != record_id:
        found.wrong(Fault.CHANGED, f"{name}, record_id", "it is another record's")
    fields = document["fields"]
    if not isinstance(fields, dict) or not all(map(_is_field, fields.items())):
        found.wrong(Fault.MALFORMED, f"{name}, fields", "not names and texts")
        return marks
    for key, text in fields.items():
        cited = _MARK.findall(text)
        if len(cited) != text.count(_OPENING):
            found.wrong(Fault.MARK, f"{name}, field {key}", "a mark without a citation")
        whole[record_id, key] = _MARK.fullmatch(text) is not None
        marks.update((record_id, key, each) for each in cited)
    for key in ("public", "job_history", "files"):
        if _OPENING in json.dumps(document.get(key), ensure_ascii=False):
            found.wrong(Fault.MARK, f"{name}, {key}", "a mark outside the fields")
    return marks


def _is_field(member: tuple[str, Any]) -> bool:
    key, text = member
    return isinstance(text, str) and _ITEM.fullmatch(key) is not None and ":" not in key


# The exemption log


def _log(data: bytes, found: Withheld) -> Rows:
    document = _decode(data, LOG_JSON, found)
    if document is None:
        return []
    if not isinstance(document, list):
        found.wrong(Fault.MALFORMED, LOG_JSON, "not a list of rows")
        return []
    rows: list[Mapping[str, Any] | None] = []
    seen: set[tuple[str, ...]] = set()
    for number, row in enumerate(document, 1):
        where = f"{LOG_JSON}, row {number}"
        if (why := _not_a_row(row)) is not None:
            found.wrong(Fault.MALFORMED, where, why)
            rows.append(None)
            continue
        item: tuple[str, ...] = (row["record_id"], row["item"])
        if row["field"] == FIELD:
            # A whole file may be withheld for several reasons.
            item += (row["code"],)
        if item in seen:
            found.wrong(Fault.DOUBLED, where, "its item has a row already")
        seen.add(item)
        rows.append(row)
    return rows


def _not_a_row(row: Any) -> str | None:
    if not isinstance(row, dict) or row.keys() != _MEMBERS:
        return "it does not have the members of a row"
    texts = [value for key, value in row.items() if key != "version"]
    if not all(isinstance(text, str) and text for text in texts) or type(row["version"]) is not int:
        return "a member is empty or of another type"
    if row["field"] == FIELD:
        return None if FILE_ITEM.fullmatch(row["item"]) else "its item is not one of a file"
    item = _ITEM.fullmatch(row["item"])
    if item is None or item[1] != row["field"]:
        return "its item is not one of its field"
    if item[2] is not None and int(item[2]) >= int(item[3]):
        return "its item is an empty span"
    return None


def _both_ways(
    marks: Counter[Key],
    rows: Rows,
    whole: Mapping[tuple[str, str], bool],
    found: Withheld,
) -> None:
    logged: dict[Key, list[int]] = {}
    for number, row in enumerate(rows, 1):
        if row is None:
            continue
        where = f"{LOG_JSON}, row {number}"
        place = (row["record_id"], row["field"])
        logged.setdefault((*place, row["citation"]), []).append(number)
        if place not in whole:
            known = (row["record_id"], "") in whole
            says = "its field is not in the record" if known else "its record is not in the package"
            found.wrong(Fault.MARK, where, says)
        elif row["item"] == row["field"] and not whole[place]:
            found.wrong(
                Fault.MARK, where, "its field is withheld whole, but shows more than a mark"
            )
    for key in sorted(marks.keys() | logged.keys()):
        record_id, name, _ = key
        numbers = logged.get(key, [])
        if (record_id, name) not in whole or marks[key] == len(numbers):
            continue
        where = f"data/records/{record_id}.json, field {name}"
        says = f"{count(marks[key], 'mark')} of one citation, but {count(len(numbers), 'row')}"
        listed = "".join(f" {number}" for number in numbers[:10])
        rows_are = f" (row{listed})" if numbers else ""
        found.wrong(Fault.MARK, where, f"{says} in {LOG_JSON}{rows_are}")


# Tables


def _rows_of(data: bytes, name: str, found: Withheld) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a CSV (RFC 4180) by their headings, each with its number."""
    try:
        text = data.decode("utf-8-sig")
        # One limit for the whole process, so that it is never lowered for somebody else.
        csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
        table = csv.reader(io.StringIO(text, newline=""), strict=True)
        heads = next(table, [])
        if len(set(heads)) != len(heads):
            found.wrong(Fault.MALFORMED, name, "a heading appears twice")
        for number, row in enumerate(table, 1):
            if len(row) != len(heads):
                found.wrong(Fault.MALFORMED, f"{name}, row {number}", "not a cell for each heading")
            else:
                yield number, dict(zip(heads, row, strict=True))
    except (UnicodeDecodeError, csv.Error):
        found.wrong(Fault.MALFORMED, name, "not a table in UTF-8")


def _same_rows(rows: Rows, data: bytes, found: Withheld) -> None:
    """The log as a table has the same rows in the same order."""
    number = 0
    for number, cells in _rows_of(data, LOG_CSV, found):
        where = f"{LOG_CSV}, row {number}"
        if number > len(rows):
            found.wrong(Fault.INSERTED, where, f"{LOG_JSON} does not have it")
            continue
        row = rows[number - 1]
        if row is None:
            continue
        if cells.keys() != row.keys():
            found.wrong(Fault.MALFORMED, where, "its headings are not those of the log")
            return
        names = [key for key in row if cells[key] not in _cells(row[key])]
        for name in names:
            says = f"it is not what {LOG_JSON}, row {number} says"
            found.wrong(Fault.CHANGED, f"{where}, {name}", says)
    for missing in range(number + 1, len(rows) + 1):
        found.wrong(Fault.MISSING, f"{LOG_JSON}, row {missing}", f"{LOG_CSV} does not have it")


def _cells(value: Any) -> tuple[str, ...]:
    text = str(value)
    runs = text[:1] in _GUARDED or text.lstrip()[:1] in _GUARDED
    return (text, f"'{text}") if text and runs else (text,)


def _table(data: bytes, records: set[str], marks: Counter[Key], found: Withheld) -> None:
    """The records as a table are the same records, with the same marks."""
    cited: dict[str, Counter[str]] = {}
    for number, cells in _rows_of(data, RECORDS_CSV, found):
        record_id = cells.get("record_id", "")
        if record_id not in records:
            found.wrong(Fault.INSERTED, f"{RECORDS_CSV}, row {number}", "there is no such record")
            continue
        of_record = cited.setdefault(record_id, Counter())
        for cell in cells.values():
            of_record.update(_MARK.findall(cell))
    for record_id in sorted(records):
        where = f"data/records/{record_id}.json"
        if record_id not in cited:
            found.wrong(Fault.MISSING, where, f"{RECORDS_CSV} has no row for it")
            continue
        own: Counter[str] = Counter()
        for (of, _, citation), number in marks.items():
            if of == record_id:
                own[citation] += number
        if own != cited[record_id]:
            found.wrong(Fault.MARK, where, f"its row in {RECORDS_CSV} has other marks")
