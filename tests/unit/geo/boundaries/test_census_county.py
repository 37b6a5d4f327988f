"""The packaged municipalities and outline: the Census Bureau's, with fewer points."""

import json
from pathlib import Path
from typing import Any

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from direct311.geo.addresses.domain.municipalities import Gazette
from direct311.geo.boundaries.adapters.projection import point_to_degrees, shape_to_metres
from direct311.geo.boundaries.adapters.shapes import ShapeBoundaries
from tests.unit.geo.conftest import CENSUS, Rows
from tools import census_county as generator
from tools.boundary_files import write


def features(file: Path) -> list[dict[str, Any]]:
    return list(json.loads(file.read_bytes())["features"])


def areas(layer: str) -> dict[str, BaseGeometry]:
    """Name to shape in meters."""
    features = json.loads((CENSUS / f"{layer}.geojson").read_bytes())["features"]
    return {
        each["properties"]["name"]: shape_to_metres(shape(each["geometry"])) for each in features
    }


TOWNS = areas("municipality")
(REST,) = areas("unincorporated").values()
(COUNTY,) = areas("county").values()


def test_it_says_where_it_comes_from_and_that_it_is_exact() -> None:
    for layer in ("municipality", "unincorporated", "county"):
        document = json.loads((CENSUS / f"{layer}.geojson").read_bytes())
        assert document["source"].startswith("US Census Bureau: TIGER/Line 2019")
        assert document["licence"] == "public domain"
        assert "approximate" not in document
    assert sum(path.stat().st_size for path in CENSUS.iterdir()) < 350_000


def test_there_is_no_gap_and_no_overlap() -> None:
    assert len(TOWNS) == 34
    assert shapely.coverage_is_valid([*TOWNS.values(), REST])
    everything = shapely.union_all([*TOWNS.values(), REST])
    assert shapely.symmetric_difference(everything, COUNTY).area == pytest.approx(0, abs=1)


@given(st.floats(0, 1), st.floats(0, 1))
def test_every_point_of_the_county_is_in_one_area_only(x: float, y: float) -> None:
    west, south, east, north = COUNTY.bounds
    point = shapely.Point(west + x * (east - west), south + y * (north - south))
    holders = sum(shapely.contains_properly(each, point) for each in (*TOWNS.values(), REST))
    on_a_line = any(shapely.touches(each, point) for each in (*TOWNS.values(), REST, COUNTY))
    assert on_a_line or holders == int(shapely.contains(COUNTY, point))


def test_all_layers_name_the_middle_of_each_municipality(
    packaged: ShapeBoundaries, gazette: Gazette
) -> None:
    for name, area in TOWNS.items():
        inside = area.representative_point()
        found = packaged.locate(*point_to_degrees(inside.x, inside.y))
        assert found.municipality == name == gazette.canonical(name)


def test_the_committed_shapes_are_what_the_published_ones_give(data: Path, tmp_path: Path) -> None:
    write(generator.collections(data / "boundaries"), tmp_path)
    for path in CENSUS.iterdir():
        assert (tmp_path / path.name).read_text() == path.read_text()


def test_no_line_is_more_than_ten_meters_from_the_published_one(data: Path) -> None:
    published = json.loads((data / "boundaries" / generator.MUNICIPALITIES).read_bytes())[
        "features"
    ]
    for each in published:
        before = shape_to_metres(shape(each["geometry"])).boundary
        after = TOWNS[each["properties"]["NAME"]].boundary
        for one, other in ((before, after), (after, before)):
            steps = shapely.get_parts(shapely.points(shapely.get_coordinates(one.segmentize(5))))
            assert float(shapely.distance(steps, other).max()) <= generator.MOST_M


def test_the_stated_agreement_is_the_measured_one(
    packaged: ShapeBoundaries, gazette: Gazette, rows: Rows
) -> None:
    labelled = [
        row
        for row in rows("requests/miami_dade_311_2013_2018.csv")
        if row["city"] and row["latitude"]
    ]
    assert len(labelled) > 3_400
    right = 0
    for row in labelled:
        found = packaged.locate(float(row["latitude"]), float(row["longitude"]))
        place = found.municipality or gazette.unincorporated
        right += found.where != "outside" and place == gazette.canonical(row["city"])
    print(f"municipality: {right} of {len(labelled)} agree")  # noqa: T201
    assert right / len(labelled) >= generator.AGREEMENT
