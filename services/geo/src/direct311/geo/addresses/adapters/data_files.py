"""The files packaged with the service, or their replacements."""

from collections.abc import Iterable
from pathlib import Path

from direct311.geo.addresses.domain.grid import Curve, StreetGrids, rising
from direct311.geo.addresses.domain.lines import AddressReader, StreetWords
from direct311.geo.addresses.domain.municipalities import Gazette, MunicipalityNames, fold
from direct311.geo.addresses.domain.readings import Readings, ReadingWords
from direct311.runtime import datafile

_PACKAGE = "direct311.geo"


def gazette(replacement: Path | None = None) -> Gazette:
    """`aliases.yaml`; raises `DataFileError` if one spelling means two places."""
    source = replacement or datafile.packaged(_PACKAGE, "aliases.yaml")
    return Gazette(datafile.load(MunicipalityNames, source, _ambiguous).content)


def address_reader(names: Gazette | None = None, replacement: Path | None = None) -> AddressReader:
    """`streets.yaml` and the names of municipalities."""
    source = replacement or datafile.packaged(_PACKAGE, "streets.yaml")
    return AddressReader(datafile.load(StreetWords, source).content, names or gazette())


def readings(reader: AddressReader, replacement: Path | None = None) -> Readings:
    """`readings.yaml`, and the words of the reader of lines."""
    source = replacement or datafile.packaged(_PACKAGE, "readings.yaml")
    return Readings(reader.words, datafile.load(ReadingWords, source).content, reader.gazette)


def street_grids(replacement: Path | None = None) -> StreetGrids:
    """`grid.yaml`; raises `DataFileError` if a curve cannot be interpolated."""
    source = replacement or datafile.packaged(_PACKAGE, "grid.yaml")
    return datafile.load(StreetGrids, source, _unordered).content


def _ambiguous(names: MunicipalityNames) -> Iterable[datafile.Problem]:
    meant: dict[str, str] = {}
    for place in names.all:
        for spelling in (place.name, *place.aliases):
            other = meant.setdefault(fold(spelling), place.name)
            if other != place.name:
                yield place.name, "aliases", f"{spelling!r} also means {other}"


def _unordered(grids: StreetGrids) -> Iterable[datafile.Problem]:
    for grid in (grids.county, *grids.own):
        curves: dict[str, Curve] = {"latitude": grid.latitude, "longitude": grid.longitude}
        for name, curve in curves.items():
            if not rising(curve.at):
                yield grid.name, name, "blocks must rise"
