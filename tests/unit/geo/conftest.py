"""What the tests of geo share: the packaged data, and the county's real data where it lies."""

import csv
import json
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path

import pytest

from direct311.geo.addresses.adapters import data_files
from direct311.geo.addresses.domain.grid import StreetGrids
from direct311.geo.addresses.domain.lines import AddressReader
from direct311.geo.addresses.domain.municipalities import Gazette
from direct311.geo.boundaries.adapters.packaged import packaged_county
from direct311.geo.boundaries.adapters.shapes import ShapeBoundaries, read_boundary_set
from direct311.geo.boundaries.domain import BoundarySet
from tests.support.real_data import REAL_DATA, needs_real_data

_DATA = Path(str(files("direct311.geo") / "data"))
APPROXIMATE = _DATA / "approximate_county"
CENSUS = _DATA / "census_county"
REAL_FILES = {
    "municipality": "miami_dade_municipalities_tiger2019.geojson",
    "unincorporated": "miami_dade_unincorporated.geojson",
    "county": "miami_dade_jurisdiction_union.geojson",
    "zip": "miami_dade_zipcodes_county_gis.geojson",
    "commission_district": "commission_districts_APPROX_voronoi_2011plan.geojson",
    "place": "miami_dade_cdps_tiger2019.geojson",
    "neighbourhood": "city_of_miami_neighborhoods_zillow2013.geojson",
}

Rows = Callable[[str], list[dict[str, str]]]


@pytest.fixture(scope="session")
def gazette() -> Gazette:
    return data_files.gazette()


@pytest.fixture(scope="session")
def reader(gazette: Gazette) -> AddressReader:
    return data_files.address_reader(gazette)


@pytest.fixture(scope="session")
def grids() -> StreetGrids:
    return data_files.street_grids()


@pytest.fixture(scope="session")
def packaged_sets() -> Sequence[BoundarySet]:
    return packaged_county()


@pytest.fixture(scope="session")
def packaged(packaged_sets: Sequence[BoundarySet], gazette: Gazette) -> ShapeBoundaries:
    return ShapeBoundaries(packaged_sets, gazette.unincorporated)


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of the county's published data, which is not part of the project."""
    if not (REAL_DATA / "boundaries").is_dir():
        pytest.skip(needs_real_data.kwargs["reason"])
    return REAL_DATA


@pytest.fixture(scope="session")
def real_sets(data: Path, gazette: Gazette) -> list[BoundarySet]:
    return [
        read_boundary_set(
            json.loads((data / "boundaries" / name).read_bytes()),
            layer=layer,
            label="2019",
            source=name,
            approximate="APPROX" in name,
            canonical=gazette.canonical,
        )
        for layer, name in REAL_FILES.items()
    ]


@pytest.fixture(scope="session")
def real(real_sets: list[BoundarySet], gazette: Gazette) -> ShapeBoundaries:
    return ShapeBoundaries(real_sets, gazette.unincorporated)


@pytest.fixture(scope="session")
def rows(data: Path) -> Rows:
    """The rows of one of the data's CSV files, by its path in the folder."""

    def read(name: str) -> list[dict[str, str]]:
        with (data / name).open(encoding="utf-8", newline="") as lines:
            return list(csv.DictReader(lines))

    return read
