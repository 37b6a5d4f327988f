"""What the redaction rules promise, held to a labelled set; what they do not, measured."""

import csv
import itertools
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from direct311.redaction import MARKS, Kind, mask_numbers, redact
from tests.support.real_data import REAL_DATA, needs_real_data

DATA = Path(__file__).parent / "data"
CASES: list[dict[str, Any]] = yaml.safe_load((DATA / "cases.yaml").read_text())
RUNNING: list[dict[str, Any]] = yaml.safe_load((DATA / "running_names.yaml").read_text())
NUMBERS: tuple[Kind, ...] = ("card", "bank", "social_security")


def expected(case: dict[str, Any]) -> dict[Kind, list[str]]:
    gone: dict[Kind, list[str]] = case.get("gone", {})
    return gone


@pytest.mark.policy("P5")
@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case["text"])[:60])
def test_promised_forms_are_taken_out_and_the_rest_stays(case: dict[str, Any]) -> None:
    result = redact(case["text"])
    for kind, pieces in expected(case).items():
        assert result.kinds.get(kind, 0) >= 1, kind
        for piece in pieces:
            assert piece not in result.text
    for piece in case.get("stays", []):
        assert piece in result.text
    assert set(result.kinds) == set(expected(case))
    if not expected(case):
        assert result.text == case["text"]


@pytest.mark.policy("P5")
@pytest.mark.parametrize(
    "case",
    [case for case in CASES if set(expected(case)) & set(NUMBERS)],
    ids=lambda case: repr(case["text"])[:60],
)
def test_numbers_are_masked_before_anything_else(case: dict[str, Any]) -> None:
    masked, found = mask_numbers(case["text"])
    assert set(found) == set(expected(case)) & set(NUMBERS)
    for kind in found:
        assert MARKS[kind] in masked
        for piece in expected(case)[kind]:
            assert piece not in masked


def test_masking_leaves_everything_but_the_three_kinds_of_numbers() -> None:
    text = "My name is Maria Lopez, 305-555-0142, maria@example.com, I live at 123 NW 5 St."
    assert mask_numbers(text) == (text, {})


def test_recall_and_precision_of_the_labelled_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(CASES) >= 150
    wanted: Counter[Kind] = Counter()
    met: Counter[Kind] = Counter()
    finds: Counter[Kind] = Counter()
    right: Counter[Kind] = Counter()
    for case in CASES:
        result = redact(case["text"])
        for kind, pieces in expected(case).items():
            wanted[kind] += len(pieces)
            met[kind] += sum(piece not in result.text for piece in pieces)
        for kind, count in result.kinds.items():
            finds[kind] += count
            right[kind] += count if kind in expected(case) else 0
    with capsys.disabled():
        print(f"\nredaction: {len(CASES)} labelled cases")  # noqa: T201
        for kind in MARKS:
            recall, precision = met[kind] / wanted[kind], right[kind] / finds[kind]
            print(f"  {kind:16} recall {recall:7.1%}  precision {precision:7.1%}")  # noqa: T201
    assert met == wanted
    assert right == finds


STRONG_FORMS = [
    "my name is {}",
    "My full name is {}",
    "name: {}",
    "Name is {}",
    "this is {} calling",
    "This is {}, speaking",
    "me llamo {}",
    "Mi nombre es {}",
    "Nombre: {}",
    "le habla {}",
    "se llama {}",
    "non mwen se {}",
    "Non mwen: {}",
    "mwen rele {}",
    "M rele {}",
    "yo rele m {}",
    "Mrs. {}",
    "signed by Mr {}",
]
WEAK_FORMS = ["I am {}", "I'm {}", "Hello, this is {}", "soy {}", "Mwen se {}", "Se {} k ap pale"]
WHO = [
    "Ermengarde Blanchfleur",
    "Tobias van der Merwe",
    "Ludmila Cruz",
    "Ngozi Adichie-Okoro",
    "Xóchitl Íñiguez",
    "Jean-Baptiste Toussaint",
    "D'Angelo Washington",
    "Mei-Ling Wu",
    "Rosalba de los Santos",
    "Bob Rice",
    "Wisly Senatus",
    "Fritzner Jn-Baptiste",
    "Yoel Hdez",
    "Sol Rivera",
    "Angel Luis Ortiz Colon",
    "Dina St. Fleur",
    "K. Achterberg",
]
WHAT_FOLLOWS = [
    "",
    " and there is a pothole on NW 5 St",
    ", the light is out",
    ". Please fix it",
    " y hay un bache",
    " gen yon twou",
    " from Kendall",
    "; I need help",
    " at 305-555-0142",
    "\nTrash everywhere",
]


def survivors(text: str, name: str) -> set[str]:
    """Which words of a name are left in what redaction makes of a text."""
    left = set(re.findall(r"[^\W\d_]+", redact(text).text.lower()))
    return left & {word for word in re.findall(r"[^\W\d_]+", name.lower()) if len(word) > 2}


@pytest.mark.parametrize("form", STRONG_FORMS)
def test_a_strong_form_takes_any_name_in_any_case_before_anything(form: str) -> None:
    for name, tail in itertools.product(WHO, WHAT_FOLLOWS):
        for said in (form.format(name), form.format(name).lower(), form.format(name).upper()):
            assert not survivors(said + tail, name), said + tail


@pytest.mark.parametrize("form", WEAK_FORMS)
def test_a_weak_form_takes_any_name_with_a_capital(form: str) -> None:
    for name, tail in itertools.product(WHO, WHAT_FOLLOWS):
        assert not survivors(form.format(name) + tail, name), form.format(name) + tail


HOME_FORMS = [
    "I live at {}",
    "i live in {}",
    "My address is {}",
    "My home is at {}",
    "I reside at {}",
    "vivo en {}",
    "Mi dirección es {}",
    "mi casa queda en {}",
    "resido en {}",
    "mwen rete {}",
    "mwen rete nan {}",
    "adrès mwen se {}",
    "kay mwen nan {}",
    "my apartment is at {}",
]
WHERE = [
    "123 NW 5 St",
    "12345 SW 117th Avenue",
    "1 Brickell Ave Apt 1203",
    "900 NE 195 St #412",
    "77 E Flagler",
    "18 Palm Island",
    "4455 N Kendall Dr, Miami FL 33156",
    "22 calle Ocho",
]


@pytest.mark.parametrize("form", HOME_FORMS)
def test_a_form_takes_any_home_address(form: str) -> None:
    for where in WHERE:
        assert redact(form.format(where) + " and nobody comes").text == (
            form.format("[home address]") + " and nobody comes"
        )


def test_names_in_running_text_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(RUNNING) >= 60
    total = slipped = 0
    for case in RUNNING:
        left = redact(case["text"]).text
        total += len(case["names"])
        slipped += sum(name in left for name in case["names"])
    with capsys.disabled():
        print(  # noqa: T201
            f"\nredaction: {slipped} of {total} names in running text slip through"
            f" ({slipped / total:.0%} of {len(RUNNING)} sentences' names)"
        )
    assert 0 < slipped <= 10


@needs_real_data
def test_the_countys_own_addresses_and_types_stay_as_they_are() -> None:
    checked = 0
    for path in (
        "addresses/miami_dade_address_gazetteer_from_311.csv",
        "addresses/miami_dade_sr_addresses_2016.csv",
        "requests/miami_dade_311_2013_2018.csv",
    ):
        with (REAL_DATA / path).open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                for column, value in row.items():
                    if any(word in column for word in ("address", "issue", "location", "city")):
                        checked += 1
                        assert redact(value).text == value
    assert checked > 20_000


@pytest.mark.parametrize(
    "text",
    [
        "Questions: call 305-468-5900.",
        "Call (305) 468-5900 or 311",
        "Llame al +1 305 468 5900.",
        "tel 3054685900",
    ],
)
def test_a_public_number_stays_where_it_is_named(text: str) -> None:
    assert redact(text, frozenset({"3054685900"})).text == text
    assert "[telephone]" in redact(text).text


@pytest.mark.parametrize(
    "text",
    [
        "Call 305-468-5901.",
        "Call 305-468-5900 or Ana at 305-555-0142.",
        "305-468-5900 305-555-0142",
        "305-468-5900/305-555-0142",
        "call 305 468 5900 ext 305 555 0142",
        "call five five five 305-468-5900 or three oh five five five five oh one four two",
    ],
)
def test_no_other_number_stays_beside_a_public_one(text: str) -> None:
    left = redact(text, frozenset({"3054685900"})).text
    assert "[telephone]" in left
    assert "0142" not in left.replace("-", "").replace(" ", "")
    assert "5901" not in left
    assert "four two" not in left
