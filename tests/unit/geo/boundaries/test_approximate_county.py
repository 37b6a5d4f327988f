"""The approximate county: made from facts, small, and honest about what it is."""

import csv
import itertools
import json
from importlib.resources import files
from pathlib import Path

import pytest
import shapely
from shapely.geometry import shape

from direct311.geo.addresses.domain.municipalities import Gazette
from direct311.geo.boundaries.adapters.projection import shape_to_metres
from direct311.geo.boundaries.adapters.shapes import ShapeBoundaries
from direct311.geo.boundaries.domain import BoundarySet
from tests.unit.geo.conftest import APPROXIMATE, Rows
from tools import approximate_county as generator

FACTS = files("direct311.geo") / "data" / "facts"


def test_the_committed_shapes_are_what_the_facts_give() -> None:
    for layer, made in generator.collections(FACTS).items():
        kept = json.loads((APPROXIMATE / f"{layer}.geojson").read_bytes())
        assert len(kept["features"]) == len(made["features"])
        for one, other in zip(kept["features"], made["features"], strict=True):
            assert one["properties"] == other["properties"]
            ours, theirs = (shape_to_metres(shape(f["geometry"])) for f in (one, other))
            assert shapely.symmetric_difference(ours, theirs).area < 1e-4 * ours.area


def test_it_is_small_and_whole() -> None:
    assert sum(path.stat().st_size for path in APPROXIMATE.iterdir()) < 150_000
    counts = {
        path.stem: len(json.loads(path.read_bytes())["features"])
        for path in APPROXIMATE.glob("*.geojson")
    }
    assert counts["municipality"] == 34
    assert counts["commission_district"] == 13
    assert counts["unincorporated"] == counts["county"] == 1
    assert counts["zip"] > 80


def test_every_set_and_every_feature_says_that_it_is_approximate(
    approximate_sets: list[BoundarySet],
) -> None:
    assert all(one.approximate and "approximate" in one.source for one in approximate_sets)
    for path in APPROXIMATE.glob("*.geojson"):
        document = json.loads(path.read_bytes())
        assert document["approximate"] is True
        for feature in document["features"]:
            assert feature["properties"]["approximate"] is True
            assert "approximate" in feature["properties"]["source"]


def test_municipalities_have_their_published_area_and_do_not_overlap() -> None:
    table = FACTS / "municipalities.csv"
    published = {
        row["geoid"]: float(row["land_m2"])
        for row in csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    }
    document = json.loads((APPROXIMATE / "municipality.geojson").read_bytes())
    areas = {
        feature["properties"]["code"]: shape_to_metres(shape(feature["geometry"]))
        for feature in document["features"]
    }
    for code, area in areas.items():
        assert area.area == pytest.approx(published[code], rel=0.02)
    for one, other in itertools.combinations(areas.values(), 2):
        assert shapely.intersection(one, other).area < 2_000


def test_each_municipality_lies_at_its_published_point(
    approximate: ShapeBoundaries, gazette: Gazette
) -> None:
    table = FACTS / "municipalities.csv"
    for row in csv.DictReader(table.read_text(encoding="utf-8").splitlines()):
        found = approximate.locate(float(row["latitude"]), float(row["longitude"]))
        assert found.municipality == row["name"] == gazette.canonical(row["name"])
        assert found.approximate


def test_it_writes_what_it_made(tmp_path: Path) -> None:
    generator.write(generator.collections(FACTS), tmp_path)
    for path in tmp_path.glob("*.geojson"):
        assert json.loads(path.read_bytes())["name"] == path.stem


def test_the_stated_agreement_is_the_measured_one(
    approximate: ShapeBoundaries, gazette: Gazette, rows: Rows
) -> None:
    stated = generator.AGREEMENT
    right = {"municipality": 0, "unincorporated": 0, "zip": 0, "commission_district": 0}
    labelled = [
        row for row in rows("addresses/miami_dade_address_gazetteer_from_311.csv") if row["city"]
    ]
    for row in labelled:
        found = approximate.locate(float(row["latitude"]), float(row["longitude"]))
        label = gazette.canonical(row["city"])
        place = found.municipality or gazette.unincorporated
        right["municipality"] += place == label and found.where != "outside"
        right["unincorporated"] += (found.where == "unincorporated") == (
            label == gazette.unincorporated
        )
        right["zip"] += found.zip_code == row["zip_code"]
        right["commission_district"] += (
            f"District {found.commission_district}" == row["neighborhood_district"]
        )
    for layer, count in right.items():
        assert count / len(labelled) == pytest.approx(stated[layer], abs=0.01)
