"""What is wrong is said in the names of the API that was called, and every code has its words."""

from pathlib import Path
from typing import get_args

import pytest

from direct311.intake.open311.wire.problems import NAMING as GEOREPORT
from direct311.intake.submission.api.naming import WORDS, Naming
from direct311.intake.submission.api.orders import NAMING as APP
from direct311.intake.submission.domain.wrong import Code, Field, Wrong
from direct311.intake.uploads import handlers as uploads

CODES: tuple[Code, ...] = get_args(Code)
PAGE = Path(__file__).parents[4] / "docs" / "app-developers.md"
ONLY_OF_FORMS = {"answer_name", "file_too_large", "key_form", "not_a_file", "web_address"}
OF_FILES = (
    uploads.UNKNOWN,
    uploads.EXPIRED,
    uploads.USED,
    uploads.NOT_UPLOADED,
    uploads.OTHER_BYTES,
)


def test_every_code_has_words() -> None:
    assert set(WORDS) == set(CODES)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize(
    ("naming", "names"),
    [
        (GEOREPORT, ("attribute[SIZE]", "attribute[KIND]")),
        (APP, ("attributes.SIZE", "attributes.KIND")),
    ],
)
def test_the_names_are_those_of_the_api(code: Code, naming: Naming, names: tuple[str, str]) -> None:
    field, other = Field("answers", "SIZE"), Field("answers", "KIND")
    # A key of the county's catalogue may hold anything.
    wrong = Wrong(code, field, 7, other, ("a{field}",))
    said = naming.said(wrong)
    assert naming.of(field) == names[0]
    assert "latitude" not in said
    for placeholder, name in (("{field}", names[0]), ("{other}", names[1])):
        words = naming.words.get(code) or WORDS[code]
        assert (name in said) == (placeholder in words)
    if "{values}" in WORDS[code]:
        assert "a{field}" in said


OF_CORRECTIONS = {"number_not_kept"}


@pytest.mark.parametrize(
    "code",
    sorted({*CODES, *(code for code, _ in OF_FILES), *OF_CORRECTIONS} - ONLY_OF_FORMS),
)
def test_the_page_for_app_developers_lists_the_code(code: str) -> None:
    assert f"`{code}`" in PAGE.read_text("utf-8")
