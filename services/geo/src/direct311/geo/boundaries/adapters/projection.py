"""Degrees to meters and back, near Miami-Dade County.

Equidistant cylindrical about 25.7° N, 80.4° W: at the county's ends distances are off by less
than 0.4 %, which is far more accurate than any rule here needs.
"""

from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

_LATITUDE = 25.7
_LONGITUDE = -80.4
# Meters per degree of WGS 84 at 25.7° N.
METRES_NORTH = 110_783.4
METRES_EAST = 100_370.6


def to_metres(latitude: float, longitude: float) -> tuple[float, float]:
    """(east, north) in meters of a point in degrees."""
    return (longitude - _LONGITUDE) * METRES_EAST, (latitude - _LATITUDE) * METRES_NORTH


def point_to_degrees(east: float, north: float) -> tuple[float, float]:
    """(latitude, longitude) in degrees: the inverse of `to_metres`."""
    return _LATITUDE + north / METRES_NORTH, _LONGITUDE + east / METRES_EAST


def shape_to_metres(shape: BaseGeometry) -> BaseGeometry:
    """A shape with coordinates (longitude, latitude) in degrees, converted to meters."""

    def project(points: Any) -> Any:
        return (points - (_LONGITUDE, _LATITUDE)) * (METRES_EAST, METRES_NORTH)

    return shapely.transform(shape, project)


def shape_to_degrees(shape: BaseGeometry) -> BaseGeometry:
    """The inverse of `shape_to_metres`."""

    def unproject(points: Any) -> Any:
        return points / (METRES_EAST, METRES_NORTH) + (_LONGITUDE, _LATITUDE)

    return shapely.transform(shape, unproject)
