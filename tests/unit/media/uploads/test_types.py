"""Which files are taken, and what they may call themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct311.media.record import RejectionReason
from direct311.media.uploads.domain import ACCEPTED, CLEANABLE, Kind, canonical, verify_type


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("image/JPG; charset=binary", "image/jpeg"),
        ("image/heif", "image/heic"),
        (" audio/x-m4a ", "audio/mp4"),
        ("video/mp4", "video/mp4"),
    ],
)
def test_a_media_type_has_one_name(name: str, expected: str) -> None:
    assert canonical(name) == expected


@given(st.text(max_size=40))
def test_a_canonical_name_stays_what_it_is(text: str) -> None:
    assert canonical(canonical(text)) == canonical(text)


@pytest.mark.parametrize("declared", ["image/heic", "image/jpeg", "image/anything", "", "image/*"])
def test_a_picture_may_be_announced_as_any_picture(declared: str) -> None:
    assert verify_type("image/heic", declared) == "image/heic"


@pytest.mark.parametrize(
    ("sniffed", "declared"),
    [
        ("application/pdf", "image/jpeg"),
        ("image/jpeg", "application/pdf"),
        ("image/jpeg", "application/x-msdownload"),
        ("video/mp4", "image/jpeg"),
        ("text/plain", "image/png"),
    ],
)
def test_another_kind_than_announced_is_refused(sniffed: str, declared: str) -> None:
    assert verify_type(sniffed, declared) is RejectionReason.TYPE_MISMATCH


def test_a_sound_recording_in_a_video_container_is_taken() -> None:
    assert verify_type("video/mp4", "audio/mp4") == "video/mp4"


@pytest.mark.parametrize(
    "sniffed",
    [
        "application/x-dosexec",
        "application/x-executable",
        "text/x-shellscript",
        "text/html",
        "image/svg+xml",
        "application/zip",
        "application/java-archive",
        "application/octet-stream",
        "",
    ],
)
def test_programs_scripts_and_unknown_files_are_refused(sniffed: str) -> None:
    assert verify_type(sniffed, sniffed) is RejectionReason.UNSUPPORTED_TYPE


def test_only_pictures_are_cleaned_and_every_kind_of_the_policy_is_taken() -> None:
    assert {ACCEPTED[name] for name in CLEANABLE} == {Kind.PICTURE}
    assert set(ACCEPTED.values()) == set(Kind)
