"""The county's real boundaries against the county's own labels."""

import time
from collections.abc import Iterable

import pytest

from direct311.geo.addresses.adapters.gazetteer import InMemoryGazetteer, read_csv
from direct311.geo.addresses.domain.lines import AddressReader
from direct311.geo.addresses.domain.municipalities import Gazette
from direct311.geo.boundaries.adapters.shapes import ShapeBoundaries
from direct311.geo.boundaries.domain import BoundarySet
from direct311.geo.places.domain import Resolution
from direct311.geo.places.handlers.resolve import Resolver
from direct311.schemas.events import Place
from tests.support.geo import resolver_of
from tests.support.real_data import REAL_DATA
from tests.unit.geo.conftest import Rows

REQUESTS = "requests/miami_dade_311_2013_2018.csv"
ADDRESSES_2016 = "addresses/miami_dade_sr_addresses_2016.csv"


@pytest.fixture
def labelled(rows: Rows) -> list[dict[str, str]]:
    return [row for row in rows(REQUESTS) if row["city"] and row["latitude"]]


@pytest.fixture
def resolver(real: ShapeBoundaries) -> Resolver:
    return resolver_of(lambda: real)


def agreeing(pairs: Iterable[tuple[dict[str, str], Resolution]], gazette: Gazette) -> list[bool]:
    return [
        (found.municipality or (gazette.unincorporated if found.unincorporated else None))
        == gazette.canonical(row["city"])
        for row, found in pairs
    ]


def test_every_published_file_is_read(real_sets: list[BoundarySet]) -> None:
    sizes = {one.layer: len(one.features) for one in real_sets}
    assert sizes == {
        "municipality": 34,
        "unincorporated": 1,
        "county": 1,
        "zip": 88,
        "commission_district": 13,
        "place": 37,
        "neighbourhood": 14,
    }
    assert [one.layer for one in real_sets if one.approximate] == ["commission_district"]
    names = {one.layer: [feature.name for feature in one.features] for one in real_sets}
    assert "Opa-locka" in names["municipality"]
    assert "Allapattah" in names["neighbourhood"]


def test_the_municipality_of_a_point_agrees_with_the_county(
    resolver: Resolver, labelled: list[dict[str, str]], gazette: Gazette
) -> None:
    found = [
        resolver.resolve(Place(latitude=float(row["latitude"]), longitude=float(row["longitude"])))
        for row in labelled
    ]
    right = agreeing(zip(labelled, found, strict=True), gazette)
    assert len(right) > 3_400
    assert sum(right) / len(right) >= 0.99
    zips = [one.zip_code == row["zip_code"] for row, one in zip(labelled, found, strict=True)]
    assert sum(zips) / len(zips) >= 0.98


def test_the_municipality_of_an_address_alone_mostly_agrees(
    resolver: Resolver, labelled: list[dict[str, str]], gazette: Gazette
) -> None:
    found = [
        resolver.resolve(Place(address=row["street_address"], zip_code=row["zip_code"]))
        for row in labelled
    ]
    by_grid = [pair for pair in zip(labelled, found, strict=True) if pair[1].method == "grid"]
    assert len(by_grid) / len(labelled) > 0.9
    right = agreeing(by_grid, gazette)
    assert sum(right) / len(right) >= 0.97


def test_confidence_means_what_it_says(
    resolver: Resolver, labelled: list[dict[str, str]], gazette: Gazette
) -> None:
    """Of the answers that are surer than 0.9 at least 0.97 are right, of the others fewer."""
    found = [
        resolver.resolve(Place(address=row["street_address"], zip_code=row["zip_code"]))
        for row in labelled
    ]
    pairs = list(zip(labelled, found, strict=True))
    sure = agreeing([pair for pair in pairs if pair[1].confidence >= 0.9], gazette)
    unsure = agreeing([pair for pair in pairs if pair[1].confidence < 0.9], gazette)
    assert sum(sure) / len(sure) >= 0.97
    assert sum(unsure) / len(unsure) < 0.9


def test_addresses_can_be_looked_up_in_a_published_list(
    resolver: Resolver, reader: AddressReader, data: object
) -> None:
    gazetteer = InMemoryGazetteer(read_csv(REAL_DATA / ADDRESSES_2016, reader))
    assert len(gazetteer) > 5_000
    known = gazetteer.find(reader.normalise("2270 NE 202 street"))
    assert known is not None
    assert (known.latitude, known.longitude) == (25.962435, -80.155697)


def test_dirty_rows_are_resolved_or_say_why(resolver: Resolver, rows: Rows) -> None:
    without = [row for row in rows(REQUESTS) if not row["latitude"]]
    assert len(without) >= 17
    for row in without:
        found = resolver.resolve(
            Place(address=row["street_address"] or None, zip_code=row["zip_code"] or None)
        )
        assert found.outcome == "resolved" or found.reason


def test_a_point_is_located_in_a_tenth_of_a_millisecond(
    real: ShapeBoundaries, labelled: list[dict[str, str]]
) -> None:
    """Typically 65 µs; the best of some rounds, and a limit that a busy machine keeps too."""
    points = [(float(row["latitude"]), float(row["longitude"])) for row in labelled[:500]]
    rounds = []
    for _ in range(7):
        started = time.process_time()
        for latitude, longitude in points:
            real.locate(latitude, longitude)
        rounds.append((time.process_time() - started) / len(points))
    assert min(rounds) < 300e-6
