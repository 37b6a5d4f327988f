"""The approximate county packaged with the project, made only from published facts.

`python -m tools.approximate_county`, run at the top of the repository in the development
environment, writes geo's `data/approximate_county/<layer>.geojson` from the tables in its
`data/facts`: for each municipality one interior point and the land area, for each ZIP code one
point, for each commission district the mean position of the requests in it. It uses no line of a
real boundary, so the result is right in the middle of areas and wrong near borders. It is for
demonstrations and tests; `AGREEMENT` says how often it is right, and every feature says that it is
approximate.

Municipalities are discs with the published area; if two meet, they share the chord of a power
diagram, and their radii grow until each has its area again. ZIP areas and districts are Voronoi
cells. The county's outline is the convex hull of its western corners and of all these points.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from math import hypot, pi, sqrt
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry import MultiPoint, Point, Polygon, mapping
from shapely.geometry.base import BaseGeometry

from direct311.geo.boundaries.adapters.projection import shape_to_degrees, to_metres

VERSION = "approximate-1"
LICENCE = "Facts: public domain; ZIP points: CC BY 4.0 (GeoNames)"
SOURCES: Mapping[str, str] = {
    "municipality": "approximate shapes from US Census TIGER/Line 2019 interior points and areas",
    "unincorporated": "approximate outline less the approximate municipalities",
    "county": "approximate hull of the county's published limits and places",
    "zip": "approximate Voronoi cells of GeoNames ZIP points (geonames.org, CC BY 4.0)",
    "commission_district": "approximate cells of the mean positions of requests (2011 plan)",
}
# Share of Miami-Dade's published requests whose label the layer gives; measured by
# tests/unit/geo/boundaries/test_approximate_county.py on 5,699 labelled points.
AGREEMENT: Mapping[str, float] = {
    "municipality": 0.86,
    "unincorporated": 0.87,
    "county": 1.0,
    "zip": 0.74,
    "commission_district": 0.68,
}

_ROUNDS = 40
_FAR_M = 300_000.0
# Points are in the middle of what they name.
_MARGIN_M = 1_500.0
_DIGITS = 5


@dataclass(frozen=True, slots=True)
class Seed:
    """A named point: degrees of WGS 84, and the area in square meters if one is published."""

    code: str
    name: str
    latitude: float
    longitude: float
    area_m2: float = 0.0

    @property
    def metres(self) -> tuple[float, float]:
        return to_metres(self.latitude, self.longitude)


def collections(facts: Traversable) -> dict[str, dict[str, Any]]:
    """Layer name to GeoJSON FeatureCollection, from the tables in the folder `facts`."""
    towns = [
        Seed(
            r["geoid"], r["name"], float(r["latitude"]), float(r["longitude"]), float(r["land_m2"])
        )
        for r in _rows(facts / "municipalities.csv")
    ]
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
    limits = _rows(facts / "county.csv")[0]
    discs = _settled(towns)
    west = [to_metres(float(limits[side]), float(limits["west"])) for side in ("north", "south")]
    points = [seed.metres for seed in zips]
    hull = shapely.union_all([MultiPoint([*west, *points]), *discs]).convex_hull
    outline = hull.buffer(_MARGIN_M, quad_segs=1)
    county = Seed(limits["geoid"], limits["name"], 0.0, 0.0)
    rest = Seed("30", "Unincorporated Miami-Dade", 0.0, 0.0)
    return {
        "municipality": _collection("municipality", towns, discs),
        "unincorporated": _collection(
            "unincorporated", [rest], [outline.difference(shapely.union_all(discs))]
        ),
        "county": _collection("county", [county], [outline]),
        "zip": _collection("zip", zips, _voronoi(zips, outline)),
        "commission_district": _collection(
            "commission_district", districts, _voronoi(districts, outline)
        ),
    }


def _settled(towns: Sequence[Seed]) -> list[BaseGeometry]:
    """Discs cut by the power diagram, with radii grown until every area is the published one."""
    radii = [sqrt(town.area_m2 / pi) for town in towns]
    for _ in range(_ROUNDS):
        areas = [shape.area for shape in _power_cells(towns, radii)]
        radii = [
            radius * min(sqrt(town.area_m2 / max(area, town.area_m2 / 4)), 1.2)
            for radius, town, area in zip(radii, towns, areas, strict=True)
        ]
    return _power_cells(towns, radii)


def _power_cells(towns: Sequence[Seed], radii: Sequence[float]) -> list[BaseGeometry]:
    cells: list[BaseGeometry] = []
    for town, radius in zip(towns, radii, strict=True):
        cell: BaseGeometry = Point(town.metres).buffer(radius, quad_segs=6)
        for other, reach in zip(towns, radii, strict=True):
            apart = hypot(other.metres[0] - town.metres[0], other.metres[1] - town.metres[1])
            if other is not town and apart < radius + reach:
                chord = (apart**2 + radius**2 - reach**2) / (2 * apart)
                # Each keeps its own published point, however small it is next to the other.
                chord = min(max(chord, 0.2 * apart), 0.8 * apart)
                cell = cell.intersection(_side(town, other, chord))
        cells.append(cell)
    return cells


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


def _collection(
    layer: str, seeds: Sequence[Seed], shapes: Sequence[BaseGeometry]
) -> dict[str, Any]:
    features = [
        {
            "type": "Feature",
            "properties": {
                "code": seed.code,
                "name": seed.name,
                "approximate": True,
                "source": SOURCES[layer],
            },
            "geometry": _rounded(shape),
        }
        for seed, shape in zip(seeds, shapes, strict=True)
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


def _rounded(shape: BaseGeometry) -> dict[str, Any]:
    return dict(mapping(shapely.set_precision(shape_to_degrees(shape), 10.0**-_DIGITS)))


def _rows(table: Traversable) -> list[dict[str, str]]:
    return list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))


def write(collections: Mapping[str, dict[str, Any]], folder: Path) -> None:
    """One file per layer and one line per feature, so that a change is easy to see."""
    folder.mkdir(exist_ok=True)
    for layer, collection in collections.items():
        head = json.dumps(collection | {"features": []}).removesuffix("]}")
        features = ",\n".join(json.dumps(feature) for feature in collection["features"])
        (folder / f"{layer}.geojson").write_text(f"{head}\n{features}\n]}}\n", encoding="utf-8")


def main() -> None:
    data = files("direct311.geo") / "data"
    write(collections(data / "facts"), Path(str(data)) / "approximate_county")


if __name__ == "__main__":
    main()
