"""Polygons: reads them from GeoJSON, and finds which of them contain a point.

Distances are in meters in a local projection.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import shapely
from shapely.errors import ShapelyError
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

from direct311.geo.boundaries.adapters.projection import (
    point_to_degrees,
    shape_to_metres,
    to_metres,
)
from direct311.geo.boundaries.domain import (
    BORDER_LIMIT_M,
    COMMISSION_DISTRICT,
    COUNTY,
    DEFAULT_AGREEMENT,
    LAYER_NAME,
    MOST_FEATURES,
    MUNICIPALITY,
    SNAP_M,
    UNINCORPORATED,
    ZIP,
    BoundaryError,
    BoundarySet,
    Feature,
    Located,
    ZipArea,
    point_confidence,
)
from direct311.runtime.text import cleaned

# The properties with code and name, in published files of each layer, and then in any file.
_PROPERTIES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    MUNICIPALITY: (("GEOID", "PLACEFP", "MUNICID"), ("NAME", "NAMELSAD")),
    UNINCORPORATED: (("MUNICID",), ("NAME",)),
    COUNTY: (("GEOID", "COUNTYFP"), ("NAME",)),
    ZIP: (("ZIPCODE", "ZCTA5CE10", "ZIP"), ("ZIPCODE", "ZCTA5CE10", "ZIP")),
    COMMISSION_DISTRICT: (("district", "ID", "COMMDIST"), ("COMMNAME", "district", "ID")),
}
_ANY_CODE = ("code", "GEOID", "ID", "id", "cartodb_id", "name", "NAME")
_ANY_NAME = ("name", "NAME", "NAMELSAD", "code")
_AREAS = ("Polygon", "MultiPolygon")
_MOST_POINTS = 2_000_000

Canonical = Callable[[str], str | None]


def read_boundary_set(
    document: object,
    *,
    layer: str,
    label: str = "",
    source: str | None = None,
    licence: str | None = None,
    approximate: bool | None = None,
    canonical: Canonical = lambda _: None,
) -> BoundarySet:
    """The boundary set in a GeoJSON FeatureCollection (RFC 7946).

    Missing arguments are taken from the collection's members `version`, `source`, `licence`,
    `approximate` and `agreement`. `canonical` brings municipality names to one spelling. Polygons
    that cross themselves are repaired, and the set says which. Approximate data cannot be imported
    as exact. Raises `BoundaryError`.
    """
    if not LAYER_NAME.fullmatch(layer):
        raise BoundaryError("must be lower case letters, digits and underscores", field="name")
    if not isinstance(document, Mapping) or document.get("type") != "FeatureCollection":
        raise BoundaryError("not a GeoJSON FeatureCollection")
    _refuse_other_datum(document)
    features = document.get("features")
    if not isinstance(features, Sequence) or isinstance(features, str) or not features:
        raise BoundaryError("has no features")
    if len(features) > MOST_FEATURES:
        raise BoundaryError(f"has more than {MOST_FEATURES} features")
    read: list[Feature] = []
    repaired: list[str] = []
    points = 0
    for index, entry in enumerate(features):
        code, name, properties = _named(entry, index, layer)
        geometry, mended = _area(entry.get("geometry"), index)
        points += int(shapely.get_num_coordinates(geometry))
        if points > _MOST_POINTS:
            raise BoundaryError(f"has more than {_MOST_POINTS} points")
        if layer == MUNICIPALITY:
            name = canonical(name) or name
        if properties.get("approximate") is True:
            approximate = True
        if mended:
            repaired.append(code)
        read.append(Feature(code, name, dict(mapping(geometry))))
    if not source and not document.get("source"):
        raise BoundaryError("must say where the boundaries come from", field="source")
    return BoundarySet.of(
        layer,
        label or str(document.get("version", "")),
        read,
        source=source or str(document["source"]),
        licence=licence or str(document.get("licence", "")),
        approximate=bool(approximate) or document.get("approximate") is True,
        agreement=_agreement(document),
        repaired=repaired,
    )


def _refuse_other_datum(document: Mapping[str, Any]) -> None:
    """RFC 7946 allows only WGS 84; older files may name another system (NAD 83 is within a
    meter)."""
    crs = document.get("crs")
    if crs is None:
        return
    properties = crs.get("properties") if isinstance(crs, Mapping) else None
    name = str(properties.get("name", "")) if isinstance(properties, Mapping) else ""
    if not name.endswith((":CRS84", ":4326", ":4269", ":CRS83")):
        raise BoundaryError("coordinates must be WGS 84 longitude and latitude", field="crs")


def _agreement(document: Mapping[str, Any]) -> float:
    value = document.get("agreement", DEFAULT_AGREEMENT)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise BoundaryError("must be a share between 0 and 1", field="agreement")
    return float(value)


def _named(entry: object, index: int, layer: str) -> tuple[str, str, Mapping[str, Any]]:
    if not isinstance(entry, Mapping) or entry.get("type") != "Feature":
        raise BoundaryError("not a GeoJSON Feature", index)
    properties = entry.get("properties")
    if not isinstance(properties, Mapping):
        raise BoundaryError("must be an object", index, "properties")
    codes, names = _PROPERTIES.get(layer, ((), ()))
    code = _first(properties, ("code", *codes, *_ANY_CODE))
    name = _first(properties, ("name", *names, *_ANY_NAME)) or code
    if layer in (COUNTY, UNINCORPORATED):
        code = code or layer
        name = name or layer
    if code is None or name is None:
        raise BoundaryError("has neither a code nor a name", index, "properties")
    if layer == ZIP and not (len(code) == 5 and code.isdigit()):
        raise BoundaryError("must be five digits", index, "ZIP code")
    return code, name, properties


def _first(properties: Mapping[str, Any], keys: Iterable[str]) -> str | None:
    for key in keys:
        value = properties.get(key)
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            continue
        if text := cleaned(str(value)):
            return text[:200]
    return None


def _area(value: object, index: int) -> tuple[BaseGeometry, bool]:
    """The polygon, and whether it had to be repaired."""
    if not isinstance(value, Mapping) or value.get("type") not in _AREAS:
        raise BoundaryError("must be a Polygon or a MultiPolygon", index, "geometry")
    try:
        geometry = shapely.force_2d(shape(dict(value)))
    except (ShapelyError, ValueError, TypeError, KeyError, IndexError, AttributeError):
        raise BoundaryError("coordinates cannot be read", index, "geometry") from None
    if geometry.is_empty:
        raise BoundaryError("is empty", index, "geometry")
    bounds = geometry.bounds
    inside = (-180 <= bounds[0] <= bounds[2] <= 180) and (-90 <= bounds[1] <= bounds[3] <= 90)
    if not (inside and all(map(math.isfinite, bounds))):
        raise BoundaryError(
            "coordinates are not longitude and latitude; name their projection, such as EPSG:2236",
            index,
            "geometry",
        )
    if geometry.is_valid:
        return geometry, False
    polygons = [
        part
        for part in shapely.get_parts(shapely.make_valid(geometry), return_index=False)
        for part in shapely.get_parts(part)
        if part.geom_type == "Polygon"
    ]
    mended = shapely.union_all(polygons)
    if mended.is_empty or mended.geom_type not in _AREAS:
        raise BoundaryError("encloses no area", index, "geometry")
    return mended, True


@dataclass(frozen=True, slots=True)
class _Layer:
    """One set, indexed. `shapes` are prepared, in meters, in the order of the set's features."""

    boundary_set: BoundarySet
    shapes: tuple[BaseGeometry, ...]
    tree: shapely.STRtree

    @classmethod
    def of(cls, boundary_set: BoundarySet) -> "_Layer":
        shapes = tuple(shape_to_metres(shape(dict(f.geometry))) for f in boundary_set.features)
        shapely.prepare(list(shapes))
        return cls(boundary_set, shapes, shapely.STRtree(shapes))

    def at(self, point: shapely.Point) -> Feature | None:
        """The feature that contains the point; of several (on a shared border), the one with the
        lowest code."""
        for index in sorted(map(int, self.tree.query(point))):
            if shapely.intersects(self.shapes[index], point):
                return self.boundary_set.features[index]
        return None

    def near(self, point: shapely.Point) -> tuple[Feature, float] | None:
        """The nearest feature within `SNAP_M` and its distance; of equally near ones, the lowest
        code."""
        found, distances = self.tree.query_nearest(point, max_distance=SNAP_M, return_distance=True)
        if not len(found):
            return None
        return self.boundary_set.features[int(min(found))], float(distances[0])


class ShapeBoundaries:
    """Implements `Boundaries` on sets in memory. Immutable: other sets need another instance."""

    def __init__(self, sets: Iterable[BoundarySet], unincorporated: str) -> None:
        """`unincorporated`: the name that a municipal layer may use for unincorporated areas."""
        self.sets = tuple(sorted(sets, key=lambda one: one.layer))
        self._unincorporated = unincorporated
        layers = {one.layer: _Layer.of(one) for one in self.sets}
        self._towns = layers.pop(MUNICIPALITY, None)
        self._rest = layers.pop(UNINCORPORATED, None)
        self._county = layers.pop(COUNTY, None)
        self._zips = layers.pop(ZIP, None)
        self._districts = layers.pop(COMMISSION_DISTRICT, None)
        self._others = layers
        self._borders = _borders(self._towns.shapes if self._towns else ())
        self._versions = {one.layer: one.version for one in self.sets}
        self._approximate = any(one.approximate for one in self.sets)
        self._agreement = min(
            (
                layer.boundary_set.agreement
                for layer in (self._towns, self._rest, self._county)
                if layer
            ),
            default=0.0,
        )
        self._zip_areas = dict(self._describe_zips())

    def locate(self, latitude: float, longitude: float) -> Located:
        point = shapely.Point(to_metres(latitude, longitude))
        where, municipality, snapped_m = self._jurisdiction(point)
        if where in ("outside", "unknown"):
            return Located(
                where,
                confidence=self._agreement if where == "outside" else 0.0,
                approximate=self._approximate,
                boundary_sets=self._versions,
            )
        border_m = self._to_border(point)
        others = {name: layer.at(point) for name, layer in self._others.items()}
        return Located(
            where,
            municipality=municipality,
            zip_code=_code(self._zips, point),
            commission_district=_code(self._districts, point),
            layers={name: feature.name for name, feature in others.items() if feature},
            border_m=border_m,
            snapped_m=snapped_m,
            confidence=point_confidence(border_m, snapped_m, self._agreement),
            approximate=self._approximate,
            boundary_sets=self._versions,
        )

    def zip_area(self, zip_code: str) -> ZipArea | None:
        return self._zip_areas.get(zip_code)

    def _jurisdiction(self, point: shapely.Point) -> "_Jurisdiction":
        """The municipality comes first: its waters reach beyond the county in other sets."""
        if self._towns and (town := self._towns.at(point)):
            return self._named(town, 0.0)
        for layer in (self._rest, self._county):
            if layer and layer.at(point):
                return "unincorporated", None, 0.0
        if not (self._rest or self._county):
            return "unknown", None, 0.0
        if self._towns and (near := self._towns.near(point)):
            return self._named(*near)
        for layer in (self._rest, self._county):
            if layer and (near := layer.near(point)):
                return "unincorporated", None, near[1]
        return "outside", None, 0.0

    def _named(self, feature: Feature, snapped_m: float) -> "_Jurisdiction":
        if feature.name == self._unincorporated:
            return "unincorporated", None, snapped_m
        return "municipality", feature.name, snapped_m

    def _to_border(self, point: shapely.Point) -> float | None:
        found, distances = self._borders.query_nearest(
            point, max_distance=BORDER_LIMIT_M, return_distance=True, all_matches=False
        )
        return float(distances[0]) if len(found) else None

    def _describe_zips(self) -> Iterable[tuple[str, ZipArea]]:
        if self._zips is None:
            return
        for feature, area in zip(self._zips.boundary_set.features, self._zips.shapes, strict=True):
            inside = area.representative_point()
            latitude, longitude = point_to_degrees(inside.x, inside.y)
            radius_m = float(shapely.hausdorff_distance(inside, area))
            municipality, share = self._mostly(area)
            yield (
                feature.code,
                ZipArea(feature.code, latitude, longitude, radius_m, municipality, share),
            )

    def _mostly(self, area: BaseGeometry) -> tuple[str | None, float]:
        """Which municipality most of an area belongs to (`None` if unincorporated), and how much of
        it."""
        if self._towns is None:
            return None, 0.0
        parts: dict[str | None, float] = {None: area.area}
        for index in self._towns.tree.query(area).tolist():
            part = float(shapely.intersection(self._towns.shapes[index], area).area)
            name = self._towns.boundary_set.features[index].name
            if name != self._unincorporated:
                parts[name] = parts.get(name, 0.0) + part
                parts[None] -= part
        name, part = max(parts.items(), key=lambda item: (item[1], item[0] or ""))
        return name, round(part / area.area, 3)


_Jurisdiction = tuple[Any, str | None, float]


def _code(layer: _Layer | None, point: shapely.Point) -> str | None:
    if layer is None:
        return None
    if feature := layer.at(point):
        return feature.code
    near = layer.near(point)
    return near[0].code if near else None


def _borders(shapes: Sequence[BaseGeometry]) -> shapely.STRtree:
    """Every side of every polygon separately, so that the nearest border is quick to find."""
    sides: list[BaseGeometry] = []
    for area in shapes:
        for ring in shapely.get_rings(area):
            ends = list(pairwise(shapely.get_coordinates(ring).tolist()))
            sides.extend(shapely.linestrings(ends))
    return shapely.STRtree(sides)
