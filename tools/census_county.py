"""The county's municipalities and outline, from the Census Bureau's boundaries.

`python -m tools.census_county FOLDER`, run at the top of the repository in the development
environment, reads two GeoJSON files of FOLDER: the municipalities of TIGER/Line 2019 and the county
of the 1:500,000 cartographic boundaries of 2016. Both are in the public domain. It writes geo's
`data/census_county/<layer>.geojson` for the layers `municipality`, `unincorporated` and `county`.

The county is its land and the waters of its municipalities. All three layers are made of the same
lines, so every point of the county is in one municipality or in the unincorporated area. The lines
are simplified together: neighbors stay neighbors, and no line moves by more than `MOST_M`.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import shapely
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

from direct311.geo.boundaries.adapters.projection import shape_to_degrees, shape_to_metres
from tools.boundary_files import Collections, write

MUNICIPALITIES: Final = "miami_dade_municipalities_tiger2019.geojson"
COUNTY: Final = "miami_dade_county_cb2016_500k.geojson"
VERSION: Final = "census-2019"
LICENCE: Final = "public domain"
SOURCE: Final = (
    "US Census Bureau: TIGER/Line 2019 (places), cartographic boundary file 2016 1:500,000 (county)"
)
AGREEMENT: Final = 0.996
"""Share of Miami-Dade's published requests whose label these layers give; measured by
tests/unit/geo/boundaries/test_census_county.py."""
MOST_M: Final = 10.0
"""How far a line may be from the published one, in meters."""

_TOLERANCE_M = 5.0
_GRID_M = 0.01
_DIGITS = 6
"""Digits of a degree: 11 cm."""


def collections(folder: Path) -> Collections:
    """Layer name to GeoJSON FeatureCollection, from the two files in `folder`."""
    towns = sorted(_features(folder / MUNICIPALITIES), key=_geoid)
    land = _shape(_features(folder / COUNTY)[0])
    named = [(_geoid(each), str(each["properties"]["NAME"])) for each in towns]
    *areas, rest = simplified(coverage([_shape(each) for each in towns], land))
    county = shapely.coverage_union_all([*areas, rest])
    return {
        "municipality": _collection("municipality", named, areas),
        "unincorporated": _collection(
            "unincorporated", [("30", "Unincorporated Miami-Dade")], [rest]
        ),
        "county": _collection("county", [("12086", "Miami-Dade")], [county]),
    }


def coverage(towns: Sequence[BaseGeometry], land: BaseGeometry) -> list[BaseGeometry]:
    """The municipalities, then what remains of the land: polygons that share their lines exactly,
    with no gap or overlap between them. Shapes in meters."""
    lines = shapely.union_all(
        [shapely.set_precision(each.boundary, _GRID_M) for each in (*towns, land)],
        grid_size=_GRID_M,
    )
    tree = shapely.STRtree(towns)
    parts: dict[int, list[BaseGeometry]] = {place: [] for place in range(len(towns) + 1)}
    for face in shapely.get_parts(shapely.polygonize(shapely.get_parts(lines).tolist())):
        inside = face.representative_point()
        found = [int(place) for place in tree.query(inside, predicate="within")]
        if found:
            parts[min(found)].append(face)
        elif shapely.intersects(land, inside):
            parts[len(towns)].append(face)
    return [shapely.coverage_union_all(each) for each in parts.values()]


def simplified(areas: Sequence[BaseGeometry]) -> list[BaseGeometry]:
    """The same areas with fewer points. Shapes in meters.

    :raises ValueError: a line would move by more than `MOST_M`, or a gap or overlap would appear.
    """
    fewer = [_rounded(each) for each in shapely.coverage_simplify(list(areas), _TOLERANCE_M)]
    moved = max(
        float(shapely.hausdorff_distance(before.boundary, after.boundary))
        for before, after in zip(areas, fewer, strict=True)
    )
    if moved > MOST_M or not shapely.coverage_is_valid(fewer):
        raise ValueError(f"a line moved by {moved:.1f} m, or neighbors no longer meet")
    return fewer


def _rounded(area: BaseGeometry) -> BaseGeometry:
    """In meters, of the degrees that are written: a shared point stays one point."""
    degrees = shapely.transform(shape_to_degrees(area), lambda points: points.round(_DIGITS))
    return shape_to_metres(degrees)


def _features(file: Path) -> list[Mapping[str, Any]]:
    return list(json.loads(file.read_bytes())["features"])


def _geoid(feature: Mapping[str, Any]) -> str:
    return str(feature["properties"]["GEOID"])


def _shape(feature: Mapping[str, Any]) -> BaseGeometry:
    return shapely.make_valid(shape_to_metres(shape(feature["geometry"])))


def _collection(
    layer: str, named: Sequence[tuple[str, str]], areas: Sequence[BaseGeometry]
) -> dict[str, Any]:
    return {
        "type": "FeatureCollection",
        "name": layer,
        "version": VERSION,
        "agreement": AGREEMENT,
        "source": SOURCE,
        "licence": LICENCE,
        "features": [
            {
                "type": "Feature",
                "properties": {"code": code, "name": name, "source": SOURCE},
                "geometry": mapping(
                    shapely.transform(shape_to_degrees(area), lambda points: points.round(_DIGITS))
                ),
            }
            for (code, name), area in zip(named, areas, strict=True)
        ],
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.census_county",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, help="has the two files of the Census Bureau")
    write(
        collections(parser.parse_args(arguments).folder),
        Path(str(files("direct311.geo") / "data" / "census_county")),
    )


if __name__ == "__main__":
    main()
