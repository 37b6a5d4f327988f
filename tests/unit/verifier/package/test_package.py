"""A released package: whatever is changed in it is found, with the place."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from direct311.verifier.note import Note, Signer
from direct311.verifier.package.check import verify_package
from direct311.verifier.report import Fault, Report
from tests.support import packages
from tests.support.audit_log import private_key
from tests.support.packages import CASE, HOME, LAMP, NOTE, TAG_MANIFEST, bagged, contents, zipped

HOME_FILE = f"data/records/{HOME}.json"
STRANGER = Signer("direct311/retention", private_key("a stranger"))


def checked(data: bytes) -> Report:
    return verify_package(io.BytesIO(data), [packages.SIGNER.key])


def found(data: bytes) -> list[str]:
    return [str(finding) for finding in checked(data).findings]


def changed(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def places(data: bytes) -> Iterator[tuple[range, tuple[str, ...]]]:
    """Which bytes of a zip belong to what, in the words of a finding: one of them must be said."""
    with zipfile.ZipFile(io.BytesIO(data)) as read:
        entries, directory = read.infolist(), read.start_dir
    row = directory
    for number, entry in enumerate(entries, 1):
        begin, length = entry.header_offset, 30 + len(entry.filename)
        yield range(begin, begin + length), (f"zip entry {number} ",)
        content = begin + length
        yield range(content, content + entry.compress_size), (entry.filename,)
        # A changed name may be out of order only for the row that follows it.
        said = (f"zip entry {number}:", f"zip entry {number} ", f"zip entry {number + 1}:")
        yield range(row, row + 46 + len(entry.filename)), said
        row += 46 + len(entry.filename)
    yield range(row, len(data)), ("zip end record",)


def test_a_good_package_is_good() -> None:
    report = checked(packages.package())
    assert report.ok
    assert "4 marks in 2 records and 4 rows" in report.text
    assert f"for the case {CASE}" in report.text


@pytest.mark.policy("P13")
def test_one_changed_byte_is_found_and_located_wherever_it_is() -> None:
    data = packages.package()
    where = {at: said for span, said in places(data) for at in span}
    assert where.keys() == set(range(len(data))), "each byte belongs to something"
    for at, said in where.items():
        report = checked(changed(data, at))
        assert not report.ok, f"byte {at} was changed unseen"
        located = [finding.where for finding in report.findings]
        assert any(f"{place} ".startswith(said) for place in located), (at, said, located)


@pytest.mark.policy("P13")
@pytest.mark.parametrize("name", bagged(contents()))
def test_one_changed_byte_of_a_file_in_a_zip_made_anew_is_found_in_that_file(name: str) -> None:
    """Whoever changed it wrote the checksums of the zip again."""
    files = bagged(contents())
    for at in range(len(files[name])):
        report = checked(zipped(files | {name: changed(files[name], at)}))
        located = {finding.where.partition(", ")[0] for finding in report.findings}
        blamed = {name}
        if name in (packages.MANIFEST, TAG_MANIFEST):
            # Its own hash differs, or the hash that it gives for another file.
            blamed |= {TAG_MANIFEST, NOTE}
        assert located & blamed, (at, located)


def test_a_change_with_all_hashes_made_anew_is_found_by_the_note() -> None:
    files = contents()
    good = bagged(files)
    forged = bagged(files | {"letter.pdf": packages.PDF + b"%%EOF\n"})
    assert found(zipped(forged | {NOTE: good[NOTE]})) == [
        f"{NOTE}, line 3: it signs another {TAG_MANIFEST}: a file of the package was changed [note]"
    ]


def test_a_package_that_a_stranger_signed_is_not_retentions() -> None:
    assert found(zipped(bagged(contents(), signer=STRANGER))) == [
        f"{NOTE}: the note is not signed by any of the given keys [note]"
    ]


def test_a_second_signature_is_not_overlooked() -> None:
    files = bagged(contents())
    note = Note.parse(files[NOTE].decode())
    both = Note(note.text, (*note.signatures, STRANGER.sign(note.text)))
    assert found(zipped(files | {NOTE: str(both).encode()})) == [
        f"{NOTE}: a package's note has one signature [note]"
    ]


@pytest.mark.parametrize("name", bagged(contents()))
def test_a_missing_file_is_named(name: str) -> None:
    files = bagged(contents())
    del files[name]
    number = [each for each in sorted(files | {name: b""}) if each.startswith("data/")]
    line = "" if name not in number else f"{packages.MANIFEST}, line {number.index(name) + 1}: "
    assert any(each.startswith((f"{name}: ", line or name)) for each in found(zipped(files)))


def test_a_file_that_no_manifest_lists_is_named() -> None:
    files = bagged(contents())
    assert found(zipped({**files, "data/more.txt": b"x"}))[0].startswith("data/more.txt: ")
    assert found(zipped({**files, "more.txt": b"x"})) == [
        f"more.txt: {TAG_MANIFEST} does not list it [inserted]"
    ]


@pytest.mark.parametrize(
    ("name", "before", "after", "says"),
    [
        ("bag-info.txt", b".3\n", b".4\n", "bag-info.txt, Payload-Oxum: the files under data/"),
        ("bag-info.txt", b"2026-12-02", b"2026-13-02", "bag-info.txt, Bagging-Date: not a date"),
        ("bag-info.txt", CASE.encode(), HOME.encode(), f"{NOTE}, line 2: it names another case"),
        ("bag-info.txt", b"Source-", b"Another-", "bag-info.txt, Source-Organization: it has no"),
        ("bagit.txt", b"1.0", b"0.9", "bagit.txt: it does not declare a bag of BagIt 1.0"),
        ("letter.pdf", b"%PDF", b"PDF%", "letter.pdf: not a PDF"),
        ("fees.json", b"0}", b"0,}", "fees.json: not unambiguous JSON"),
        ("search-log.json", b"]", b"", "search-log.json: not unambiguous JSON"),
    ],
)
def test_what_retention_itself_gets_wrong_in_a_tag_file_is_found(
    name: str, before: bytes, after: bytes, says: str
) -> None:
    files = contents()
    assert before in files[name]
    files[name] = files[name].replace(before, after)
    assert any(line.startswith(says) for line in found(zipped(bagged(files))))


# Marks and rows: also where the county itself signed them


Change = Callable[[list[dict[str, Any]], list[dict[str, Any]]], object]


def _unmarked(records: list[dict[str, Any]], _: list[dict[str, Any]]) -> None:
    fields = records[0]["fields"]
    fields["description"] = fields["description"].replace("[■ 119.071(5)(b)]", "4111", 1)


def _marked_more(records: list[dict[str, Any]], _: list[dict[str, Any]]) -> None:
    records[1]["fields"]["description"] += " [■ 119.071(4)(d)]"


def _other_citation(_: list[dict[str, Any]], log: list[dict[str, Any]]) -> None:
    log[1]["citation"] = "119.071(2)(c)"


def _row_gone(_: list[dict[str, Any]], log: list[dict[str, Any]]) -> None:
    del log[2]


def _row_more(_: list[dict[str, Any]], log: list[dict[str, Any]]) -> None:
    log.append({**log[3], "item": "description:80-90"})


def _row_twice(_: list[dict[str, Any]], log: list[dict[str, Any]]) -> None:
    log.append(dict(log[3]))


def _other_field(_: list[dict[str, Any]], log: list[dict[str, Any]]) -> None:
    log[0] |= {"field": "phone", "item": "phone"}


def _other_record(_: list[dict[str, Any]], log: list[dict[str, Any]]) -> None:
    log[0]["record_id"] = CASE


def _no_such_field(_: list[dict[str, Any]], log: list[dict[str, Any]]) -> None:
    log[0] |= {"field": "email", "item": "email"}


def _whole_and_more(records: list[dict[str, Any]], _: list[dict[str, Any]]) -> None:
    records[0]["fields"]["address"] += " apt. 4"


def _no_citation(records: list[dict[str, Any]], _: list[dict[str, Any]]) -> None:
    records[1]["fields"]["description"] += " [■]"


def _in_public(records: list[dict[str, Any]], _: list[dict[str, Any]]) -> None:
    records[0]["public"]["status"] = "[■ 119.071(4)(d)]"


def _item_of_another(_: list[dict[str, Any]], log: list[dict[str, Any]]) -> None:
    log[0]["item"] = "phone"


def _no_code(_: list[dict[str, Any]], log: list[dict[str, Any]]) -> None:
    log[0]["code"] = ""


@pytest.mark.policy("P13")
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_unmarked, f"{HOME_FILE}, field description: 0 marks of one citation, but 1 row in"),
        (_marked_more, f"data/records/{LAMP}.json, field description: 1 mark of one citation"),
        (_other_citation, f"{HOME_FILE}, field description: 2 marks of one citation, but 1 row"),
        (_row_gone, f"{HOME_FILE}, field description: 2 marks of one citation, but 1 row in"),
        (_row_more, f"{HOME_FILE}, field description: 1 mark of one citation, but 2 rows in"),
        (_row_twice, "exemption-log.json, row 5: its item has a row already [doubled]"),
        (_other_field, f"{HOME_FILE}, field phone: 0 marks of one citation, but 1 row in"),
        (_other_record, "exemption-log.json, row 1: its record is not in the package [mark]"),
        (_no_such_field, "exemption-log.json, row 1: its field is not in the record [mark]"),
        (_whole_and_more, "exemption-log.json, row 1: its field is withheld whole, but shows"),
        (_no_citation, f"data/records/{LAMP}.json, field description: a mark without a citation"),
        (_in_public, f"{HOME_FILE}, public: a mark outside the fields [mark]"),
        (_item_of_another, "exemption-log.json, row 1: its item is not one of its field"),
        (_no_code, "exemption-log.json, row 1: a member is empty or of another type"),
    ],
)
def test_marks_and_rows_that_do_not_belong_to_each_other_are_found(
    change: Change, says: str
) -> None:
    records, log = packages.records(), packages.log()
    change(records, log)
    lines = found(zipped(bagged(contents(records, log))))
    assert any(line.startswith(says) for line in lines), lines


def test_each_row_that_is_left_out_and_each_mark_that_is_taken_away_is_found() -> None:
    for number in range(len(packages.log())):
        log = packages.log()
        row = log.pop(number)
        lines = found(zipped(bagged(contents(None, log))))
        assert any(f"{HOME_FILE}, field {row['field']}: " in line for line in lines)


def test_both_forms_of_the_log_say_the_same() -> None:
    for number, row in enumerate(packages.log(), 1):
        for name in row:
            log = packages.log()
            log[number - 1][name] = "another" if name != "version" else 4
            files = contents()
            files["exemption-log.csv"] = packages.as_csv(log)
            assert found(zipped(bagged(files))) == [
                f"exemption-log.csv, row {number}, {name}: "
                f"it is not what exemption-log.json, row {number} says [changed]"
            ]
    files = contents()
    files["exemption-log.csv"] = packages.as_csv(packages.log()[:-1])
    assert found(zipped(bagged(files))) == [
        "exemption-log.json, row 4: exemption-log.csv does not have it [missing]"
    ]


def test_the_table_of_records_has_the_same_records_and_marks() -> None:
    files = contents()
    table = files["data/records.csv"]
    files["data/records.csv"] = table.replace("[■ 119.071(5)(b)]".encode(), b"4111 1111")
    assert any(
        line.startswith(f"{HOME_FILE}: its row in data/records.csv has other marks")
        for line in found(zipped(bagged(files)))
    )
    files["data/records.csv"] = table.replace(LAMP.encode(), CASE.encode())
    lines = found(zipped(bagged(files)))
    assert "data/records.csv, row 2: there is no such record [inserted]" in lines
    assert f"data/records/{LAMP}.json: data/records.csv has no row for it [missing]" in lines


def test_a_package_that_withholds_nothing_and_one_without_records_are_good() -> None:
    for records in ([packages.records()[1]], []):
        files = contents(records, [])
        files["exemption-log.csv"] = packages.as_csv(packages.log()).split(b"\r\n")[0] + b"\r\n"
        assert checked(zipped(bagged(files))).ok


def test_a_finding_does_not_print_what_is_in_the_package() -> None:
    """Neither a value nor a name of a file that somebody invented."""
    records = packages.records()
    records[0]["fields"]["Juana Perez"] = "[■ 119.071(4)(d)] Juana Perez"
    records[0]["public"]["Juana Perez"] = "Juana Perez"
    files = bagged(contents(records)) | {"data/records/Juana Perez.json": b"Juana Perez"}
    for data in (
        zipped(files),
        zipped(bagged(contents(records))),
        zipped(bagged(contents() | {HOME_FILE: b'"Juana Perez'})),
        zipped(bagged(contents() | {"exemption-log.json": json.dumps(["Juana Perez"]).encode()})),
        zipped(bagged(contents() | {"bag-info.txt": b"Juana Perez\n"})),
        zipped(bagged(contents() | {"data/records.csv": b"record_id\nJuana Perez\n"})),
    ):
        report = checked(data)
        assert not report.ok
        assert "Juana" not in report.text


def test_other_packed_bytes_of_the_same_content_are_found_without_a_receipt() -> None:
    """Only the file whose bytes are other ones is named."""
    files = bagged(contents())
    data = zipped(files)
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as write:
        for name in sorted(files):
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, 0o100644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            write.writestr(info, files[name], compresslevel=9 if name != NOTE else 0)
    assert data != stored.getvalue()
    report = checked(stored.getvalue())
    assert [(each.fault, each.where) for each in report.findings] == [(Fault.ARCHIVE, NOTE)]
