"""Addresses of known position, held in memory."""

import csv
from collections.abc import Iterable
from pathlib import Path

from direct311.geo.addresses.domain.gazetteer import KnownAddress
from direct311.geo.addresses.domain.lines import AddressReader, NormalisedAddress
from direct311.geo.addresses.domain.readings import Readings
from direct311.geo.addresses.domain.streets import KnownStreet, KnownStreets

# A hundred block is about 160 m long, and block corners may be on either side of it.
_BLOCK_ERROR_M = 150.0


class InMemoryGazetteer:
    """Implements `Gazetteer`. If an address has several positions, the last one given counts."""

    def __init__(self, known: Iterable[KnownAddress] = ()) -> None:
        self._exact = {address.canonical: address for address in known}
        self._blocks: dict[tuple[int, str], KnownAddress] = {}
        for address in self._exact.values():
            number, _, street = address.canonical.partition(" ")
            if number.isdigit():
                self._blocks[int(number) // 100, street] = address

    def __len__(self) -> int:
        return len(self._exact)

    def find(self, address: NormalisedAddress) -> KnownAddress | None:
        found = self._exact.get(address.canonical)
        if found is None and address.number is not None and address.street is not None:
            near = self._blocks.get((address.number // 100, address.street.line))
            if near is not None:
                found = KnownAddress(
                    near.canonical,
                    near.latitude,
                    near.longitude,
                    near.zip_code,
                    near.municipality,
                    _BLOCK_ERROR_M,
                )
        if found and address.zip_code and found.zip_code not in (None, address.zip_code):
            return None
        return found


def known_streets(
    known: Iterable[KnownAddress], named: Iterable[str], readings: Readings
) -> KnownStreets:
    """The named streets of known addresses, and those in the lines `named`."""
    lines: set[tuple[str, str | None, str | None]] = {(line, None, None) for line in named}
    for address in known:
        number, _, line = address.canonical.partition(" ")
        if number[:1].isdigit() and " & " not in line:
            lines.add((line, address.municipality, address.zip_code))
    return KnownStreets(
        KnownStreet(line, core, city, zip_code)
        for line, city, zip_code in lines
        for core in readings.cores(line)[:1]
        if not core.isdigit()
    )


def read_csv(path: Path, reader: AddressReader) -> Iterable[KnownAddress]:
    """The addresses of a CSV file with a column `street_address` or `full_address`, `latitude` and
    `longitude`, and perhaps `zip_code` and `city`. Rows without a position or an address are left
    out."""
    with path.open(encoding="utf-8-sig", newline="") as rows:
        for row in csv.DictReader(rows):
            address = reader.normalise(row.get("street_address") or row.get("full_address"))
            try:
                latitude, longitude = float(row["latitude"]), float(row["longitude"])
            except (KeyError, TypeError, ValueError):
                continue
            if not (address.canonical and -90 <= latitude <= 90 and -180 <= longitude <= 180):
                continue
            yield KnownAddress(
                canonical=address.canonical,
                latitude=latitude,
                longitude=longitude,
                zip_code=row.get("zip_code") or None,
                municipality=reader.gazette.canonical(row.get("city")),
            )
