"""A package byte by byte: the same decisions give the same bytes, and any tool can check them."""

import csv
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import bagit
import pypdf
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from direct311.retention.packages.adapters.letter_file import load_release_letter
from direct311.retention.packages.adapters.notary import NoteSigner
from direct311.retention.packages.adapters.papers import PdfPapers
from direct311.retention.packages.domain.bag import PackageContent, cell, log_rows, package
from direct311.retention.packages.domain.letter import (
    LetterFacts,
    ReleaseLetter,
    letter_problems,
)
from direct311.retention.packages.domain.parts import RecordPart, Rendering, marks_agree
from direct311.retention.packages.domain.zip_form import MOST_ENTRIES, TooLargeError, Zip
from direct311.verifier.note import Note, VerifierKey
from tests.support.record_owners import CITATION, MARK, job, record

CASE = "01a22f71-0c3e-7d11-9a4b-5f0de0c6b1a2"
NOTARY = NoteSigner(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
GOLDEN = "ec5093b690c110b0549409f6d06682d4676e5e308c188eb98331e76604dba0c8"
"""SHA-256 of the hashes of the entries."""


def part(number: int, **changes: Any) -> RecordPart:
    answer = {"record_id": f"record-{number}", **record(number, withheld=number % 3)} | changes
    return RecordPart(
        rendering=Rendering.model_validate(answer), job_history=job(f"record-{number}")
    )


def content(parts: list[RecordPart]) -> PackageContent:
    papers = PdfPapers(load_release_letter())
    rows = log_rows(parts)
    facts = LetterFacts(
        case_id=CASE,
        received_on=date(2026, 2, 1),
        records=len(parts),
        partial=False,
        citations={CITATION: len(rows)} if rows else {},
    )
    return PackageContent(
        case_id=CASE,
        organization=papers.organization,
        last_decided_on=date(2026, 2, 27),
        parts=parts,
        letter=papers.letter(facts),
        exemption_log_pdf=papers.exemption_log(CASE, rows),
        search_log=(),
        fees={},
        sign=NOTARY.sign,
    )


def built(parts: list[RecordPart] | None = None) -> bytes:
    pieces = package(content(parts or [part(number) for number in range(4)]))
    return b"".join(each for each in pieces if isinstance(each, bytes))


def entries(archive: bytes) -> Mapping[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as found:
        return {name: found.read(name) for name in found.namelist()}


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(built())) as found:
        found.extractall(tmp_path)
    return tmp_path


# ---------------------------------------------------------------- the same bytes


def test_the_same_decisions_give_the_same_bytes_in_another_process_and_in_any_order() -> None:
    program = (
        "import sys; from hashlib import sha256;"
        f"from {__name__} import built, part;"
        "parts = [part(n) for n in (3, 1, 0, 2)];"
        "sys.stdout.write(sha256(built(parts)).hexdigest())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "PYTHONPATH": ":".join(sys.path)},
    )
    assert answer.stdout == sha256(built()).hexdigest()


def test_a_package_is_as_it_was_when_its_format_was_decided() -> None:
    """Its entries, not the archive: another version of zlib may compress them otherwise."""
    listed = "".join(
        f"{sha256(content).hexdigest()}  {name}\n"
        for name, content in entries(built()).items()
        if not name.endswith(".pdf") and name not in ("tagmanifest-sha256.txt", "tagmanifest.note")
    )
    assert sha256(listed.encode()).hexdigest() == GOLDEN


def test_the_bytes_are_those_that_the_standard_library_writes() -> None:
    """Packages were written with it before they were written piece by piece."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, each in entries(built()).items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            archive.writestr(info, each, compresslevel=9)
    assert made.getvalue() == built()


def test_a_package_that_its_form_cannot_have_is_not_written() -> None:
    archive = Zip()
    archive.stored("data/media/one", 0, 3 << 30)
    with pytest.raises(TooLargeError):
        archive.stored("data/media/two", 0, 1 << 30)
    archive = Zip()
    for number in range(MOST_ENTRIES):
        archive.stored(f"data/media/{number}", 0, 0)
    with pytest.raises(TooLargeError):
        archive.stored("data/media/last", 0, 0)


def test_another_decision_gives_another_package() -> None:
    assert built([part(1)]) != built([part(1, version=3)])


def test_an_entry_tells_nothing_of_the_machine_that_wrote_it() -> None:
    with zipfile.ZipFile(io.BytesIO(built())) as found:
        names = found.namelist()
        assert names == sorted(names)
        for each in found.infolist():
            assert each.date_time == (1980, 1, 1, 0, 0, 0)
            assert (each.external_attr >> 16, each.create_system) == (0o100644, 3)
            assert (each.extra, each.comment, each.compress_type) == (b"", b"", 8)


# ---------------------------------------------------------------- what checks it


def test_sha256sum_alone_checks_both_manifests(unpacked: Path) -> None:
    for name in ("manifest-sha256.txt", "tagmanifest-sha256.txt"):
        subprocess.run(["sha256sum", "--check", "--strict", name], cwd=unpacked, check=True)
    (unpacked / "letter.pdf").write_bytes(b"another")
    done = subprocess.run(
        ["sha256sum", "--check", "--quiet", "tagmanifest-sha256.txt"],
        cwd=unpacked,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "letter.pdf: FAILED" in done.stdout


def test_another_library_finds_a_valid_bag(unpacked: Path) -> None:
    bag = bagit.Bag(str(unpacked))
    bag.validate()
    assert bag.version_info == (1, 0)
    assert bag.info["External-Identifier"] == CASE
    assert bag.info["Bagging-Date"] == "2026-02-27"
    (unpacked / "data" / "records" / "record-0.json").write_bytes(b"{}")
    assert not bag.is_valid()


def test_every_entry_but_the_note_is_in_a_manifest(unpacked: Path) -> None:
    listed = {
        line.split("  ")[1]
        for name in ("manifest-sha256.txt", "tagmanifest-sha256.txt")
        for line in (unpacked / name).read_text().splitlines()
    }
    assert {*entries(built())} - listed == {"tagmanifest-sha256.txt", "tagmanifest.note"}


def test_the_note_signs_the_case_and_the_tag_manifest() -> None:
    found = entries(built())
    note = Note.parse(found["tagmanifest.note"].decode())
    key = VerifierKey.parse(NOTARY.vkey)
    assert list(note.verify([key])) == [key]
    assert key.name == "direct311/retention"
    digest = sha256(found["tagmanifest-sha256.txt"]).hexdigest()
    assert note.text == f"direct311-package-v1\n{CASE}\n{digest}\n"


# ---------------------------------------------------------------- what it says


def test_each_record_and_each_row_of_the_log_is_there() -> None:
    found = entries(built())
    one = json.loads(found["data/records/record-1.json"])
    assert sorted(one) == ["fields", "job_history", "public", "record_id", "version"]
    assert MARK in one["fields"]["description"]
    assert one["job_history"]["department"] == "public_works"
    rows = json.loads(found["exemption-log.json"])
    assert [row["record_id"] for row in rows] == ["record-1", "record-2", "record-2"]
    table = list(csv.DictReader(io.StringIO(found["exemption-log.csv"].decode(), newline="")))
    assert [{name: str(value) for name, value in row.items()} for row in rows] == table
    assert (found["search-log.json"], found["fees.json"]) == (b"[]", b"{}")
    lines = list(csv.DictReader(io.StringIO(found["data/records.csv"].decode(), newline="")))
    assert [line["record_id"] for line in lines] == [f"record-{number}" for number in range(4)]
    assert lines[1]["public.lat"] == "25.761"
    assert json.loads(lines[0]["job_history"]) == dict(job("record-0"))


def test_the_papers_can_be_read_in_three_languages_and_name_nobody(unpacked: Path) -> None:
    for name, pages in (("letter.pdf", 3), ("exemption-log.pdf", 1)):
        pdf = pypdf.PdfReader(unpacked / name)
        assert len(pdf.pages) == pages
        text = "\n".join(page.extract_text() for page in pdf.pages)
        assert CASE in text
        assert CITATION in text
        told = {key: value for key, value in (pdf.metadata or {}).items() if "Date" not in key}
        assert "rita" not in repr(told)
        assert told["/Author"] == "Miami-Dade County 311 Contact Center"
        assert "D:2000" in repr(pdf.metadata)
    letter = "\n".join(
        page.extract_text() for page in pypdf.PdfReader(unpacked / "letter.pdf").pages
    )
    for words in ("[■ 119.071(4)(d)]", "registros públicos", "Katab data a gen chak dosye"):
        assert words in letter


def test_a_log_of_many_pages_has_every_row() -> None:
    parts = [part(number) for number in range(300)]
    pdf = pypdf.PdfReader(io.BytesIO(entries(built(parts))["exemption-log.pdf"]))
    assert len(pdf.pages) > 5
    text = "\n".join(page.extract_text() for page in pdf.pages)
    assert text.count("protected_person") == sum(number % 3 for number in range(300))


def test_without_anything_withheld_the_papers_say_so() -> None:
    found = entries(built([part(0)]))
    assert json.loads(found["exemption-log.json"]) == []
    for name in ("letter.pdf", "exemption-log.pdf"):
        pdf = pypdf.PdfReader(io.BytesIO(found[name]))
        assert "Nothing is withheld" in pdf.pages[0].extract_text()


# ---------------------------------------------------------------- spreadsheets


@pytest.mark.parametrize(
    "text",
    [
        "=HYPERLINK(1)",
        "+1",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1",
        "\u00a0=1",
        "\uff1d1",
    ],
)
def test_no_text_of_a_record_runs_as_a_formula(text: str) -> None:
    found = entries(built([part(0, fields={"description": text})]))
    (line,) = csv.DictReader(io.StringIO(found["data/records.csv"].decode(), newline=""))
    assert line["fields.description"] == f"'{text}"
    one = json.loads(found["data/records/record-0.json"])
    assert one["fields"]["description"] == text


def test_numbers_stay_numbers_and_other_values_are_json() -> None:
    values: list[tuple[object, str]] = [
        (None, ""),
        (-80.25, "-80.25"),
        (True, "true"),
        (["=1"], '["=1"]'),
        ("plain", "plain"),
        ("", ""),
    ]
    assert [cell(value) for value, _ in values] == [shown for _, shown in values]


# ---------------------------------------------------------------- marks and rows


def test_marks_and_rows_must_agree_in_every_field() -> None:
    good = part(2).rendering
    assert marks_agree(good)
    fields = dict(good.fields)
    for changed in (
        {"fields": {"description": fields["description"].replace(MARK, "", 1)}},
        {"fields": fields | {"comments": MARK}},
        {"withheld": good.withheld[:1]},
        {"withheld": (good.withheld[0], good.withheld[1].model_copy(update={"citation": "x"}))},
        {"withheld": (good.withheld[0], good.withheld[1].model_copy(update={"field": "phone"}))},
    ):
        assert not marks_agree(good.model_copy(update=changed))


def test_what_was_sealed_is_read_as_it_was() -> None:
    one = part(2)
    assert RecordPart.read(one.sealed_form()) == one
    kept, plain = one.collected("carla", datetime(2026, 3, 1, tzinfo=UTC))
    assert (kept.sha256, kept.size) == (sha256(plain).hexdigest(), len(plain))
    assert kept.decided_at == datetime(2026, 2, 27, 15, 30, tzinfo=UTC)


def test_a_letter_with_an_unknown_place_or_without_a_language_is_refused() -> None:
    letter = load_release_letter()
    assert not list(letter_problems(letter))
    words = letter.texts["en"].model_copy(update={"partial": "Dear $name"})
    without = {name: text for name, text in letter.texts.items() if name != "ht"}
    for texts in ({**letter.texts, "en": words}, without):
        assert list(letter_problems(letter.model_copy(update={"texts": texts})))
    assert list(letter_problems(ReleaseLetter(**{**dict(letter), "organization": "a\nb"})))
