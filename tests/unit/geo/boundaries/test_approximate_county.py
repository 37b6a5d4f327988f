"""The approximate ZIP areas and districts: made from facts, small, and honest about what it is."""

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import pytest
import shapely
from shapely.geometry import shape

from direct311.geo.boundaries.adapters.projection import shape_to_metres
from direct311.geo.boundaries.adapters.shapes import ShapeBoundaries
from direct311.geo.boundaries.domain import BoundarySet
from tests.unit.geo.conftest import APPROXIMATE, Rows
from tools import approximate_county as generator
from tools.boundary_files import write

DATA = files("direct311.geo") / "data"


def test_the_committed_shapes_are_what_the_facts_give() -> None:
    for layer, made in generator.collections(DATA / "facts", generator.outline(DATA)).items():
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
    assert counts["commission_district"] == 13
    assert counts["zip"] > 80


def test_every_set_and_every_feature_says_that_it_is_approximate(
    packaged_sets: Sequence[BoundarySet],
) -> None:
    approximate = [one for one in packaged_sets if one.approximate]
    assert {one.layer for one in approximate} == {"zip", "commission_district"}
    assert all("approximate" in one.source for one in approximate)
    for path in APPROXIMATE.glob("*.geojson"):
        document = json.loads(path.read_bytes())
        assert document["approximate"] is True
        for feature in document["features"]:
            assert feature["properties"]["approximate"] is True
            assert "approximate" in feature["properties"]["source"]


def test_it_writes_what_it_made(tmp_path: Path) -> None:
    write(generator.collections(DATA / "facts", generator.outline(DATA)), tmp_path)
    for path in tmp_path.glob("*.geojson"):
        assert json.loads(path.read_bytes())["name"] == path.stem


def test_the_stated_agreement_is_the_measured_one(packaged: ShapeBoundaries, rows: Rows) -> None:
    stated = generator.AGREEMENT
    right = {"zip": 0, "commission_district": 0}
    labelled = [
        row for row in rows("addresses/miami_dade_address_gazetteer_from_311.csv") if row["city"]
    ]
    for row in labelled:
        found = packaged.locate(float(row["latitude"]), float(row["longitude"]))
        right["zip"] += found.zip_code == row["zip_code"]
        right["commission_district"] += (
            f"District {found.commission_district}" == row["neighborhood_district"]
        )
    for layer, count in right.items():
        assert count / len(labelled) == pytest.approx(stated[layer], abs=0.01)
