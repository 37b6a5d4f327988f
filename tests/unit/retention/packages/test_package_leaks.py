"""A finished package with something in it that was withheld is stopped, wherever that is."""

import csv
import io
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Sequence
from hashlib import sha256

import pikepdf
import pytest

from direct311.redaction.leaks import WithheldValue, fingerprints
from direct311.retention.packages.leaks import FoundLeak, extracted, leaks_in
from direct311.runtime.extraction import archives
from tests.support.leaks import MARK, MadeRecord, made_records, planted

KEY = os.urandom(32)
NAME = WithheldValue("r-1", "name", "Zora Neale")
PHONE = WithheldValue("r-1", "telephone", "305-555-0142")


def zipped(**entries: bytes | str) -> bytes:
    return zipped_of(
        {name.replace("__", "/").replace("_dot_", "."): each for name, each in entries.items()}
    )


def zipped_of(entries: dict[str, bytes | str]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(entries.items()):
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return made.getvalue()


def pdf(text: str = "", *, title: str = "", note: str = "", attached: bytes = b"") -> bytes:
    """A document of one page."""
    document = pikepdf.new()
    page = document.add_blank_page()
    font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1)
    font.BaseFont = pikepdf.Name.Helvetica
    page.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font))
    shown = "".join(f"({each}) -20 " for each in text)
    content = f"BT /F1 12 Tf 72 700 Td [{shown}] TJ ET"
    page.Contents = document.make_stream(content.encode("latin-1"))
    if title:
        document.docinfo["/Title"] = title
    if note:
        page.Annots = pikepdf.Array(
            [
                document.make_indirect(
                    pikepdf.Dictionary(
                        Type=pikepdf.Name.Annot,
                        Subtype=pikepdf.Name.Text,
                        Rect=[0, 0, 9, 9],
                        Contents=note,
                    )
                )
            ]
        )
    if attached:
        spec = pikepdf.AttachedFileSpec(document, attached, filename="note.txt")
        document.attachments["note.txt"] = spec
    made = io.BytesIO()
    document.save(made)
    return made.getvalue()


def record_json(record_id: str, text: str) -> str:
    return json.dumps({"record_id": record_id, "fields": {"description": text}})


def package_of(records: Sequence[MadeRecord], **more: bytes | str) -> bytes:
    """A bag with these records, as a package is built."""
    rows = io.StringIO()
    names = sorted({name for each in records for name in each.fields})
    writer = csv.writer(rows)
    writer.writerow(["record_id", *names])
    entries: dict[str, bytes | str] = {"bagit.txt": "BagIt-Version: 1.0\n"}
    for each in records:
        writer.writerow([each.record_id, *(each.fields.get(name, "") for name in names)])
        entries[f"data/records/{each.record_id}.json"] = json.dumps(
            {"record_id": each.record_id, "fields": each.fields}
        )
    entries["data/records.csv"] = rows.getvalue()
    entries["letter.pdf"] = pdf("Your request was granted in part.")
    log = [
        {"record_id": each.record_id, "item": "phone", "decided_by": "carla"}
        for each in records
        if each.withheld
    ]
    entries["exemption-log.json"] = json.dumps(log)
    entries["manifest-sha256.txt"] = f"{os.urandom(32).hex()}  data/records.csv\n"
    return zipped_of(entries | more)


def found(package: bytes, *values: WithheldValue) -> Sequence[FoundLeak]:
    return leaks_in(io.BytesIO(package), KEY, fingerprints(KEY, values))


PLACES: dict[str, Callable[[str, str], dict[str, bytes | str]]] = {
    "json": lambda text, own: {f"data/records/{own}.json": record_json(own, f"x {text} y")},
    "json_in_json": lambda text, own: {
        f"data/records/{own}.json": record_json(own, json.dumps({"u1": {"note": text}}))
    },
    "csv": lambda text, own: {
        "data/records.csv": f'record_id,a\r\n{own},"{text.replace(chr(34), "")}"\r\n'
    },
    "letter": lambda text, own: {"letter.txt": f"Dear {text}"},
    "file_name": lambda text, own: {f"data/media/{text.replace('/', '-')}.txt": "-"},
    "title": lambda text, own: {"letter.pdf": pdf("x", title=text)},
    "annotation": lambda text, own: {"letter.pdf": pdf("x", note=text)},
    "attachment": lambda text, own: {"letter.pdf": pdf("x", attached=text.encode())},
    "zip_in_zip": lambda text, own: {f"data/media/{own}/a.zip": zipped(b_dot_txt=text)},
}


def test_each_of_a_hundred_planted_leaks_stops_its_package() -> None:
    missed = []
    for number, (value, text) in enumerate(planted(100)):
        place = list(PLACES)[number % len(PLACES)]
        hits = found(zipped_of(PLACES[place](text, value.record_id)), value)
        if value.kind not in {each.kind for each in hits}:
            missed.append((place, value.kind))
    assert missed == []


def test_at_most_two_of_two_hundred_clean_packages_are_stopped() -> None:
    stopped = []
    for seed in range(200):
        records = made_records(seed, 10)
        hits = found(package_of(records), *(value for each in records for value in each.withheld))
        if hits:
            stopped.append((seed, hits))
    assert len(stopped) <= 2, stopped


@pytest.mark.parametrize("text", ["Zora Neale", "ZORA", "Neale, Zora"], ids=str)
def test_text_that_a_page_shows_is_found(text: str) -> None:
    own = WithheldValue("r-1", "name", "Zora")
    package = zipped_of({"data/media/r-1/a.pdf": pdf(text)})
    (hit, *_) = found(package, NAME, own)
    assert (hit.record_id, hit.entry, hit.kind) == ("r-1", "data/media/r-1/a.pdf", "name")


def test_text_in_a_font_of_two_bytes_is_read_by_its_map() -> None:
    document = pikepdf.Pdf.open(io.BytesIO(pdf("x")))
    cmap = b"1 beginbfrange <0003> <001C> <0061> endbfrange 1 beginbfchar <0001> <0020> endbfchar"
    font = pikepdf.Dictionary(
        Type=pikepdf.Name.Font,
        Subtype=pikepdf.Name.Type0,
        Encoding=pikepdf.Name("/Identity-H"),
        ToUnicode=document.make_stream(cmap),
    )
    page = document.pages[0]
    page.Resources.Font.F2 = font
    codes = "".join(f"{1 if c == ' ' else ord(c) - ord('a') + 3:04x}" for c in "zora neale")
    page.Contents = document.make_stream(f"BT /F2 9 Tf <{codes}> Tj ET".encode())
    made = io.BytesIO()
    document.save(made)
    assert found(zipped_of({"letter.pdf": made.getvalue()}), NAME)
    # A font that does not say it stops the package.
    del font.ToUnicode
    page.Resources.Font.F2 = font
    made = io.BytesIO()
    document.save(made)
    (hit,) = found(zipped_of({"letter.pdf": made.getvalue()}), NAME)
    assert (hit.kind, hit.record_id) == ("not_extractable", None)


def test_what_an_earlier_version_of_a_pdf_had_is_found() -> None:
    packed = zlib.compress(b"BT (Zora Neale) Tj ET")
    older = b"\n9 0 obj << /Filter /FlateDecode >>\nstream\n" + packed + b"\nendstream\nendobj\n"
    assert found(zipped_of({"letter.pdf": pdf("x") + older}), NAME)
    assert found(zipped_of({"letter.pdf": pdf("x") + b"\n% 305 555 0142\n"}), PHONE)


def test_a_hit_says_where_and_never_what() -> None:
    package = zipped_of(
        {
            "data/media/ZoraNeale.txt": "-",
            "data/records/r-1.json": record_json("r-1", "Zora Neale, 305.555.0142; zora neale"),
        }
    )
    hits = found(package, NAME, PHONE)
    assert [(each.number, each.entry, each.kind) for each in hits] == [
        (1, None, "name"),
        (2, "data/records/r-1.json", "name"),
        (2, "data/records/r-1.json", "telephone"),
    ]
    assert {each.record_id for each in hits} == {"r-1"}
    assert not {"Zora", "Neale", "0142"} & set(repr(hits))
    assert "ora" not in repr(hits).lower().replace("record", "")


def test_a_short_value_is_looked_for_where_its_record_is() -> None:
    ann = WithheldValue("r-1", "name", "Ann")
    elsewhere = zipped_of(
        {
            "data/records/r-2.json": record_json("r-2", "Ann"),
            "data/records.csv": "record_id,a\r\nr-2,Ann\r\n",
            "exemption-log.json": json.dumps([{"record_id": "r-1", "decided_by": "Ann"}]),
        }
    )
    assert found(elsewhere, ann) == ()
    for entries in (
        {"data/records/r-1.json": record_json("r-1", "Ann")},
        {"data/records.csv": "record_id,a\r\nr-1,Ann\r\n"},
        {"data/all.json": json.dumps([{"record_id": "r-1", "a": ["Ann"]}])},
    ):
        assert found(zipped_of(dict(entries)), ann)


def test_a_sentence_that_two_people_wrote_is_no_leak_in_the_others_row_and_one_in_a_letter() -> (
    None
):
    sentence = "I have called many times and nobody came, which is dangerous for the children"
    withheld = WithheldValue("r-1", "text", f"{sentence} who walk to school past my house.")
    rows = f'record_id,a\r\nr-1,{MARK}\r\nr-2,"{sentence}"\r\n'
    listed = json.dumps([{"record_id": "r-2", "a": sentence}])
    assert found(zipped_of({"data/records.csv": rows, "data/all.json": listed}), withheld) == ()
    assert found(zipped_of({"letter.txt": f"Dear reader, {sentence}."}), withheld)
    assert found(
        zipped_of({"data/records.csv": rows.replace(MARK, sentence.replace(",", ""))}), withheld
    )


def _with_comment() -> bytes:
    made = io.BytesIO(zipped(a_dot_txt="x"))
    with zipfile.ZipFile(made, "a") as archive:
        archive.comment = b"Zora Neale"
    return made.getvalue()


def _encrypted() -> bytes:
    document, made = pikepdf.Pdf.open(io.BytesIO(pdf("x"))), io.BytesIO()
    document.save(made, encryption=pikepdf.Encryption(owner="o", user="u"))
    return made.getvalue()


@pytest.mark.parametrize(
    "package",
    [
        b"",
        b"no zip",
        b"Zora Neale" + zipped(a_dot_txt="x"),
        _with_comment(),
        zipped_of({"a.bin": b"\x00"}),
        zipped_of({"a.txt": b"\xff\xfe"}),
        zipped_of({"a.json": "{"}),
        zipped_of({"a.json": "[" * 100_000}),
        zipped_of({"a.csv": 'a,"b'}),
        zipped_of({"a.pdf": b"%PDF-1.7 broken"}),
        zipped_of({"a.pdf": _encrypted()}),
        zipped(a_dot_txt="x" * 1000)[:-80],
    ],
)
def test_what_cannot_be_extracted_stops_the_package(package: bytes) -> None:
    (hit,) = found(package, NAME)
    assert hit.kind == "not_extractable"
    assert hit.record_id is None


def test_an_entry_changed_after_packing_stops_the_package() -> None:
    package = bytearray(zipped_of({"a.txt": os.urandom(64).hex()}))
    package[50] ^= 1
    (hit,) = found(bytes(package), NAME)
    assert (hit.entry, hit.kind) == ("a.txt", "not_extractable")


def test_packages_inside_each_other_end_somewhere() -> None:
    package = zipped(a_dot_txt="x")
    for _ in range(8):
        package = zipped_of({"a.zip": package})
    (hit,) = found(package, NAME)
    assert hit.kind == "not_extractable"


def test_marks_are_no_leaks_and_all_of_an_entry_is_extracted() -> None:
    assert found(zipped_of({"a.txt": MARK * 3}), NAME, PHONE) == ()
    texts = [each.text for each in extracted("a.json", b'{"a": "b\\nc"}')]
    assert texts == ['{"a": "b\\nc"}', "a\nb\nc"]


def test_a_long_text_in_a_table_is_searched() -> None:
    long = f"record_id,a\r\nr-1,{'x ' * 100_000}Zora Neale\r\n"
    csv.field_size_limit(131_072)
    (hit,) = found(zipped_of({"data/records.csv": long}), NAME)
    assert (hit.record_id, hit.kind) == ("r-1", "name")


def test_a_found_entry_has_the_hash_of_its_bytes_unless_it_does_not_unpack(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def contents(package: bytes) -> list[str | None]:
        return [each.content for each in found(package, NAME)]

    (broken,) = contents(zipped_of({"a.csv": 'a,"b'}))
    assert broken == sha256(b'a.csv\0a,"b').hexdigest()
    assert contents(zipped_of({"b.csv": 'a,"b'})) != [broken]
    # Somebody can clear a file that is too large to search, by its hash.
    monkeypatch.setattr(archives, "LARGEST_ENTRY", 100)
    large = b"x" * 5_000_000
    assert contents(zipped_of({"a.txt": large})) == [sha256(b"a.txt\0" + large).hexdigest()]
    package = bytearray(zipped_of({"a.txt": os.urandom(64).hex()}))
    package[50] ^= 1
    assert contents(bytes(package)) == [None]
    assert contents(b"no zip") == [None]
