"""What may be in the fields that residents write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct311.intake.fields import WORDS, phone_wrong


@pytest.mark.parametrize(
    "number",
    [
        "555-0142",
        "3055550142",
        "305-555-0142",
        "(305) 555-0142",
        "305.555.0142",
        "305/555-0142",
        "305\u2013555\u20130142",
        "+1 (305) 555-0142",
        "+509 34 10 1234",
        "+123456789012345",
        "305-555-0142 x12",
        "305-555-0142 ext. 1234",
        "305-555-0142, ext 7",
        "305-555-0142 extensión 12",
        "305-555-0142 #12",
        "305-555-0142, anexo 12",
        "305-555-0142 ekst. 12",
    ],
)
def test_a_telephone_number_is_taken_as_it_is_usually_written(number: str) -> None:
    assert phone_wrong(number) is None


@pytest.mark.parametrize(
    "text",
    [
        "abc",
        "12",
        "911",
        "555-014",
        "+1234567890123456",
        "()-",
        "",
        "x12345678",
        "305-555-0142 after five",
        "zoraida@example.org",
        "305-555-0142 ext.",
        "ext. 3055550142",
    ],
)
def test_what_cannot_be_called_is_no_telephone_number(text: str) -> None:
    assert phone_wrong(text) == "phone_form"
    assert WORDS["phone_form"].format(field="phone") == (
        "phone must be a telephone number of 7 to 15 digits, "
        "such as 305-555-0142 or +1 305 555 0142 ext. 12"
    )


@given(st.text(max_size=60))
def test_what_is_wrong_never_repeats_what_was_sent(text: str) -> None:
    assert phone_wrong(text) in (None, "phone_form")
