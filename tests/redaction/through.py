"""The texts of real rows, and of the labelled set, as submissions: which row says what."""

import csv
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from direct311.cli import rows
from direct311.redaction import mask_numbers, redact
from direct311.runtime.text import cleaned
from tests.redaction.measure import Sentence, read
from tests.support.real_data import REAL_DATA

COUNTY = "miami_dade_311_2013_2018.csv"
NEW_YORK = "nyc_311_20191231_1000.csv"
Source = Literal["county", "new-york", "labelled"]

NEW_YORK_TYPES = (
    "ROAD-POTHOLE",
    "LIGHT-STREET",
    "ANI-STRAY-DOG",
    "WASTE-GARBAGE-COMPLAINT",
    "CODE-UPKEEP",
    "SIGN-OTHER",
    "TREE-PLANTING",
)
"""What New York's rows are submitted as: several departments, enforcement and a batch type too."""


@dataclass(frozen=True, slots=True)
class Told:
    """A row as it is submitted. `code`: the type's name by which the replay finds its code."""

    source: Source
    row: rows.Row

    @property
    def typed(self) -> str:
        """What may be sealed."""
        return mask_numbers(self.row.text)[0]

    @property
    def shown(self) -> str:
        """What may be stored in clear, and travel."""
        return redact(cleaned(self.typed, lines=True)).text

    @property
    def taken_out(self) -> Sequence[str]:
        """What the rules find, as it was typed."""
        text = self.row.text
        return [text[start:end] for start, end, _ in redact(text).spans]


def told() -> list[Told]:
    """The county's 3,500 rows, New York's 1,000 and the labelled sentences, in this order."""
    county = list(_county())
    places = [each for each in county if each.latitude and each.address]
    return [
        *(Told("county", row) for row in county),
        *(Told("new-york", row) for row in _new_york(places)),
        *(Told("labelled", row) for row in _labelled(read(), places)),
    ]


def codes(of_county: dict[str, str]) -> dict[str, str]:
    """The service codes by the name under which a row has its type."""
    return of_county | {code: code for code in NEW_YORK_TYPES}


def _county() -> Iterator[rows.Row]:
    """The county's rows have no free text: their words are the type, the unit, the channel and the
    place as the county writes it, with its point."""
    found = rows.read(REAL_DATA / "requests" / COUNTY)
    for row, all_of_it in zip(found, _table(COUNTY), strict=True):
        words = ". ".join(
            " ".join(all_of_it[name].split())
            for name in ("issue_type", "case_owner_description", "method_received", "location")
        )
        yield replace(row, text=words)


def _new_york(places: Sequence[rows.Row]) -> Iterator[rows.Row]:
    """New York's free text, each at a place of a county row."""
    for number, row in enumerate(_table(NEW_YORK)):
        words = (
            f"{row['complaint_type']}, {row['descriptor']} {row['descriptor_2']}",
            f"{row['location_type']} {row['landmark']}",
            f"{row['incident_address']} {row['city']}",
            row["resolution_description"],
        )
        yield replace(
            places[number % len(places)],
            ticket_id=f"new-york-{row['unique_key']}",
            issue_type=NEW_YORK_TYPES[number % len(NEW_YORK_TYPES)],
            text=". ".join(said for each in words if (said := " ".join(each.split()))),
        )


def _labelled(sentences: Sequence[Sentence], places: Sequence[rows.Row]) -> Iterator[rows.Row]:
    for number, sentence in enumerate(sentences):
        yield replace(
            places[number % len(places)],
            ticket_id=f"labelled-{number}",
            issue_type=NEW_YORK_TYPES[number % len(NEW_YORK_TYPES)],
            text=" ".join(sentence.text.split()),
        )


def _table(name: str) -> Iterator[dict[str, str]]:
    # One of the columns holds whole polygons in some exports.
    csv.field_size_limit(min(sys.maxsize, 1 << 24))
    with (REAL_DATA / "requests" / name).open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file)
