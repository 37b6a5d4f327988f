"""The cleaner of texts, reasons and references, and names of persons that must be different."""

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from direct311.runtime.access import reasons
from direct311.runtime.access.reasons import is_authority, is_reason, is_reference
from direct311.runtime.persons import different_persons, is_identifier, same_person
from direct311.runtime.text import cell, cleaned, visible

KEPT = [
    "Plain text, with signs: #1 (a) [b] & c/d; 50 % at 3:00!",
    "¿Dónde está el niño? ¡Aquí!",
    "Dlo a koule nan lari a, tè a mouye",
    "Đường Nguyễn Huệ",
    "שָׁלוֹם",
    "مَرْحَبًا",
    "می\u200cخواهم",  # noqa: RUF001
    "क्\u200dष",
    "ภาษาไทย น้ำ",
    "한국어",
    "日本語、中文",
    "👩\u200d🚒 🧑🏽\u200d🔧 ❤️\u200d🔥 🇺🇸 1️⃣",
]


@pytest.mark.parametrize("text", KEPT)
def test_letters_of_all_languages_and_emoji_stay(text: str) -> None:
    assert cleaned(text) == unicodedata.normalize("NFC", text)


@given(st.text(max_size=80), st.booleans())
def test_cleaning_twice_changes_nothing_and_nothing_unseen_is_left(text: str, lines: bool) -> None:
    once = cleaned(text, lines=lines)
    assert cleaned(once, lines=lines) == once
    for char in once:
        kind = unicodedata.category(char)
        assert kind not in ("Cc", "Cs", "Co", "Zl", "Zp") or (lines and char in "\n\t")
        assert kind != "Cf" or char in "\u200c\u200d"
        assert kind != "Zs" or char == " "


def test_latin_letters_are_all_composed_and_seen() -> None:
    latin = "".join(chr(code) for code in [*range(0xA1, 0xAD), *range(0xAE, 0x250)])
    assert cleaned(latin) == unicodedata.normalize("NFC", latin) == visible(latin)


def test_line_ends_and_tabs_stay_only_where_lines_are_meant() -> None:
    assert cleaned("a\r\nb\u2028c\td", lines=True) == "a\nb\nc\td"
    assert cleaned("a\r\nb\u2028c\td") == "a b c d"


def test_a_letter_carries_four_marks_and_no_more() -> None:
    assert len(cleaned("z" + "\u0317" * 60 + "y")) == 6
    assert cleaned("\u0301\u0301x") == "x"


@given(st.text(max_size=40))
def test_no_cell_begins_a_formula(text: str) -> None:
    seen = unicodedata.normalize("NFKC", visible(cell(text)))
    assert seen[:1] not in ("=", "+", "-", "@")


@pytest.mark.parametrize(
    "text",
    [
        "The case was dismissed.",
        "call back before the visit",
        "child in the flooded car",
        "niño perdido en la calle",
        "dlo koule nan lari a",
        "孩子在 被淹的汽车里面,快去",
    ],
)
def test_words_are_a_reason(text: str) -> None:
    assert is_reason(text)
    assert is_authority(text)


@pytest.mark.parametrize(
    "text",
    ["LETTER-7", "L-1", "Letter 12", "26-1 CA 01", "PR-2026-17", "section 119.07(1)(h), F.S."],
)
def test_what_has_a_number_is_a_reference(text: str) -> None:
    assert is_reference(text)
    assert is_authority(text)


def test_a_reference_is_kept_in_one_form() -> None:
    read = TypeAdapter(reasons.Reference).validate_python
    assert read(" WO\u2011\u200b7 ") == "WO-7"
    assert read("\uff37\uff2f\uff0d\uff17") == "WO-7"


@pytest.mark.parametrize(
    ("kind", "told"),
    [(reasons.Reason, "words"), (reasons.Reference, "digit"), (reasons.Authority, "section")],
)
def test_what_is_refused_is_told_what_would_be_right_and_not_shown(kind: Any, told: str) -> None:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(kind).validate_python("Wurzelgruber")
    (problem,) = refused.value.errors(include_input=False)
    assert problem["type"] in reasons.KINDS
    assert told in problem["msg"]
    assert "Wurzelgruber" not in problem["msg"]


def test_persons_of_other_names_are_different() -> None:
    assert not same_person("anna", "berta")
    assert not same_person("svc:audit", "svc:intake")
    assert not same_person("7f3a9c", "7f3a9d")
    assert different_persons(["anna", "ANNA", "\u200b", "berta"]) == ("anna", "berta")


@given(st.text(max_size=20), st.text(max_size=20))
def test_whether_two_are_one_does_not_depend_on_who_is_named_first(one: str, other: str) -> None:
    assert same_person(one, one)
    assert same_person(one, other) == same_person(other, one)


@pytest.mark.parametrize("sub", ["anna", "auth0|5f7c", "svc:geo", "josé", "a@b.example", "Ωμέγα"])
def test_a_subject_is_text_that_is_seen(sub: str) -> None:
    assert is_identifier(sub)


@pytest.mark.parametrize(
    "sub",
    ["", " ", "an na", "anna\u200b", "anna\n", "\u3164", "a\u2800", "a" * 256, 7, None, ["a"]],
)
def test_a_subject_has_no_blank_and_nothing_unseen(sub: object) -> None:
    assert not is_identifier(sub)
