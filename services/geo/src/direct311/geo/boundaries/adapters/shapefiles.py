"""A zipped shapefile, as GeoJSON in degrees of WGS 84."""

import io
import lzma
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import shapefile
from shapely.errors import ShapelyError
from shapely.geometry import mapping, shape

from direct311.geo.boundaries.adapters.reference_systems import named
from direct311.geo.boundaries.domain import MOST_FEATURES, BoundaryError, SourceFile

_DAMAGED = (NotImplementedError, RuntimeError, EOFError, OSError, ValueError)
_PARTS = (".shp", ".dbf", ".prj", ".cpg")
_NEEDED = (".shp", ".dbf")
_HEADER = 100
_RATIO = 30
"""A shapefile's parts shrink to a tenth in a zip file at best."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The other methods unpack everything at once, however much it is."""


def read_shapefile(body: bytes, projection: str | None) -> SourceFile:
    """The one shapefile in a zip file: `.shp`, `.dbf`, and `.prj` unless `projection` is given.

    :raises BoundaryError: says what is missing, or which record cannot be read.
    """
    parts = _parts(body)
    _check_length(parts[".shp"])
    system = named(projection or parts.get(".prj", b"").decode("latin-1").strip() or None)
    encoding = parts.get(".cpg", b"").decode("latin-1").strip() or "utf-8"
    features: list[dict[str, Any]] = []
    try:
        reader = shapefile.Reader(
            shp=io.BytesIO(parts[".shp"]),
            dbf=io.BytesIO(parts[".dbf"]),
            encoding=_known(encoding),
            encodingErrors="replace",
        )
        for number, record in enumerate(reader.iterShapeRecords()):
            if number == MOST_FEATURES:
                raise BoundaryError(f"has more than {MOST_FEATURES} features")
            if record.shape.shapeTypeName not in ("POLYGON", "POLYGONZ", "POLYGONM"):
                raise BoundaryError(
                    "must be a polygon; leave out features without an area", number, "geometry"
                )
            area = system.to_degrees(shape(record.shape.__geo_interface__))
            properties = {name: _plain(value) for name, value in record.record.as_dict().items()}
            features.append(
                {"type": "Feature", "properties": properties, "geometry": dict(mapping(area))}
            )
    except BoundaryError:
        raise
    except (
        shapefile.ShapefileException,
        ShapelyError,
        ArithmeticError,
        LookupError,
        OSError,
        TypeError,
        ValueError,
        AttributeError,
        EOFError,
    ):
        raise BoundaryError(
            "cannot be read; send the .shp, .dbf and .prj of one shapefile", len(features)
        ) from None
    except Exception as error:
        # struct.error, which has no public base class.
        if type(error).__module__ != "struct":
            raise
        raise BoundaryError("ends too early; the .shp or .dbf file is cut off") from None
    collection = {"type": "FeatureCollection", "features": features}
    return SourceFile(collection, "shapefile", system.name)


def _parts(body: bytes) -> Mapping[str, bytes]:
    found: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            for entry in archive.infolist():
                suffix = PurePosixPath(entry.filename).suffix.lower()
                if suffix not in _PARTS or "__MACOSX" in entry.filename:
                    continue
                if suffix in found:
                    raise BoundaryError(f"has two {suffix} files; send one shapefile at a time")
                if entry.compress_type not in _METHODS:
                    raise BoundaryError(
                        f"the {suffix} file is packed in a way that is not read; use plain zip"
                    )
                if entry.file_size > _RATIO * len(body):
                    raise BoundaryError(f"the {suffix} file is far larger than the zip file")
                with archive.open(entry) as part:
                    found[suffix] = part.read(entry.file_size)
    except BoundaryError:
        raise
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, *_DAMAGED):
        raise BoundaryError("is not a zip file that can be read") from None
    for suffix in _NEEDED:
        if suffix not in found:
            raise BoundaryError(f"the zip file has no {suffix} file")
    return found


def _check_length(shp: bytes) -> None:
    """ESRI's description, page 4: the file says how long it is, in words of 16 bits."""
    if len(shp) < _HEADER or 2 * int.from_bytes(shp[24:28], "big") != len(shp):
        raise BoundaryError("ends too early; the .shp file is cut off")


def _known(encoding: str) -> str:
    try:
        "".encode(encoding)
    except (LookupError, ValueError):
        return "utf-8"
    return encoding


def _plain(value: object) -> object:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    # An empty field is no code and no name.
    return value if value is None or isinstance(value, (str, int, float)) else str(value)
