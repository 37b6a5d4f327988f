"""The county's published request rows, as submissions."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from direct311.cli.reporters import reporter


class RowsError(Exception):
    """The file is not a county export; the message names what is missing."""


COLUMNS = ("ticket_id", "issue_type", "street_address", "city", "zip_code", "latitude", "longitude")


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `city` is the county's own label for the place."""

    ticket_id: str
    issue_type: str
    address: str
    city: str
    zip_code: str
    latitude: str
    longitude: str
    text: str


def read(path: Path) -> Iterator[Row]:
    """The rows of a county export, in order and unchanged: dirty values stay.

    :raises RowsError: the file does not exist, or columns are missing.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (table.fieldnames or ())]
            if missing:
                raise RowsError(f"{path.name} has no column {missing[0]}")
            for row in table:
                yield Row(
                    ticket_id=row["ticket_id"].strip(),
                    issue_type=row["issue_type"].strip(),
                    address=" ".join((row["street_address"] or "").split()),
                    city=(row["city"] or "").strip(),
                    zip_code=(row["zip_code"] or "").strip(),
                    latitude=(row["latitude"] or "").strip(),
                    longitude=(row["longitude"] or "").strip(),
                    text=" ".join((row.get("issue_description") or "").split()),
                )
    except OSError as error:
        raise RowsError(f"{path.name} cannot be read: {error.strerror}") from None


def form(row: Row, number: int, service_code: str) -> list[tuple[str, str]]:
    """The Open311 form of a row, with a fictional reporter. Empty fields are not sent."""
    person = reporter(number)
    fields = [
        ("jurisdiction_id", "miamidade"),
        ("service_code", service_code),
        ("client_request_id", f"replay:{row.ticket_id}"),
        ("lat", row.latitude),
        ("long", row.longitude),
        ("address_string", ", ".join(part for part in (row.address, row.zip_code) if part)),
        ("description", row.text),
        ("first_name", person.first_name),
        ("last_name", person.last_name),
        ("email", person.email),
        ("phone", person.phone),
    ]
    return [(name, value) for name, value in fields if value]


def label(city: str) -> str:
    """Normalizes a county label for a place, so that different spellings match:
    `CIty_of_Opa-Locka`, `Opa-locka`. Every label that means the county itself becomes
    `unincorporated`; empty stays empty.
    """
    words = re.sub(r"[^a-z]+", " ", city.lower()).split()
    if "unincorporated" in words or words == ["miami", "dade", "county"]:
        return "unincorporated"
    kept = [word for word in words if word not in ("city", "town", "village", "of")]
    return " ".join(kept)
