"""Coordinates of any published reference system, in degrees of WGS 84.

The only module that uses pyproj. It reads the definitions that come with the library, and asks no
network.
"""

import re
from functools import lru_cache
from typing import Any

import numpy as np
import shapely
from pyproj import CRS, Transformer, network
from pyproj.exceptions import CRSError, ProjError
from shapely.geometry.base import BaseGeometry

from direct311.geo.boundaries.domain import BoundaryError

WGS_84 = "EPSG:4326"
LONGEST = 10_000
_EPSG = re.compile(r"EPSG:[0-9]{4,6}")
# Not the other forms that the library knows: some of them name files.
_WELL_KNOWN_TEXT = re.compile(r"[A-Z][A-Z0-9_]{3,20}\[")
# Well-known text can name files of shifts too, which the library would then open on this machine.
_FILES = re.compile(r"EXTENSION|PARAMETERFILE|BOUNDCRS|ABRIDGEDTRANSFORMATION|PROJ-BASED", re.I)
_NAME_THEM = "name it as an EPSG code, such as EPSG:2236 (Florida East, US feet) or EPSG:3857"


class ReferenceSystem:
    """Where coordinates of one reference system are. `name`: its EPSG code, or its own name."""

    def __init__(self, crs: CRS) -> None:
        code = crs.to_epsg()
        self.name = f"EPSG:{code}" if code else crs.name[:100]
        self._transformer = Transformer.from_crs(crs, WGS_84, always_xy=True)

    def to_degrees(self, geometry: BaseGeometry) -> BaseGeometry:
        """The same shape in longitude and latitude.

        :raises BoundaryError: a coordinate is outside the system.
        """
        if self.name == WGS_84:
            return geometry
        try:
            return shapely.transform(geometry, self._each)
        except ProjError:
            raise BoundaryError(f"coordinates are not in {self.name}", field="geometry") from None

    def point_to_degrees(self, x: float, y: float) -> tuple[float, float]:
        """(longitude, latitude) of one point."""
        longitude, latitude = self._transformer.transform(x, y, errcheck=True)
        return float(longitude), float(latitude)

    def _each(self, points: Any) -> Any:
        return np.column_stack(
            self._transformer.transform(points[:, 0], points[:, 1], errcheck=True)
        )


@lru_cache(maxsize=32)
def reference_system(definition: str) -> ReferenceSystem:
    """The system of an EPSG code (`EPSG:2236`) or of a definition in well-known text, as in a
    `.prj` file.

    :raises BoundaryError: there is none; says what would be right.
    """
    if not _EPSG.fullmatch(definition) and not _WELL_KNOWN_TEXT.match(definition):
        raise BoundaryError(f"is not known; {_NAME_THEM}", field="projection")
    if _FILES.search(definition):
        raise BoundaryError(f"refers to other files; {_NAME_THEM}", field="projection")
    network.set_network_enabled(active=False)  # type: ignore[attr-defined]
    try:
        crs = CRS.from_user_input(definition[:LONGEST])
    except CRSError:
        raise BoundaryError(f"is not known; {_NAME_THEM}", field="projection") from None
    if not (crs.is_geographic or crs.is_projected):
        raise BoundaryError(f"is not one of a map; {_NAME_THEM}", field="projection")
    try:
        return ReferenceSystem(crs)
    except ProjError:
        # Such as one of the Moon.
        raise BoundaryError(
            f"cannot be converted to WGS 84; {_NAME_THEM}", field="projection"
        ) from None


def named(definition: str | None) -> ReferenceSystem:
    """The system that a file or its sender names.

    :raises BoundaryError: neither names one.
    """
    if not definition:
        raise BoundaryError(f"the file names none; {_NAME_THEM}", field="projection")
    return reference_system(definition)
