"""The content of real rows through the redaction: how much of each kind is found, and no text."""

import csv
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from direct311.redaction import MARKS, Redacted, mask_numbers, redact, redact_place
from tests.support.real_data import REAL_DATA, needs_real_data

pytestmark = needs_real_data

COUNTY = ("issue_type", "issue_description")
COUNTY_PLACE = ("street_address", "location")
NEW_YORK = (
    "complaint_type",
    "descriptor",
    "descriptor_2",
    "location_type",
    "resolution_description",
)
NEW_YORK_PLACE = ("incident_address", "cross_street_1", "intersection_street_1", "landmark")


def rows(name: str) -> Iterator[dict[str, str]]:
    # One of the columns holds whole polygons in some exports.
    csv.field_size_limit(min(sys.maxsize, 1 << 24))
    path: Path = REAL_DATA / "requests" / name
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def through(
    name: str, words: tuple[str, ...], places: tuple[str, ...]
) -> tuple[int, int, Counter[str], list[Redacted]]:
    """Rows, texts, finds by column's sort and kind, and what was made of each text."""
    total = texts = 0
    finds: Counter[str] = Counter()
    made: list[Redacted] = []
    for row in rows(name):
        total += 1
        for sort, columns, read in (("text", words, redact), ("place", places, redact_place)):
            for column in columns:
                text = (row.get(column) or "").strip()
                if not text:
                    continue
                texts += 1
                found = read(text)
                finds.update({f"{sort}:{kind}": n for kind, n in found.kinds.items()})
                made.append(found)
    return total, texts, finds, made


@pytest.mark.parametrize(
    ("name", "words", "places", "most"),
    [
        ("miami_dade_311_2013_2018.csv", COUNTY, COUNTY_PLACE, 3500),
        ("nyc_311_20191231_1000.csv", NEW_YORK, NEW_YORK_PLACE, 1000),
    ],
    ids=["county", "new-york"],
)
def test_all_rows_go_through_and_the_finds_are_counted(
    name: str,
    words: tuple[str, ...],
    places: tuple[str, ...],
    most: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    total, texts, finds, made = through(name, words, places)
    assert total == most
    assert texts > total
    with capsys.disabled():
        figures = json.dumps(dict(sorted(finds.items())))
        print(f"\n{name}: {total} rows, {texts} texts, found {figures}")  # noqa: T201
    # Nothing is found twice, and a place is a place: it stays.
    for each in made:
        assert redact_place(each.text).text == each.text
        assert not mask_numbers(each.text)[1]
    for kind in MARKS:
        assert finds[f"place:{kind}"] == 0, kind
    # Types, descriptors and the agencies' sentences name nobody; New York's tell whom to call.
    found = {each for each in finds if finds[each]}
    assert found <= ({"text:telephone"} if name.startswith("nyc") else set())
