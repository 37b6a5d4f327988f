"""Reads the data files that are used to read and place address lines."""

from dataclasses import dataclass

from direct311.geo.addresses.adapters import data_files
from direct311.geo.addresses.adapters.gazetteer import InMemoryGazetteer, known_streets, read_csv
from direct311.geo.addresses.domain.grid import StreetGrids
from direct311.geo.addresses.domain.lines import AddressReader
from direct311.geo.addresses.domain.municipalities import Gazette
from direct311.geo.addresses.domain.readings import Readings
from direct311.geo.addresses.domain.streets import KnownStreets
from direct311.geo.settings import GeoSettings


@dataclass(frozen=True, slots=True)
class Addresses:
    gazette: Gazette
    reader: AddressReader
    readings: Readings
    grids: StreetGrids
    gazetteer: InMemoryGazetteer
    streets: KnownStreets


def wire(settings: GeoSettings) -> Addresses:
    """:raises DataFileError: a file is invalid."""
    gazette = data_files.gazette(settings.aliases_file)
    reader = data_files.address_reader(gazette, settings.streets_file)
    readings = data_files.readings(reader, settings.readings_file)
    grids = data_files.street_grids(settings.grid_file)
    known = list(read_csv(settings.gazetteer_file, reader)) if settings.gazetteer_file else []
    return Addresses(
        gazette,
        reader,
        readings,
        grids,
        InMemoryGazetteer(known),
        known_streets(known, grids.county.named, readings),
    )
