"""Documents of others are read in a process that may end over them, and retention goes on."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from direct311.retention.packages.leaks import NOT_EXTRACTABLE
from direct311.runtime.extraction import confined, documents
from direct311.runtime.extraction.documents import extracted_here
from direct311.runtime.extraction.pieces import NotExtractableError
from tests.support import pdfs
from tests.unit.retention.packages.test_package_leaks import NAME, found, pdf, zipped, zipped_of

ENTRY = "data/media/r-1/a.pdf"
HOSTILE: dict[str, Callable[[], bytes]] = {
    "locked": pdfs.locked,
    "cut_off": pdfs.cut_off,
    "packed_bomb": pdfs.packed_bomb,
    "thousandfold": pdfs.thousandfold,
    "no_pdf": lambda: b"%PDF-1.7 nothing at all",
}


def test_a_document_of_others_is_never_read_in_this_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def here(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(documents, "_pdf", here)
    (hit,) = found(zipped_of({ENTRY: pdf("Zora Neale")}), NAME)
    assert (hit.record_id, hit.entry, hit.kind) == ("r-1", ENTRY, "name")


def test_both_processes_extract_the_same() -> None:
    for name, content in (
        (ENTRY, pdf("Zora", title="Neale", note="x\N{BLACK SQUARE}y", attached=b"more")),
        ("data/media/r-1/a.docx", zipped(b_dot_txt="Zora")),
        ("data/media/r-1/a.csv", b"record_id,a\r\nr-2,b\r\n"),
    ):
        assert list(confined.extracted(name, content)) == list(extracted_here(name, content))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_document_stops_the_package_and_the_next_one_is_read(name: str) -> None:
    hits = found(
        zipped_of({ENTRY: HOSTILE[name](), "data/media/r-1/b.pdf": pdf("Zora Neale")}), NAME
    )
    said = {(each.entry, each.kind) for each in hits}
    assert ("data/media/r-1/b.pdf", "name") in said
    assert said <= {("data/media/r-1/b.pdf", "name"), (ENTRY, NOT_EXTRACTABLE)}
    if name != "thousandfold":
        assert (ENTRY, NOT_EXTRACTABLE) in said


def test_the_process_writes_no_file_and_has_no_environment() -> None:
    assert list(confined.extracted(ENTRY, pdf("x")))
    process = confined._EXTRACTOR._process
    assert process is not None
    with open(f"/proc/{process.pid}/limits") as limits:
        said = limits.read()
    assert any(line.split()[3:5] == ["0", "0"] for line in said.splitlines() if "file size" in line)
    with open(f"/proc/{process.pid}/status") as status:
        assert "NoNewPrivs:\t1" in status.read()
    with open(f"/proc/{process.pid}/environ", "rb") as environ:
        assert b"RETENTION" not in environ.read()


def test_a_process_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confined, "SECONDS", 0.0)
    with pytest.raises(NotExtractableError):
        list(confined.extracted(ENTRY, pdf("x") + os.urandom(1_000_000)))
    monkeypatch.undo()
    assert list(confined.extracted(ENTRY, pdf("x")))
