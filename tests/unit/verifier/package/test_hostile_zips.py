"""Zips that want to break or deceive the program that reads them."""

import io
import struct
import time
import tracemalloc
import zipfile
import zlib

import pytest

from direct311.verifier.package.archive import MAX_RATIO, Archive, ArchiveError
from direct311.verifier.package.check import verify_package
from direct311.verifier.report import Fault
from tests.support import packages
from tests.support.packages import bagged, contents, zipped


def refused(data: bytes) -> str:
    """What is said of the zip; nothing of it is unpacked."""
    report = verify_package(io.BytesIO(data), [packages.SIGNER.key])
    assert [finding.fault for finding in report.findings] == [Fault.ARCHIVE]
    assert "nothing else was checked" in report.text
    return str(report.findings[0])


@pytest.mark.parametrize(
    "name",
    [
        "../letter.pdf",
        "data/../../x",
        "data/./x",
        "/etc/passwd",
        "C:/x",
        "c:x",
        "data\\x",
        "data//x",
        "data/",
        "",
        ".hidden",
        "data/x\0.pdf",
        "data/x\n",
        "data/é",
        "~/x",
        "a" * 256,
    ],
)
def test_a_name_that_means_something_to_a_file_system_is_refused(name: str) -> None:
    files = {**bagged(contents()), name: b"x"}
    assert "it has a name that no file of a package has" in refused(zipped(files))


@pytest.mark.parametrize("mode", [0o120777, 0o120644, 0o040755, 0o100755, 0o104644, 0o060644])
def test_links_folders_and_programs_are_refused(mode: int) -> None:
    assert "it is not an ordinary file" in refused(zipped(bagged(contents()), mode))


def test_a_name_that_appears_twice_is_refused() -> None:
    pairs = [*bagged(contents()).items(), ("letter.pdf", b"another")]
    assert "a name appears twice" in refused(zipped(sorted(pairs, key=lambda pair: pair[0])))


def test_entries_out_of_their_order_are_refused() -> None:
    pairs = sorted(bagged(contents()).items(), reverse=True)
    assert "the names are not in their order" in refused(zipped(pairs))


def test_bytes_before_between_and_after_the_entries_are_refused() -> None:
    data = packages.package()
    start = zipfile.ZipFile(io.BytesIO(data)).start_dir
    for hidden in (b"x" + data, data + b"x", data[:start] + b"x" + data[start:]):
        refused(hidden)


def test_a_comment_at_the_end_is_refused() -> None:
    data = packages.package()
    assert "zip end record" in refused(data[:-2] + struct.pack("<H", 1) + b"x")


def test_two_directories_are_refused() -> None:
    """A second whole zip behind the first, which other programs would read."""
    assert refused(packages.package() + packages.package())


def test_a_hundred_thousand_entries_are_refused_at_once() -> None:
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w") as write:
        for number in range(100_000):
            write.writestr(zipfile.ZipInfo(f"data/{number:06}"), b"")
    started = time.process_time()
    assert "zip end record" in refused(stored.getvalue())
    assert time.process_time() - started < 0.5


def test_more_entries_than_a_package_has_are_refused() -> None:
    files = {f"data/{number:06}": b"" for number in range(20_001)}
    assert "more than 20,000 entries" in refused(zipped(files))


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    zeros = bytes(64 << 20)
    data = zipped(bagged(contents()) | {"data/zeros": zeros})
    assert len(data) * MAX_RATIO < len(zeros)
    tracemalloc.start()
    try:
        assert "it would unpack to too many bytes" in refused(data)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_a_bomb_that_says_it_is_small_is_stopped_where_it_says_its_end_is() -> None:
    """Both heads lie about the size."""
    zeros = bytes(8 << 20)
    data = zipped({"data/zeros": zeros})
    small = data.replace(struct.pack("<I", len(zeros)), struct.pack("<I", 1_000))
    pieces = Archive(io.BytesIO(small)).pieces("data/zeros")
    with pytest.raises(ArchiveError, match="more than the directory says"):
        next(pieces)


def test_entries_that_share_their_bytes_are_refused() -> None:
    """The bomb of overlapping entries: each row of the directory leads to the same bytes."""
    content = b"x" * 1_000
    packed = packages.deflated(content)
    middle = struct.pack(
        "<5H3I2H", 20, 0, 8, 0, 33, zlib.crc32(content), len(packed), len(content), 6, 0
    )
    body = b"PK\3\4" + middle + b"data/0" + packed
    rows = b"".join(
        b"PK\1\2"
        + struct.pack("<H", 3 << 8 | 20)
        + middle
        + struct.pack("<3H2I", 0, 0, 0, 0o100644 << 16, 0)
        + f"data/{number}".encode()
        for number in range(9)
    )
    end = struct.pack("<4H2IH", 0, 0, 9, 9, len(rows), len(body), 0)
    assert "does not begin where the entry before ends" in refused(body + rows + b"PK\5\6" + end)


def test_a_name_in_the_entrys_own_head_that_differs_is_refused() -> None:
    data = packages.package()
    other = data.replace(b"letter.pdf", b"better.pdf", 1)
    assert "its own head differs from the directory" in refused(other)


def test_a_directory_that_is_longer_or_shorter_than_its_entries_is_refused() -> None:
    data = packages.package()
    for count in (0, 1, 13, 15, 500, 0xFFFF):
        number = struct.pack("<H", count)
        refused(data[:-14] + number + number + data[-10:])


def test_files_that_are_no_zips_are_refused() -> None:
    for data in (b"", b"PK", b"x" * 21, b"x" * 22, b"PK\5\6" + bytes(17), b"%PDF-1.4\n" * 1_000):
        refused(data)
    assert "names" not in refused(b"PK\5\6" + bytes(17) + b"x")


def test_each_beginning_of_a_package_is_refused() -> None:
    data = packages.package()
    for length in range(len(data)):
        refused(data[:length])


def test_an_empty_zip_lacks_every_file() -> None:
    report = verify_package(io.BytesIO(b"PK\5\6" + bytes(18)), [packages.SIGNER.key])
    assert {finding.fault for finding in report.findings} == {Fault.MISSING}


def test_a_large_file_of_a_package_is_checked_in_little_memory() -> None:
    content = b"".join(
        zlib.crc32(number.to_bytes(4, "big")).to_bytes(4, "big") for number in range(1 << 21)
    )
    name = packages.file_name("sound", "wav")
    told = [packages.out("sound", "original", "wav", content)]
    data = io.BytesIO(zipped(bagged(packages.with_files(told, [], {name: content}))))
    tracemalloc.start()
    try:
        report = verify_package(data, [packages.SIGNER.key])
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()
    assert report.findings == ()
