"""The files of a package against what its records and its exemption log say of them."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from direct311.verifier.package.check import verify_package
from tests.support import packages
from tests.support.packages import (
    LAMP,
    PHOTO,
    SOUND,
    bagged,
    file_name,
    file_rows,
    out,
    with_files,
    zipped,
)

pytestmark = pytest.mark.policy("P13")
JPG, WAV = file_name("photo", "jpg"), file_name("sound", "wav")
FILES = {JPG: PHOTO, WAV: SOUND}
BURNT, HEARD = out("photo", "redacted", "jpg", PHOTO), out("sound", "original", "wav", SOUND)
GONE, OLD = {"media_id": "video", "outcome": "withheld"}, {"media_id": "old", "outcome": "not_kept"}
IN_RECORD = f"data/records/{LAMP}.json"


def found(files: Mapping[str, bytes]) -> list[str]:
    report = verify_package(io.BytesIO(zipped(bagged(files))), [packages.SIGNER.key])
    return [str(each) for each in report.findings]


def test_a_package_with_files_is_good_and_says_how_many() -> None:
    report = verify_package(io.BytesIO(zipped(bagged(with_files()))), [packages.SIGNER.key])
    assert report.ok
    assert "2 files" in report.text


def test_one_changed_byte_of_a_file_is_found_in_that_file() -> None:
    files = bagged(with_files())
    for name in (JPG, WAV):
        for at in range(len(files[name])):
            content = bytearray(files[name])
            content[at] ^= 1
            data = zipped(files | {name: bytes(content)})
            report = verify_package(io.BytesIO(data), [packages.SIGNER.key])
            assert {each.where.partition(", ")[0] for each in report.findings} == {name}


CASES: dict[str, tuple[Sequence[Any], Sequence[Any], Mapping[str, bytes], str]] = {
    "withheld_and_there": (
        [BURNT, HEARD, GONE],
        file_rows(),
        FILES | {file_name("video", "mp4"): b"leak"},
        f"{IN_RECORD}, file video: it does not go out, but is in the package",
    ),
    "burnt_and_not_there": (
        [BURNT, HEARD, GONE],
        file_rows(),
        {WAV: SOUND},
        f"{IN_RECORD}, file photo: the package does not have it under this name",
    ),
    "box_without_a_file": (
        [HEARD, GONE],
        file_rows(),
        {WAV: SOUND},
        "exemption-log.json, row 5: a box was burnt into a file that is not there",
    ),
    "box_without_a_row": (
        [BURNT, HEARD, GONE],
        file_rows()[2:],
        FILES,
        f"{IN_RECORD}, file photo: boxes were burnt in, and exemption-log.json has no row",
    ),
    "row_for_what_went_out_as_it_came": (
        [{**BURNT, "outcome": "original"}, HEARD, GONE],
        file_rows(),
        FILES,
        "exemption-log.json, row 5: its record does not say that boxes were burnt in",
    ),
    "withheld_without_a_row": (
        [BURNT, HEARD, GONE],
        file_rows()[:2],
        FILES,
        f"{IN_RECORD}, file video: it is withheld, and exemption-log.json has no row for it",
    ),
    "row_for_a_file_that_no_record_has": (
        [BURNT, HEARD],
        file_rows(),
        FILES,
        "exemption-log.json, row 7: its record does not say that the file is withheld",
    ),
    "file_that_no_record_has": (
        [BURNT, GONE],
        file_rows(),
        FILES,
        f"{WAV}: its record does not say that it goes out",
    ),
    "file_of_no_record": (
        [BURNT, HEARD, GONE],
        file_rows(),
        FILES | {"data/media/loose.txt": b"x"},
        "data/media/loose.txt: it is not a file of a record",
    ),
    "file_twice": (
        [BURNT, HEARD, GONE],
        file_rows(),
        FILES | {file_name("photo", "png"): b"x"},
        f"{file_name('photo', 'png')}: the file is there twice",
    ),
    "another_file": (
        [{**BURNT, "sha256": HEARD["sha256"]}, HEARD, GONE],
        file_rows(),
        FILES,
        f"{IN_RECORD}, file photo: the file in the package is another one",
    ),
    "same_row_twice": (
        [BURNT, HEARD, GONE],
        [*file_rows(), file_rows()[2]],
        FILES,
        "exemption-log.json, row 9: its item has a row already",
    ),
    "row_of_no_form": (
        [BURNT, HEARD, GONE],
        [{**file_rows()[0], "item": "file:photo:p1"}, *file_rows()[1:]],
        FILES,
        "exemption-log.json, row 5: its item is not one of a file",
    ),
    "files_of_no_form": (
        [{"media_id": "photo", "outcome": "sold"}],
        [],
        {},
        f"{IN_RECORD}, files: not files and what became of them",
    ),
    "said_twice": (
        [BURNT, HEARD, GONE, {**OLD, "media_id": "sound"}],
        file_rows(),
        FILES,
        f"{IN_RECORD}, file sound: the record says twice what became of it",
    ),
    "mark_in_a_files_words": (
        [BURNT, HEARD, GONE, {**OLD, "reason": "[■ 119.07]"}],
        file_rows(),
        FILES,
        f"{IN_RECORD}, files: a mark outside the fields",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_files_records_and_log_that_do_not_belong_to_each_other_are_found(case: str) -> None:
    told, rows, files, says = CASES[case]
    lines = found(with_files(told, rows, files))
    assert any(each.startswith(says) for each in lines), lines
