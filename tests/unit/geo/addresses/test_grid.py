"""The street grid: from numbers to a point."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct311.geo.addresses.adapters import data_files
from direct311.geo.addresses.domain.grid import Curve, StreetGrids
from direct311.geo.addresses.domain.lines import AddressReader
from direct311.geo.addresses.domain.municipalities import Gazette
from direct311.geo.places.domain import metres_between
from tests.unit.geo.conftest import Rows

GRIDS = data_files.street_grids()
READER = data_files.address_reader()


def test_the_origin_is_flagler_street_and_miami_avenue(
    grids: StreetGrids, reader: AddressReader
) -> None:
    found = grids.estimate(reader.normalise("MIAMI AVE & FLAGLER ST"))
    assert found is not None
    # The corner as published: 25.7742 N, 80.1937 W.
    assert metres_between(found.latitude, found.longitude, 25.7742, -80.1937) < 100


@pytest.mark.parametrize(
    ("line", "latitude", "longitude"),
    [
        ("111 NW 1ST ST", 25.7755, -80.1956),
        ("SW 137TH AVE & SW 104TH ST", 25.6707, -80.4156),
        ("NE 186TH ST & NE 14TH AVE", 25.9461, -80.1718),
        ("10200 SW 27TH ST", 25.744075, -80.35982),
        ("3840 NW 169TH TER", 25.927747, -80.263761),
        ("18200 SW 103RD CT", 25.600287, -80.358907),
        ("8241 W FLAGLER ST", 25.771268, -80.329081),
    ],
)
def test_known_points_are_met_within_a_few_hundred_metres(
    line: str, latitude: float, longitude: float, grids: StreetGrids, reader: AddressReader
) -> None:
    found = grids.estimate(reader.normalise(line))
    assert found is not None
    assert metres_between(found.latitude, found.longitude, latitude, longitude) < 400


def test_a_citys_own_grid_is_used_where_its_zip_code_says_so(
    grids: StreetGrids, reader: AddressReader
) -> None:
    in_florida_city = grids.estimate(reader.normalise("541 NE 2ND ST, 33034"))
    in_miami = grids.estimate(reader.normalise("541 NE 2ND ST, 33132"))
    south_of_it = grids.estimate(reader.normalise("20760 SW 368TH ST, 33034"))
    hialeah = grids.estimate(reader.normalise("183 E 50TH PL"))
    assert [one and one.grid for one in (in_florida_city, in_miami, south_of_it, hialeah)] == [
        "florida_city", "miami_dade", "miami_dade", "hialeah"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "line",
    ["7995 KINGS CREEK DR", "180 NE 45TH", "9967 SW 999TH ST", "100 SW 21ST RD", "John Smith",
     "SW 8TH ST & SW 24TH ST", "99999 NW 7TH ST"],
)  # fmt: skip
def test_what_the_grid_cannot_say_it_does_not_say(
    line: str, grids: StreetGrids, reader: AddressReader
) -> None:
    assert grids.estimate(reader.normalise(line)) is None


@given(st.integers(1, 200), st.integers(1, 400), st.sampled_from(["SW", "NW"]))
def test_house_numbers_rise_away_from_the_origin(street: int, block: int, quadrant: str) -> None:
    near = GRIDS.estimate(READER.normalise(f"{block * 50} {quadrant} {street} ST"))
    far = GRIDS.estimate(READER.normalise(f"{block * 50 + 100} {quadrant} {street} ST"))
    if near and far:
        assert far.longitude < near.longitude


@given(st.floats(-400, 300), st.floats(-250, 60))
def test_a_curve_is_continuous(block: float, other: float) -> None:
    for curve in (GRIDS.county.latitude, GRIDS.county.longitude):
        step = curve.degrees(block + 1e-6, other) - curve.degrees(block, other)
        assert abs(step) < 1e-7


def test_a_curve_goes_on_beyond_its_ends() -> None:
    curve = Curve(at=((0.0, 10.0), (10.0, 20.0)))
    assert curve.degrees(12.0, 0.0) == 22.0
    assert curve.degrees(-1.0, 0.0) == 9.0
    assert not curve.reaches(19.0)


def test_the_stated_error_is_the_measured_one(
    grids: StreetGrids, reader: AddressReader, gazette: Gazette, rows: Rows
) -> None:
    """On the published addresses; the file states what was measured on those not fitted to."""
    errors = []
    for row in rows("addresses/miami_dade_address_gazetteer_from_311.csv"):
        address = reader.normalise(row["street_address"]).model_copy(
            update={"zip_code": row["zip_code"], "city": gazette.canonical(row["city"])}
        )
        found = grids.estimate(address)
        if found and found.grid == "miami_dade" and address.kind == "address":
            errors.append(
                metres_between(
                    found.latitude,
                    found.longitude,
                    float(row["latitude"]),
                    float(row["longitude"]),
                )
            )
    errors.sort()
    assert len(errors) > 4500
    assert errors[len(errors) // 2] <= grids.county.measured.half_within_m
    assert errors[len(errors) * 9 // 10] <= grids.county.measured.nine_tenths_within_m
