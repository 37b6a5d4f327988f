"""A boundary file of any format, by its first bytes."""

import json
from collections.abc import Mapping

from shapely.errors import ShapelyError
from shapely.geometry import mapping, shape

from direct311.geo.boundaries.adapters.geopackages import read_geopackage
from direct311.geo.boundaries.adapters.reference_systems import WGS_84, ReferenceSystem, named
from direct311.geo.boundaries.adapters.shapefiles import read_shapefile
from direct311.geo.boundaries.domain import BoundaryError, SourceFile

_ZIP = b"PK\x03\x04"
_SQLITE = b"SQLite format 3\x00"


def read_file(body: bytes, *, projection: str | None, table: str | None) -> SourceFile:
    """GeoJSON, a zipped shapefile or a GeoPackage, in degrees of WGS 84. `projection`: in place of
    what the file says. `table`: the layer of a GeoPackage.

    :raises BoundaryError: says what is wrong. :raises ValueError: it is neither of these.
    """
    if body.startswith(_ZIP):
        return read_shapefile(body, projection)
    if body.startswith(_SQLITE):
        return read_geopackage(body, projection, table)
    document = json.loads(body)
    given = projection or _crs(document)
    if given is None:
        return SourceFile(document, "GeoJSON", WGS_84)
    return SourceFile(_in_degrees(document, named(given)), "GeoJSON", named(given).name)


def _crs(document: object) -> str | None:
    """The member `crs` of older GeoJSON; RFC 7946 knows only WGS 84."""
    crs = document.get("crs") if isinstance(document, Mapping) else None
    properties = crs.get("properties") if isinstance(crs, Mapping) else None
    name = str(properties.get("name", "")) if isinstance(properties, Mapping) else ""
    if not name or name.endswith((":CRS84", ":4326", ":4269", ":CRS83")):
        # NAD 83 is within a meter of WGS 84, and is taken as it is.
        return None
    return f"EPSG:{name.rpartition(':')[2]}" if "EPSG" in name.upper() else name


def _in_degrees(document: object, system: ReferenceSystem) -> object:
    features = document.get("features") if isinstance(document, Mapping) else None
    if not isinstance(document, Mapping) or not isinstance(features, list):
        # Whoever reads it says what is wrong with it.
        return document
    return {name: value for name, value in document.items() if name != "crs"} | {
        "features": [_feature(each, number, system) for number, each in enumerate(features)]
    }


def _feature(feature: object, number: int, system: ReferenceSystem) -> object:
    if not isinstance(feature, Mapping) or not isinstance(feature.get("geometry"), Mapping):
        return feature
    try:
        area = system.to_degrees(shape(dict(feature["geometry"])))
        return {**feature, "geometry": dict(mapping(area))}
    except BoundaryError as error:
        raise BoundaryError(error.reason, number, "geometry") from None
    except (ShapelyError, ValueError, TypeError, KeyError, IndexError, AttributeError):
        raise BoundaryError("coordinates cannot be read", number, "geometry") from None
