"""What is wrong with a boundary set that can be read: overlaps, gaps, rings that were repaired."""

from collections.abc import Iterator, Sequence

import shapely
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from direct311.geo.boundaries.adapters.projection import point_to_degrees, shape_to_metres
from direct311.geo.boundaries.domain import BoundaryError, BoundarySet, Finding

LEAST_M2 = 1.0
"""Smaller overlaps and gaps come from the last digits of coordinates."""

WIDEST_GAP_M = 50.0
"""A hole between areas that is wider on average is land which the layer leaves out, such as
unincorporated land between municipalities."""

MOST_FINDINGS = 200
"""The most findings in one report, the largest first."""

MOST_PAIRS = 100_000
"""The most pairs of areas that touch or overlap. In most layers an area has about six neighbors."""


def check(one: BoundarySet) -> Sequence[Finding]:
    """Rings that crossed themselves, areas that overlap, and narrow gaps between areas.

    :raises BoundaryError: so many areas overlap that it would take too long.
    """
    shapes = [shape_to_metres(shape(dict(feature.geometry))) for feature in one.features]
    found = [*_overlaps(one, shapes), *_gaps(one, shapes)]
    found.sort(key=lambda each: (-each.area_m2, each.features))
    rings = [Finding(kind="ring", features=(code,)) for code in one.repaired]
    return [*rings, *found][:MOST_FINDINGS]


def _overlaps(one: BoundarySet, shapes: Sequence[BaseGeometry]) -> Iterator[Finding]:
    tree = shapely.STRtree(shapes)
    pairs = 0
    for first, area in enumerate(shapes):
        beside = tree.query(area, predicate="intersects").tolist()
        for second in sorted(each for each in beside if each > first):
            pairs += 1
            if pairs > MOST_PAIRS:
                raise BoundaryError("has too many areas that lie over each other to be checked")
            both = shapely.intersection(area, shapes[second])
            if both.area > LEAST_M2:
                codes = (one.features[first].code, one.features[second].code)
                yield _finding("overlap", codes, both)


def _gaps(one: BoundarySet, shapes: Sequence[BaseGeometry]) -> Iterator[Finding]:
    tree = shapely.STRtree(shapes)
    for part in shapely.get_parts(shapely.union_all(shapes)):
        for ring in shapely.get_rings(part)[1:]:
            hole = shapely.Polygon(ring)
            if hole.area <= LEAST_M2 or _width(hole) > WIDEST_GAP_M:
                continue
            beside = sorted(tree.query(hole, predicate="intersects").tolist())
            yield _finding("gap", tuple(one.features[index].code for index in beside), hole)


def _finding(kind: str, features: tuple[str, ...], area: BaseGeometry) -> Finding:
    inside = area.representative_point()
    latitude, longitude = point_to_degrees(inside.x, inside.y)
    return Finding.model_validate(
        {
            "kind": kind,
            "features": features,
            "area_m2": round(area.area, 1),
            "width_m": round(_width(area), 1),
            "latitude": round(latitude, 6),
            "longitude": round(longitude, 6),
        }
    )


def _width(area: BaseGeometry) -> float:
    """The average width of a long narrow area, from its area and outline."""
    return 2 * area.area / area.length if area.length else 0.0
