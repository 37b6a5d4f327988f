"""A layer of a GeoPackage (OGC 12-128r19), as GeoJSON in degrees of WGS 84.

A GeoPackage is an SQLite database. Only its plain tables are read, from memory, and the statements
may do nothing else.
"""

import sqlite3
import time
from collections.abc import Iterable, Iterator
from typing import Any

import shapely
from shapely.errors import ShapelyError
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from direct311.geo.boundaries.adapters.reference_systems import ReferenceSystem, named
from direct311.geo.boundaries.adapters.well_known_binary import is_of_polygons
from direct311.geo.boundaries.domain import MOST_FEATURES, BoundaryError, SourceFile

SECONDS = 20.0
_STEPS = 20_000
_SHORTEST_LIMIT = 100_000
_LONGER = 3
"""A layer is longer than its file only where columns have default values."""
_MOST_LAYERS = 1_000
_TABLES = ("gpkg_contents", "gpkg_geometry_columns", "gpkg_spatial_ref_sys")
_ENVELOPES = {0: 0, 1: 32, 2: 48, 3: 48, 4: 64}
_ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ})


def read_geopackage(body: bytes, projection: str | None, table: str | None) -> SourceFile:
    """A layer of polygons: the one named `table`, or the only one.

    :raises BoundaryError: says what is missing, or which feature cannot be read.
    """
    database = sqlite3.connect(":memory:")
    try:
        database.deserialize(body)
        database.execute("PRAGMA trusted_schema=OFF")
        # No value is longer than the file in which it is.
        database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, max(len(body), _SHORTEST_LIMIT))
        until = time.monotonic() + SECONDS
        database.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
        database.set_authorizer(_authorise)
        return _read(database, projection, table, len(body))
    except (sqlite3.Error, MemoryError, UnicodeError):
        raise BoundaryError("is not a GeoPackage that can be read") from None
    finally:
        database.close()


def _authorise(action: int, *_: object) -> int:
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY


def _read(
    database: sqlite3.Connection, projection: str | None, table: str | None, size: int
) -> SourceFile:
    if not all(_is_plain(database, each) for each in _TABLES):
        raise BoundaryError("is not a GeoPackage that can be read")
    layers = {
        str(name): (str(column), srs)
        for name, column, srs in _no_longer(
            size,
            database.execute(
                "SELECT c.table_name, g.column_name, g.srs_id FROM gpkg_contents c "
                "JOIN gpkg_geometry_columns g ON g.table_name = c.table_name "
                "WHERE c.data_type = 'features' LIMIT ?",
                (_MOST_LAYERS,),
            ),
        )
    }
    if table is None and len(layers) != 1:
        raise BoundaryError(
            f"the GeoPackage has {len(layers)} layers; name the one to read", field="table"
        )
    name = table if table is not None else next(iter(layers))
    if name not in layers:
        raise BoundaryError("the GeoPackage has no such layer", field="table")
    column, srs = layers[name]
    if not _is_plain(database, name):
        raise BoundaryError("the layer is no table of its own", field="table")
    system = named(projection or _definition(database, srs))
    rows = database.execute(
        f"SELECT * FROM {_quoted(name)} LIMIT {MOST_FEATURES + 1}"  # noqa: S608
    )
    titles = [each[0] for each in rows.description]
    if column not in titles:
        raise BoundaryError("the layer has no geometry column", field="table")
    features: list[dict[str, Any]] = []
    for number, row in enumerate(_no_longer(size, rows)):
        values = dict(zip(titles, row, strict=True))
        area = _area(values.pop(column), number, system)
        properties = {key: value for key, value in values.items() if isinstance(value, (str, int))}
        features.append(
            {"type": "Feature", "properties": properties, "geometry": dict(mapping(area))}
        )
    return SourceFile(
        {"type": "FeatureCollection", "features": features}, "GeoPackage", system.name
    )


def _no_longer(size: int, rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """The rows. Columns can be generated from others, so that a short file becomes very long."""
    read = 0
    for row in rows:
        read += sum(len(value) for value in row if isinstance(value, (str, bytes)))
        if read > _LONGER * size:
            raise BoundaryError("the layer is far larger than the file", field="table")
        yield row


def _is_plain(database: sqlite3.Connection, name: str) -> bool:
    """Whether this is a table, and no view or virtual table."""
    made = database.execute(
        "SELECT type, sql FROM sqlite_master WHERE name = ?", (name,)
    ).fetchone()
    return (
        made is not None and made[0] == "table" and str(made[1]).upper().startswith("CREATE TABLE")
    )


def _definition(database: sqlite3.Connection, srs: object) -> str | None:
    found = database.execute(
        "SELECT organization, organization_coordsys_id, definition FROM gpkg_spatial_ref_sys "
        "WHERE srs_id = ?",
        (srs,),
    ).fetchone()
    if found is None or srs in (-1, 0):
        return None
    organization, code, definition = found
    if str(organization).upper() == "EPSG":
        return f"EPSG:{code}"
    return str(definition)


def _area(value: object, number: int, system: ReferenceSystem) -> BaseGeometry:
    """Section 2.1.3 of the standard: a header, perhaps an envelope, then well-known binary."""
    if not isinstance(value, bytes) or value[:2] != b"GP" or len(value) < 8:
        raise BoundaryError("has no geometry; leave out features without an area", number)
    envelope = _ENVELOPES.get((value[3] >> 1) & 0b111)
    if envelope is None:
        raise BoundaryError("has a geometry that cannot be read", number, "geometry")
    binary = value[8 + envelope :]
    if not is_of_polygons(binary):
        raise BoundaryError("must be a Polygon or a MultiPolygon", number, "geometry")
    try:
        area = shapely.from_wkb(binary)
    except ShapelyError:
        raise BoundaryError("has a geometry that cannot be read", number, "geometry") from None
    try:
        return system.to_degrees(area)
    except BoundaryError as error:
        raise BoundaryError(error.reason, number, "geometry") from None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
