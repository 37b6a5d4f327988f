"""Boundary sets: what is read, what is refused, what lies where."""

from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct311.geo.addresses.domain.municipalities import Gazette
from direct311.geo.boundaries.adapters.packaged import packaged_county
from direct311.geo.boundaries.adapters.shapes import ShapeBoundaries, read_boundary_set
from direct311.geo.boundaries.domain import BoundaryError, BoundarySet

Ring = list[list[float]]


def square(west: float, south: float, side: float = 0.1) -> Ring:
    east, north = round(west + side, 6), round(south + side, 6)
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def collection(*features: tuple[dict[str, object], Ring], **members: object) -> dict[str, Any]:
    return {
        "type": "FeatureCollection",
        "source": "drawn for this test",
        **members,
        "features": [
            {
                "type": "Feature",
                "properties": properties,
                "geometry": {"type": "Polygon", "coordinates": [ring]},
            }
            for properties, ring in features
        ],
    }


def towns() -> BoundarySet:
    """Two towns that share the border 80.3° W, the southern half of a county."""
    return read_boundary_set(
        collection(
            ({"GEOID": "2", "NAME": "East"}, square(-80.3, 25.6)),
            ({"GEOID": "1", "NAME": "West"}, square(-80.4, 25.6)),
        ),
        layer="municipality",
    )


def county() -> BoundarySet:
    return read_boundary_set(
        collection(({"NAME": "County"}, square(-80.4, 25.6, 0.2))), layer="county"
    )


@pytest.fixture
def world() -> ShapeBoundaries:
    return ShapeBoundaries([towns(), county()], "Unincorporated Miami-Dade")


def test_a_point_lies_in_its_municipality(world: ShapeBoundaries) -> None:
    found = world.locate(25.65, -80.35)
    assert (found.where, found.municipality, found.confidence) == ("municipality", "West", 0.995)
    assert found.border_m is None


def test_the_rest_of_the_county_is_unincorporated(world: ShapeBoundaries) -> None:
    found = world.locate(25.75, -80.35)
    assert (found.where, found.municipality) == ("unincorporated", None)


def test_a_point_on_a_border_falls_to_the_lower_code_and_is_less_sure(
    world: ShapeBoundaries,
) -> None:
    found = world.locate(25.65, -80.3)
    assert found.municipality == "West"
    assert ShapeBoundaries(reversed(world.sets), "").locate(25.65, -80.3) == found
    assert found.border_m == pytest.approx(0.0, abs=0.01)
    assert found.confidence < 0.8
    nearby = world.locate(25.65, -80.3003)
    assert nearby.border_m == pytest.approx(30.1, abs=0.3)
    assert found.confidence < nearby.confidence < 0.99


def test_a_point_just_off_the_shore_belongs_to_the_shore(world: ShapeBoundaries) -> None:
    off_shore = world.locate(25.65, -80.198)
    assert (off_shore.where, off_shore.municipality) == ("municipality", "East")
    assert off_shore.snapped_m == pytest.approx(200, abs=3)
    assert off_shore.confidence == pytest.approx(0.4975, abs=0.001)
    assert world.locate(25.65, -80.197).where == "outside"


def test_without_a_county_nothing_is_said_to_be_outside() -> None:
    alone = ShapeBoundaries([towns()], "Unincorporated Miami-Dade")
    assert alone.locate(25.65, -80.35).municipality == "West"
    assert alone.locate(25.75, -80.35).where == "unknown"
    assert ShapeBoundaries([], "").locate(25.65, -80.35).where == "unknown"


def test_a_municipal_layer_may_name_the_unincorporated_area(gazette: Gazette) -> None:
    layer = read_boundary_set(
        collection(
            ({"MUNICID": 1, "NAME": "MIAMI BEACH"}, square(-80.2, 25.7)),
            ({"MUNICID": 30, "NAME": "UNINCORPORATED MIAMI-DADE"}, square(-80.3, 25.7)),
        ),
        layer="municipality",
        canonical=gazette.canonical,
    )
    world = ShapeBoundaries([layer, county()], gazette.unincorporated)
    assert world.locate(25.75, -80.15).municipality == "Miami Beach"
    assert world.locate(25.75, -80.25).where == "unincorporated"


def test_other_layers_answer_by_name(gazette: Gazette) -> None:
    quarter = read_boundary_set(
        collection(({"name": "Allapattah"}, square(-80.4, 25.6))), layer="neighbourhood"
    )
    zips = read_boundary_set(
        collection(({"ZIPCODE": "33142"}, square(-80.4, 25.6, 0.2))), layer="zip"
    )
    found = ShapeBoundaries([towns(), county(), quarter, zips], "").locate(25.65, -80.35)
    assert found.layers == {"neighbourhood": "Allapattah"}
    assert found.zip_code == "33142"
    assert set(found.boundary_sets) == {"municipality", "county", "neighbourhood", "zip"}


def test_a_zip_area_says_whose_ground_most_of_it_is() -> None:
    zips = read_boundary_set(collection(({"ZIPCODE": "33142"}, square(-80.375, 25.6))), layer="zip")
    area = ShapeBoundaries([towns(), county(), zips], "").zip_area("33142")
    assert area is not None
    assert area.municipality == "West"
    assert area.share == pytest.approx(0.75, abs=0.01)
    assert area.radius_m == pytest.approx(7_500, rel=0.1)


def test_what_is_approximate_makes_the_answer_approximate() -> None:
    rough = read_boundary_set(
        collection(({"district": 3}, square(-80.4, 25.6)), approximate=True),
        layer="commission_district",
        approximate=False,
    )
    assert rough.approximate
    found = ShapeBoundaries([towns(), county(), rough], "").locate(25.65, -80.35)
    assert (found.approximate, found.commission_district) == (True, "3")


def test_the_version_is_of_the_content() -> None:
    one, again = towns(), towns()
    assert one.version == again.version
    labelled = read_boundary_set(
        collection(({"NAME": "County"}, square(-80.4, 25.6, 0.2))), layer="county", label="2019"
    )
    assert labelled.version == f"2019+{county().version}"
    other = read_boundary_set(
        collection(({"NAME": "County"}, square(-80.4, 25.6, 0.3))), layer="county"
    )
    assert other.version != county().version


def test_a_polygon_that_crosses_itself_is_repaired_and_said_to_be() -> None:
    bow_tie = [[-80.4, 25.6], [-80.3, 25.7], [-80.3, 25.6], [-80.4, 25.7], [-80.4, 25.6]]
    repaired = read_boundary_set(
        collection(({"GEOID": "7", "NAME": "Bow"}, bow_tie)), layer="municipality"
    )
    assert repaired.repaired == ("7",)
    world = ShapeBoundaries([repaired, county()], "")
    assert world.locate(25.65, -80.39).municipality == "Bow"


NAMED: dict[str, object] = {"GEOID": "1", "NAME": "A"}


@pytest.mark.parametrize(
    ("document", "layer", "message"),
    [
        (None, "zip", "not a GeoJSON FeatureCollection"),
        ([], "zip", "not a GeoJSON FeatureCollection"),
        (collection(), "zip", "has no features"),
        (collection((NAMED, square(-80, 25))), "Not A Name", "name: must be lower case"),
        (collection((NAMED, square(-80, 25))), "zip", "feature 0: ZIP code: must be five digits"),
        (collection(({}, square(-80, 25))), "x_y", "feature 0: properties: has neither"),
        (collection((NAMED, square(913000, 414000))), "x_y", "not longitude and latitude"),
        (collection((NAMED, [[0, 0], [1, 1], [0, 0]])), "x_y", "feature 0: geometry: "),
        (collection((NAMED, [[0, 0], [1, 1], [2, 2], [0, 0]])), "x_y", "encloses no area"),
        (collection((NAMED, [[0, 0], [], [2, 2], [0, 0]])), "x_y", "cannot be read"),
        (collection((NAMED, [])), "x_y", "feature 0: geometry: is empty"),
        (collection((NAMED, square(-80, 25)), source=""), "x_y", "source: must say where"),
        (collection((NAMED, square(-80, 25)), agreement=7), "x_y", "agreement: must be a share"),
        (
            collection(
                (NAMED, square(-80, 25)),
                crs={"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::2236"}},
            ),
            "x_y",
            "crs: coordinates must be WGS 84",
        ),
    ],
)
def test_what_cannot_be_a_boundary_set_is_refused_with_the_reason(
    document: object, layer: str, message: str
) -> None:
    with pytest.raises(BoundaryError, match=message):
        read_boundary_set(document, layer=layer)


def test_other_shapes_than_areas_are_refused() -> None:
    document = collection((NAMED, square(-80, 25)))
    document["features"][0]["geometry"] = {"type": "Point", "coordinates": [-80, 25]}
    with pytest.raises(BoundaryError, match="must be a Polygon or a MultiPolygon"):
        read_boundary_set(document, layer="x_y")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


@given(JSON)
def test_any_json_is_read_or_refused_and_nothing_else(geometry: object) -> None:
    document = collection((NAMED, square(-80, 25)))
    document["features"][0]["geometry"] = {"type": "Polygon", "coordinates": geometry}
    with pytest.raises(BoundaryError):
        read_boundary_set(document, layer="x_y")


@given(st.floats(25.0, 26.1), st.floats(-81.0, -80.0))
def test_every_point_is_in_one_place_and_always_the_same(latitude: float, longitude: float) -> None:
    one, reverse = packaged_both_ways()
    found = one.locate(latitude, longitude)
    assert found == reverse.locate(latitude, longitude)
    assert found.where != "unknown"
    assert (found.municipality is not None) == (found.where == "municipality")
    assert 0 < found.confidence <= 1


@cache
def packaged_both_ways() -> tuple[ShapeBoundaries, ShapeBoundaries]:
    sets = packaged_county()
    return (
        ShapeBoundaries(sets, "Unincorporated Miami-Dade"),
        ShapeBoundaries(reversed(sets), "Unincorporated Miami-Dade"),
    )
