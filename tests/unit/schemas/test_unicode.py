"""Normal forms are those of the standard library, but for rows of marks that no language has."""

import unicodedata
from pathlib import Path
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


def test_every_text_of_the_project_takes_this_way() -> None:
    root = Path(__file__).parents[3]
    sources = [path for part in ("libs", "services") for path in (root / part).rglob("*.py")]
    found = {path.name for path in sources if "unicodedata.normalize(" in path.read_text()}
    # `fold.py` folds single characters.
    assert found == {"unicode.py", "fold.py"}
