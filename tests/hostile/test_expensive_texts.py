"""Somebody sends a text that takes long to read, so that nobody else is served meanwhile.

No test looks at a clock. What a reader does is counted, or what reaches the one step is looked at
whose time grows with the square of its length: combining marks are put in order by insertion.
"""

import random
import sys
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from direct311.geo.addresses.domain.folding import upper_ascii
from direct311.geo.addresses.domain.municipalities import fold
from direct311.geo.boundaries.adapters.shapes import ShapeBoundaries
from direct311.intake.catalogue.adapters import load_catalogue
from direct311.intake.catalogue.domain import emergency
from direct311.intake.fields import contact_wrong
from direct311.intake.indexes.adapters.keyed import (
    PersonReadings,
    normalise_email,
    normalise_name,
    person_words,
)
from direct311.intake.open311.wire.updates import read_comment
from direct311.redaction import mask_numbers, redact
from direct311.runtime.access.reasons import (
    as_reason,
    as_reference,
    is_authority,
    is_reason,
    is_reference,
)
from direct311.runtime.persons import is_identifier, same_person
from direct311.runtime.text import cell, cleaned, shows_all, visible
from direct311.schemas.events import Place
from tests.support.drafts import read_form, read_json
from tests.support.geo import resolver_of

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
LONG = 12_000
MOST_IN_A_ROW = 40
"""Marks in a row that may be put in order at once: UAX 15 has 30, and a letter before them may
bring some of its own."""
CATALOGUE = load_catalogue().content
MOST_STEPS = 300_000
MARKS = "\u0301\u0316"
DOG = "ANI-STRAY-DOG"
RESOLVER = resolver_of(lambda: ShapeBoundaries([], "nowhere"))
PERSONS = PersonReadings(person_words().content)


def mixed(*chars: str) -> str:
    return "".join(random.Random(311).choices(chars, k=LONG))


NASTY: Mapping[str, str] = {
    "marks of four classes": "a" + mixed(*"\u0315\u0300\u0327\u05b0"),
    "marks in falling order": "a" + "\u0315" * (LONG // 2) + "\u0327" * (LONG // 2),
    "marks that take turns": "a" + "\u0301\u0316" * (LONG // 2),
    "marks without a letter": mixed(*"\u0301\u0316"),
    "marks behind a line end": "a\n" + mixed(*"\u0301\u0316"),
    "marks after words": "A dog runs. " + mixed(*"\u0301\u0316") + " It is brown.",
    "many words with many marks": f"a{mixed(*MARKS)[:400]} " * 30,
    "marks apart by what shows nothing": "a" + "\u0301\u200b\u0316\u200b" * (LONG // 4),
    "marks apart by controls": "a" + "\u0301\x85\u0316\x9f" * (LONG // 4),
    "marks apart by joiners": "a" + "\u0301\u200d\u0316\u200d" * (LONG // 4),
    "marks apart by selectors": "a" + "\u0316\ufe0f\u0301\ufe0f" * (LONG // 4),
    "marks apart by tags": "a" + "\u0301\U000e0041\u0316\U000e007f" * (LONG // 4),
    "marks apart by surrogates' neighbors": "a" + "\u0301\ue000\u0316\uf8ff" * (LONG // 4),
    "marks that are two": "a" + mixed(*"\u0344\u0316"),
    "tibetan vowels that are two": "\u0f40" + mixed(*"\u0f73\u0f71\u0f75"),
    "half-width voice marks": "\uff76" + mixed(*"\uff9e\uff9f\u0316"),
    "hebrew points": "\u05d0" + mixed(*"\u05b0\u05b7\u05bc\u05c1"),
    "arabic vowels": "\u0628" + mixed(*"\u064b\u064c\u0651\u0670"),
    "thai vowels": "\u0e01" + mixed(*"\u0e38\u0e48\u0e3a"),
    "nuktas and viramas": "\u0915" + mixed(*"\u093c\u094d\u0951"),
    "musical marks": "\U0001d15f" + mixed(*"\U0001d165\U0001d16d\U0001d17b"),
    "kana marks": "\u304b" + mixed(*"\u3099\u302a\u302b"),
    "marks over a precomposed letter": "\u1ed9" + mixed(*"\u0301\u0316"),
    "marks over an emoji": "\U0001f600" + mixed(*"\u20dd\u0316\u0301"),
    "marks in an address": "6520 SW 112 AVE" + mixed(*"\u0301\u0316"),
    "marks in a mail address": "z" + mixed(*"\u0301\u0316") + "@example.org",
    "marks in a number": "305-555-0142" + mixed(*"\u0301\u0316"),
    "marks in a reference": "PR-2026-1" + mixed(*"\u0301\u0316"),
    "marks as entities": "8942&#x301;&#x316;" * 20 + "".join(["&#x301;&#x316;"] * 300),
}  # fmt: skip


def _form(text: str) -> object:
    pairs = [
        *(("jurisdiction_id", "miamidade"), ("service_code", DOG), ("lat", "25.77")),
        *(("long", "-80.2"), ("description", text), ("address_string", text)),
        *(("first_name", text), ("email", text), ("phone", text), ("attribute[WHERE]", text)),
    ]
    return read_form(pairs, CATALOGUE, AT)


def _json(text: str) -> object:
    given = {"service_code": DOG, "lat": 25.77, "long": -80.2, "description": text}
    return read_json({**given, "first_name": text}, CATALOGUE, AT)


def _comment(text: str) -> object:
    form = [
        *(("jurisdiction_id", "miamidade"), ("service_request_id", "r1"), ("update_id", "u1")),
        *(("status", "OPEN"), ("description", text)),
    ]
    return read_comment(form)


READERS: Mapping[str, Callable[[str], object]] = {
    "cleaned": cleaned,
    "cleaned lines": lambda text: cleaned(text, lines=True),
    "visible": visible,
    "shows all": shows_all,
    "cell": cell,
    "a reason": is_reason,
    "a reference": is_reference,
    "an authority": is_authority,
    "a reason as kept": as_reason,
    "a reference as kept": as_reference,
    "an identifier": is_identifier,
    "two persons": lambda text: same_person(text, "Zora"),
    "a form": _form,
    "json": _json,
    "a comment": _comment,
    "a contact field": lambda text: contact_wrong("first_name", text),
    "redaction": redact,
    "numbers": mask_numbers,
    "words of danger": emergency.plain,
    "a name": lambda text: PERSONS("name", text),
    "a mail address": lambda text: PERSONS("email", text),
    "a telephone": lambda text: PERSONS("phone", text),
    "a normal name": normalise_name,
    "a normal mail address": normalise_email,
    "a municipality": fold,
    "an address's letters": upper_ascii,
    # As an event may have it: nothing longer is one.
    "an address": lambda text: RESOLVER.read(Place(address=text[:2_000])),
}


def in_a_row(text: str) -> int:
    """Marks in the longest row of those that are put in order."""
    most = row = 0
    for char in text:
        parts = unicodedata.decomposition(char).split()
        first = next((chr(int(p, 16)) for p in parts if not p.startswith("<")), char)
        row = row + 1 if unicodedata.combining(first) else 0
        most = max(most, row)
    return most


@pytest.mark.parametrize("nasty", NASTY.values(), ids=NASTY)
def test_no_reader_puts_many_marks_in_order(nasty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[int] = []
    normalize = unicodedata.normalize

    def counted(form: Any, text: str) -> str:
        rows.append(in_a_row(text))
        # What would take long is not done.
        return normalize(form, text if rows[-1] <= MOST_IN_A_ROW else text[: LONG // 100])

    monkeypatch.setattr(unicodedata, "normalize", counted)
    dear = {}
    for name, read in READERS.items():
        rows.clear()
        read(nasty)
        if max(rows, default=0) > MOST_IN_A_ROW:
            dear[name] = max(rows)
    assert dear == {}


def test_marks_that_languages_need_stay() -> None:
    for text in (
        "\u1ec7", "e\u0323\u0302", "\u05e9\u05bc\u05c1\u05b8", "\u0e01\u0e38\u0e48",
        "\u0f56\u0f62\u0f92\u0fb1\u0f74\u0f56", "Ma\u00f1ana \u00e0 c\u00f4t\u00e9",
        "a\u0301" * 200,
    ):  # fmt: skip
        assert cleaned(text) == unicodedata.normalize("NFC", text)


def line(text: str, length: int = 300) -> str:
    return (text * (length // len(text) + 1))[:length]


LETTERS = "".join(random.Random(311).choices("ABCDEIOU", k=200))
NUMBERS = " ".join(str(random.Random(each).randrange(10, 99)) for each in range(33))
ADDRESSES: Mapping[str, str] = {
    "many houses and a long word": f"{NUMBERS} {LETTERS[:60]} {LETTERS[60:]}"[:300],
    "a house and a long word": f"1216 {LETTERS}",
    "two houses and a long word": f"12 1216 {LETTERS}",
    "long words": line(f"1216 {LETTERS[:40]} "),
    "words of nine letters": line("1216 ABCDEIOUA "),
    "houses alone": line("8942 "),
    "digits alone": line("8 "),
    "houses and commas": line("8942, "),
    "houses and words": line("12 a, "),
    "houses and streets": line("12 SW 142 AVE "),
    "houses and names": line("12 SAN MIGUEL AVE "),
    "houses with letters": line("1A1A "),
    "letters for digits": line("ZSBGOIL1 "),
    "street words with slips": line("8942 AVNEU STRET "),
    "signs": line("8 # "),
    "units": line("UNIT B 2 "),
    "units of houses": line("UNIT 8942 "),
    "cities": line("8942 SOUTH MIAMI "),
    "number words": line("ONE HUNDRED "),
    "crossings": line("1 & 2 "),
    "wide signs": line("\ufdfa1 "),
    "signs that are many letters": line("\u33af1 "),
    "entities": line("&#49;&nbsp;"),
    "one letter": f"1216 {line('A', 290)}",
    "points": line("25.7065, -80.3740 "),
}


def steps(read: Callable[[], object]) -> int:
    """Calls of functions, resumed generators included, of what a reader does."""
    count = 0

    def step(*_: object) -> None:
        nonlocal count
        count += 1

    before = sys.getprofile()
    sys.setprofile(step)
    try:
        read()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("written", ADDRESSES.values(), ids=ADDRESSES)
def test_an_address_takes_few_steps(written: str) -> None:
    """Some hundred thousand at most, which are some ten milliseconds; an honest one takes two
    thousand."""
    RESOLVER.read(Place(address="1216 San Miguel Ave"))
    assert steps(lambda: RESOLVER.read(Place(address=written))) < MOST_STEPS
