"""Notices after a breach: they say what section 501.171, F.S., wants, and name nobody."""

from datetime import date
from pathlib import Path

import pytest
import yaml

from direct311.runtime.access.breach_letters import (
    LETTER_LANGUAGES,
    BreachDays,
    BreachNumbers,
    load_breach_letters,
    to_authority,
    to_person,
)
from direct311.runtime.access.rules import load_access_policy
from direct311.runtime.datafile import DataFileError, packaged
from direct311.runtime.errors import RefusedError

LETTERS = load_breach_letters()
DAYS = BreachDays(date(2026, 11, 20), date(2026, 11, 22))


def said(*fields: str, language: str = "en") -> str:
    title, paragraphs = to_person(LETTERS, DAYS, "record-1", fields, language)  # type: ignore[arg-type]
    return "\n".join((title, *paragraphs))


@pytest.mark.parametrize("language", LETTER_LANGUAGES)
def test_a_letter_says_when_what_and_whom_to_ask(language: str) -> None:
    text = said("first_name", "phone", "email", language=language)
    for each in ("record-1", "2026-11-20", "2026-11-22", LETTERS.contact):
        assert each in text
    assert "$" not in text


def test_each_kind_is_named_once_and_what_no_kind_has_is_other_information() -> None:
    assert "your name; how to reach you." in said("first_name", "last_name", "phone", "email")
    assert "other information" not in said("phone")
    assert "how to reach you; other information" in said("phone", "case_letter")
    assert "The information was: other information in the request." in said()


def test_every_sealed_field_of_a_request_has_a_kind() -> None:
    known = {field for each in LETTERS.kinds for field in each.fields}
    fields = {each.field for each in load_access_policy().rules.fields}
    assert known <= fields
    contact = {each.field for each in load_access_policy().rules.fields if each.contact}
    assert {each for each in contact if not each.startswith("case_")} <= known


def test_an_authority_is_told_the_numbers_and_the_last_day() -> None:
    numbers = BreachNumbers(1_200, 1_300, 1_500, "A token was stolen.", date(2026, 12, 22))
    for to, extra in (("legal_affairs", "A token was stolen."), ("credit_bureaus", "1,200")):
        title, paragraphs = to_authority(LETTERS, DAYS, to, numbers)  # type: ignore[arg-type]
        text = "\n".join((title, *paragraphs))
        for each in (extra, "1,200", "1,300", "2026-11-20", "2026-12-22", LETTERS.contact):
            assert each in text


def test_words_that_counsel_has_not_confirmed_are_for_the_local_stack_only() -> None:
    assert not LETTERS.confirmed
    LETTERS.check_usable(local=True)
    with pytest.raises(RefusedError) as refused:
        LETTERS.check_usable(local=False)
    assert refused.value.code == "unconfirmed_letter"


@pytest.mark.parametrize(
    ("where", "paragraph"),
    [
        (("individuals", "en"), "Dear $name, your $kinds of $record: $began $ended $contact"),
        (("individuals", "es"), "$record $began $ended $contact"),
        (("authorities", "legal_affairs"), "About $record"),
    ],
)
def test_a_place_for_a_name_and_a_letter_without_what_the_law_wants_do_not_load(
    tmp_path: Path, where: tuple[str, str], paragraph: str
) -> None:
    content = yaml.safe_load(packaged("direct311.runtime", "breach_letter.yaml").read_bytes())
    content[where[0]][where[1]]["paragraphs"] = [paragraph]
    path = tmp_path / "breach_letter.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(DataFileError):
        load_breach_letters(path)
