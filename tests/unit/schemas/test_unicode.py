"""Normal forms are those of the standard library, but for rows of marks that no language has."""

import unicodedata
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct311.schemas.unicode import MOST_MARKS, Form, normalized

FORMS: tuple[Form, ...] = get_args(Form)


@given(st.sampled_from(FORMS), st.text(max_size=MOST_MARKS))
def test_a_text_has_the_form_of_the_standard_library(form: Form, text: str) -> None:
    assert normalized(form, text) == unicodedata.normalize(form, text)


@pytest.mark.parametrize("form", FORMS)
def test_marks_beyond_thirty_in_a_row_are_dropped(form: Form) -> None:
    some = "a" + "\u0316" * MOST_MARKS
    more = "\u0316" * 9
    assert normalized(form, f"{some}{more}b\u0316") == f"{some}b\u0316"
    assert normalized(form, some * 2) == some * 2
