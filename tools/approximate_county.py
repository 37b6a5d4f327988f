"""Approximate ZIP areas and commission districts, made only from published facts.

`python -m tools.approximate_county`, run at the top of the repository in the development
environment, writes geo's `data/approximate_county/<layer>.geojson` from the tables in its
`data/facts`: for each ZIP code one point, for each commission district the mean position of the
requests in it. The areas are the Voronoi cells of these points, cut off at the county's outline
(`tools.census_county`). No line of a real boundary is used, so the result is right in the middle of
areas and wrong near borders. It is for demonstrations and tests; `AGREEMENT` says how often it is
right, and every feature says that it is approximate.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from math import hypot
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry import Polygon, mapping, shape
from shapely.geometry.base import BaseGeometry

from direct311.geo.boundaries.adapters.projection import (
    shape_to_degrees,
    shape_to_metres,
    to_metres,
)
from tools.boundary_files import Collections, write

VERSION = "approximate-2"
LICENCE = "Facts: public domain; ZIP points: CC BY 4.0 (GeoNames)"
SOURCES: Mapping[str, str] = {
    "zip": "approximate Voronoi cells of GeoNames ZIP points (geonames.org, CC BY 4.0)",
    "commission_district": "approximate cells of the mean positions of requests (2011 plan)",
}
# Share of Miami-Dade's published requests whose label the layer gives; measured by
# tests/unit/geo/boundaries/test_approximate_county.py on 5,699 labelled points.
AGREEMENT: Mapping[str, float] = {
    "zip": 0.74,
    "commission_district": 0.68,
}

_FAR_M = 300_000.0
_DIGITS = 5


@dataclass(frozen=True, slots=True)
class Seed:
    """A named point, in degrees of WGS 84."""

    code: str
    name: str
    latitude: float
    longitude: float

    @property
    def metres(self) -> tuple[float, float]:
        return to_metres(self.latitude, self.longitude)


def collections(facts: Traversable, outline: BaseGeometry) -> Collections:
    """Layer name to GeoJSON FeatureCollection, from the tables in the folder `facts`. `outline` is
    the county's, in meters."""
    zips = [
        Seed(r["zip_code"], r["zip_code"], float(r["latitude"]), float(r["longitude"]))
        for r in _rows(facts / "zip_codes.csv")
    ]
    districts = [
        Seed(
            r["district"], f"District {r['district']}", float(r["latitude"]), float(r["longitude"])
        )
        for r in _rows(facts / "commission_districts.csv")
    ]
    return {
        "zip": _collection("zip", zips, _voronoi(zips, outline)),
        "commission_district": _collection(
            "commission_district", districts, _voronoi(districts, outline)
        ),
    }


def outline(data: Traversable) -> BaseGeometry:
    """The county's outline in geo's folder `data`, in meters."""
    document = json.loads((data / "census_county" / "county.geojson").read_bytes())
    return shape_to_metres(shape(document["features"][0]["geometry"]))


def _voronoi(seeds: Sequence[Seed], frame: BaseGeometry) -> list[BaseGeometry]:
    cells: list[BaseGeometry] = []
    for seed in seeds:
        cell = frame
        for other in seeds:
            if other is not seed:
                apart = hypot(other.metres[0] - seed.metres[0], other.metres[1] - seed.metres[1])
                cell = cell.intersection(_side(seed, other, apart / 2))
        cells.append(cell)
    return cells


def _side(seed: Seed, other: Seed, distance: float) -> Polygon:
    """The half-plane, cut off far away, that ends `distance` meters from `seed` toward `other`."""
    (x, y), (to_x, to_y) = seed.metres, other.metres
    apart = hypot(to_x - x, to_y - y)
    u, v = (to_x - x) / apart, (to_y - y) / apart
    x, y = x + u * distance, y + v * distance
    left = (x - v * _FAR_M, y + u * _FAR_M)
    right = (x + v * _FAR_M, y - u * _FAR_M)
    back_x, back_y = -u * 2 * _FAR_M, -v * 2 * _FAR_M
    return Polygon(
        [left, right, (right[0] + back_x, right[1] + back_y), (left[0] + back_x, left[1] + back_y)]
    )


def _collection(layer: str, seeds: Sequence[Seed], areas: Sequence[BaseGeometry]) -> dict[str, Any]:
    features = [
        {
            "type": "Feature",
            "properties": {
                "code": seed.code,
                "name": seed.name,
                "approximate": True,
                "source": SOURCES[layer],
            },
            "geometry": _rounded(area),
        }
        for seed, area in zip(seeds, areas, strict=True)
    ]
    return {
        "type": "FeatureCollection",
        "name": layer,
        "version": VERSION,
        "approximate": True,
        "agreement": AGREEMENT[layer],
        "source": SOURCES[layer],
        "licence": LICENCE,
        "features": features,
    }


def _rounded(area: BaseGeometry) -> dict[str, Any]:
    return dict(mapping(shapely.set_precision(shape_to_degrees(area), 10.0**-_DIGITS)))


def _rows(table: Traversable) -> list[dict[str, str]]:
    return list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))


def main() -> None:
    data = files("direct311.geo") / "data"
    write(collections(data / "facts", outline(data)), Path(str(data)) / "approximate_county")


if __name__ == "__main__":
    main()
