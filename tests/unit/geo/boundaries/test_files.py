"""Boundary files of every format: what is read, in which projection, and what is refused."""

import io
import json
import math
import sqlite3
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
import shapefile
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import shape

from direct311.geo.boundaries.adapters.files import read_file
from direct311.geo.boundaries.adapters.reference_systems import reference_system
from direct311.geo.boundaries.adapters.shapes import read_boundary_set
from direct311.geo.boundaries.adapters.well_known_binary import is_of_polygons
from direct311.geo.boundaries.domain import MOST_FEATURES, BoundaryError, SourceFile
from tests.unit.geo.boundaries.test_boundaries import Ring, collection, square
from tests.unit.geo.conftest import Rows

WITHIN_M = 0.04
FOOT = 1200 / 3937
"""Of the US survey, in meters."""
PRJ = (
    'PROJCS["NAD_1983_StatePlane_Florida_East_FIPS_0901_Feet",'
    'GEOGCS["GCS_North_American_1983",DATUM["D_North_American_1983",'
    'SPHEROID["GRS_1980",6378137.0,298.257222101]],PRIMEM["Greenwich",0.0],'
    'UNIT["Degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],'
    'PARAMETER["False_Easting",656166.6666666665],PARAMETER["False_Northing",0.0],'
    'PARAMETER["Central_Meridian",-81.0],PARAMETER["Scale_Factor",0.9999411764705882],'
    'PARAMETER["Latitude_Of_Origin",24.33333333333333],UNIT["Foot_US",0.3048006096012192]]'
)
"""As ArcGIS writes it: the words of the county's own files."""

BY_NAME = "NAD83 / Florida East (ftUS)"
"""What EPSG:2236 is called: words without a code keep their name."""

To = Callable[[float, float], tuple[float, float]]


def florida_east(longitude: float, latitude: float) -> tuple[float, float]:
    """EPSG:2236 by Snyder's formulas (USGS Professional Paper 1395, pages 60 to 63): independent of
    the library."""
    a, flattening, scale = 6378137.0, 1 / 298.257222101, 1 - 1 / 17000
    e2 = flattening * (2 - flattening)
    second = e2 / (1 - e2)

    def meridian(phi: float) -> float:
        return a * (
            (1 - e2 / 4 - 3 * e2**2 / 64 - 5 * e2**3 / 256) * phi
            - (3 * e2 / 8 + 3 * e2**2 / 32 + 45 * e2**3 / 1024) * math.sin(2 * phi)
            + (15 * e2**2 / 256 + 45 * e2**3 / 1024) * math.sin(4 * phi)
            - (35 * e2**3 / 3072) * math.sin(6 * phi)
        )

    phi, phi0 = math.radians(latitude), math.radians(24 + 20 / 60)
    n = a / math.sqrt(1 - e2 * math.sin(phi) ** 2)
    t, c = math.tan(phi) ** 2, second * math.cos(phi) ** 2
    big = math.radians(longitude + 81) * math.cos(phi)
    x = (
        scale
        * n
        * (
            big
            + (1 - t + c) * big**3 / 6
            + (5 - 18 * t + t**2 + 72 * c - 58 * second) * big**5 / 120
        )
    )
    y = scale * (
        meridian(phi)
        - meridian(phi0)
        + n
        * math.tan(phi)
        * (
            big**2 / 2
            + (5 - t + 9 * c + 4 * c**2) * big**4 / 24
            + (61 - 58 * t + t**2 + 600 * c - 330 * second) * big**6 / 720
        )
    )
    return x / FOOT + 656166.0 + 2 / 3, y / FOOT


def web_mercator(longitude: float, latitude: float) -> tuple[float, float]:
    """EPSG:3857 by its definition."""
    x = 6378137.0 * math.radians(longitude)
    return x, 6378137.0 * math.log(math.tan(math.pi / 4 + math.radians(latitude) / 2))


SYSTEMS: dict[str, To] = {"EPSG:2236": florida_east, "EPSG:3857": web_mercator}


def apart_m(one: tuple[float, float], other: tuple[float, float]) -> float:
    north = (one[1] - other[1]) * 110_783.4
    east = (one[0] - other[0]) * 111_319.5 * math.cos(math.radians(one[1]))
    return math.hypot(north, east)


@pytest.mark.parametrize("name", SYSTEMS)
@given(longitude=st.floats(-80.9, -80.1), latitude=st.floats(25.1, 26.0))
def test_a_projection_is_right_to_four_centimeters(
    name: str, longitude: float, latitude: float
) -> None:
    x, y = SYSTEMS[name](longitude, latitude)
    found = reference_system(name).point_to_degrees(x, y)
    assert apart_m(found, (longitude, latitude)) < WITHIN_M


@given(longitude=st.floats(-80.9, -80.1), latitude=st.floats(25.1, 26.0))
def test_the_countys_own_words_mean_the_same_projection(longitude: float, latitude: float) -> None:
    x, y = florida_east(longitude, latitude)
    system = reference_system(PRJ)
    assert system.name == BY_NAME
    assert apart_m(system.point_to_degrees(x, y), (longitude, latitude)) < WITHIN_M


def test_the_countys_own_rows_have_the_same_point_twice(rows: Rows) -> None:
    """x and y in EPSG:2236 beside latitude and longitude, as the county publishes them."""
    system = reference_system("EPSG:2236")
    found = [
        apart_m(
            system.point_to_degrees(float(row["x_coordinate"]), float(row["y_coordinate"])),
            (float(row["longitude"]), float(row["latitude"])),
        )
        for row in rows("requests/miami_dade_311_2013_2018.csv")
        if row.get("x_coordinate") and row.get("latitude")
    ]
    assert len(found) > 3_000
    near = sum(each < 1.5 for each in found) / len(found)
    assert near > 0.98


# ---------------------------------------------------------------- formats

TOWNS = {"West": square(-80.4, 25.6), "East": square(-80.3, 25.6)}


def in_system(to: To, ring: Ring) -> Ring:
    return [list(to(*point)) for point in ring]


def zipped(*, prj: str | None = PRJ, to: To = florida_east, cut: int = 0) -> bytes:
    parts = {suffix: io.BytesIO() for suffix in ("shp", "shx", "dbf")}
    with shapefile.Writer(**parts, shapeType=shapefile.POLYGON) as writer:
        writer.field("GEOID", "C", size=10)
        writer.field("NAME", "C", size=40)
        for number, (name, ring) in enumerate(TOWNS.items()):
            # Outer rings run clockwise in a shapefile.
            writer.poly([list(reversed(in_system(to, ring)))])
            writer.record(str(number + 1), name)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for suffix, part in parts.items():
            content = part.getvalue()
            archive.writestr(f"towns/towns.{suffix}", content[: len(content) - cut])
        if prj is not None:
            archive.writestr("towns/towns.prj", prj)
    return packed.getvalue()


def geopackage(
    *, srs: int = 3857, to: To = web_mercator, layers: tuple[str, ...] = ("towns",), sql: str = ""
) -> bytes:
    database = sqlite3.connect(":memory:")
    database.executescript(
        "CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT, srs_id INTEGER PRIMARY KEY, "
        "organization TEXT, organization_coordsys_id INTEGER, definition TEXT);"
        "CREATE TABLE gpkg_contents (table_name TEXT PRIMARY KEY, data_type TEXT);"
        "CREATE TABLE gpkg_geometry_columns (table_name TEXT, column_name TEXT, srs_id INTEGER);"
    )
    database.execute(
        "INSERT INTO gpkg_spatial_ref_sys VALUES ('x', ?, 'EPSG', ?, 'undefined')", (srs, srs)
    )
    for layer in layers:
        database.execute("INSERT INTO gpkg_contents VALUES (?, 'features')", (layer,))
        database.execute("INSERT INTO gpkg_geometry_columns VALUES (?, 'geom', ?)", (layer, srs))
        if sql:
            database.executescript(sql)
            continue
        quoted = layer.replace('"', '""')
        database.execute(f'CREATE TABLE "{quoted}" (fid INTEGER, geom BLOB, GEOID TEXT, NAME TEXT)')
        for number, (name, ring) in enumerate(TOWNS.items()):
            area = shapely.Polygon(in_system(to, ring))
            box = struct.pack("<4d", *area.bounds)
            header = b"GP\x00\x03" + struct.pack("<i", srs) + box
            blob = header + shapely.to_wkb(area)
            database.execute(
                f'INSERT INTO "{quoted}" VALUES (?, ?, ?, ?)',  # noqa: S608
                (number, blob, str(number + 1), name),
            )
    database.commit()
    return bytes(database.serialize())


def read(
    body: bytes, projection: str | None = None, table: str | None = None
) -> tuple[SourceFile, dict[str, Any]]:
    file = read_file(body, projection=projection, table=table)
    one = read_boundary_set(file.document, layer="municipality", source="test")
    return file, {each.name: shape(dict(each.geometry)) for each in one.features}


def old_geojson(to: To, name: str) -> bytes:
    features: list[tuple[dict[str, object], Ring]] = [
        ({"GEOID": each, "NAME": each}, in_system(to, ring)) for each, ring in TOWNS.items()
    ]
    document = collection(*features, crs={"type": "name", "properties": {"name": name}})
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("body", "format_", "projection"),
    [
        (zipped(), "shapefile", BY_NAME),
        (geopackage(), "GeoPackage", "EPSG:3857"),
        (geopackage(srs=2236, to=florida_east), "GeoPackage", "EPSG:2236"),
        (old_geojson(florida_east, "urn:ogc:def:crs:EPSG::2236"), "GeoJSON", "EPSG:2236"),
        (old_geojson(web_mercator, "EPSG:3857"), "GeoJSON", "EPSG:3857"),
        (old_geojson(lambda x, y: (x, y), "urn:ogc:def:crs:OGC:1.3:CRS84"), "GeoJSON", "EPSG:4326"),
    ],
)
def test_the_same_areas_come_from_every_format(body: bytes, format_: str, projection: str) -> None:
    file, areas = read(body)
    assert (file.format, file.projection) == (format_, projection)
    assert set(areas) == set(TOWNS)
    for name, area in areas.items():
        given = [tuple(point) for point in TOWNS[name]]
        for point in shapely.get_coordinates(area).tolist():
            assert min(apart_m((point[0], point[1]), (x, y)) for x, y in given) < WITHIN_M


def test_a_projection_may_be_named_where_the_file_names_none() -> None:
    file, areas = read(zipped(prj=None), "EPSG:2236")
    assert (file.projection, set(areas)) == ("EPSG:2236", set(TOWNS))


@pytest.mark.parametrize("layer", ["towns", 'a "quoted" name'])
def test_a_layer_of_several_is_named(layer: str) -> None:
    body = geopackage(layers=(layer, "others"))
    with pytest.raises(BoundaryError, match="has 2 layers; name the one to read"):
        read(body)
    assert set(read(body, table=layer)[1]) == set(TOWNS)


BOMB = (
    "CREATE VIEW towns AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
    "SELECT i AS fid, NULL AS geom, 'x' AS NAME FROM n;"
)


@pytest.mark.parametrize(
    ("body", "given", "said"),
    [
        (zipped(prj=None), {}, "projection: the file names none; name it as an EPSG code"),
        (zipped(), {"projection": "EPSG:99999"}, "projection: is not known"),
        (zipped(prj="+proj=utm +nadgrids=/etc/passwd"), {}, "projection: is not known"),
        (zipped(cut=40), {}, "cut off|cannot be read"),
        (zipped()[:200], {}, "is not a zip file"),
        (geopackage()[:5000], {}, "is not a GeoPackage|no such layer|layers"),
        (geopackage(), {"table": "others"}, "table: the GeoPackage has no such layer"),
        (geopackage(sql=BOMB), {}, "table: the layer is no table of its own"),
        (geopackage(srs=-1), {}, "projection: the file names none"),
        (
            old_geojson(florida_east, "EPSG:4326"),
            {},
            "feature 0: geometry: coordinates are not longitude and latitude",
        ),
    ],
)
def test_what_is_wrong_is_said_with_what_would_be_right(
    body: bytes, given: dict[str, str], said: str
) -> None:
    with pytest.raises(BoundaryError, match=said):
        read(body, **given)


def test_a_zip_bomb_is_not_unpacked() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.shp", b"\0" * 20_000_000)
        archive.writestr("a.dbf", b"")
    with pytest.raises(BoundaryError, match="far larger than the zip file"):
        read(packed.getvalue())


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_packing_that_is_unpacked_all_at_once_is_refused(method: int) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        archive.writestr("a.shp", b"\0" * 200)
    with pytest.raises(BoundaryError, match="packed in a way that is not read"):
        read(packed.getvalue())


def test_a_shapefile_of_more_areas_than_a_set_may_have_is_not_read_to_its_end() -> None:
    parts = {suffix: io.BytesIO() for suffix in ("shp", "dbf")}
    with shapefile.Writer(**parts, shapeType=shapefile.POLYGON) as writer:
        writer.field("GEOID", "C", size=10)
        for number in range(MOST_FEATURES + 1):
            writer.poly([[[0, 0], [0, 1], [1, 1], [0, 0]]])
            writer.record(str(number))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for suffix, part in parts.items():
            archive.writestr(f"a.{suffix}", part.getvalue())
    with pytest.raises(BoundaryError, match=f"has more than {MOST_FEATURES} features"):
        read_file(packed.getvalue(), projection="EPSG:4326", table=None)


def test_an_empty_field_of_a_shapefile_is_no_code() -> None:
    parts = {suffix: io.BytesIO() for suffix in ("shp", "dbf")}
    with shapefile.Writer(**parts, shapeType=shapefile.POLYGON) as writer:
        writer.field("MUNICID", "N", size=10)
        writer.field("code", "C", size=10)
        writer.poly([[[0, 0], [0, 1], [1, 1], [0, 0]]])
        writer.record(None, "")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for suffix, part in parts.items():
            archive.writestr(f"a.{suffix}", part.getvalue())
    with pytest.raises(BoundaryError, match="has neither a code nor a name"):
        read(packed.getvalue(), "EPSG:4326")


@pytest.mark.parametrize("kind", [6, 7])
def test_a_deep_nest_of_geometries_is_refused_before_it_ends_the_process(kind: int) -> None:
    # In a process of its own: GEOS would end it.
    nest = (b"\x01" + struct.pack("<II", kind, 1)) * 300_000
    blob = b"GP\x00\x01" + struct.pack("<i", 3857) + nest
    rows = f"VALUES (x'{blob.hex()}');"
    sql = f"CREATE TABLE towns (geom BLOB); INSERT INTO towns {rows}"
    code = (
        "import sys\n"
        "from direct311.geo.boundaries.adapters.files import read_file\n"
        "try:\n"
        "    read_file(sys.stdin.buffer.read(), projection=None, table=None)\n"
        "except ValueError as error:\n"
        "    print(error)\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], input=geopackage(sql=sql), capture_output=True, check=False
    )
    assert found.returncode == 0
    assert b"must be a Polygon or a MultiPolygon" in found.stdout


def test_every_form_of_a_polygon_in_well_known_binary_is_known() -> None:
    box = shapely.box(0, 0, 1, 1)
    both = shapely.MultiPolygon([box, shapely.box(3, 3, 5, 5)])
    for area in (box, both, shapely.force_3d(box), shapely.force_3d(both)):
        numbered = shapely.set_srid(area, 26917)
        for order in (0, 1):
            assert is_of_polygons(shapely.to_wkb(area, flavor="iso", byte_order=order))
            assert is_of_polygons(shapely.to_wkb(numbered, byte_order=order, include_srid=True))
    assert not is_of_polygons(shapely.to_wkb(shapely.Point(0, 0)))
    assert not is_of_polygons(b"")


LONG = (
    "CREATE TABLE towns (geom BLOB, a TEXT, b TEXT AS (a || a || a || a), "
    "c TEXT AS (b || b || b || b), NAME TEXT AS (c || c || c || c)); "
    "INSERT INTO towns (geom, a) VALUES (x'4750', printf('%.20000c', 'a'));"
)
OWN_CATALOG = (
    "CREATE TABLE towns (geom BLOB); ALTER TABLE gpkg_contents RENAME TO other; "
    "CREATE VIEW gpkg_contents AS SELECT * FROM other;"
)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        (LONG, "far larger than the file|is not a GeoPackage"),
        (OWN_CATALOG, "is not a GeoPackage that can be read"),
    ],
)
def test_a_database_that_computes_what_it_says_is_refused(sql: str, said: str) -> None:
    with pytest.raises(BoundaryError, match=said):
        read(geopackage(sql=sql))


MOON = (
    'GEOGCS["Moon",DATUM["D_Moon_2000",SPHEROID["Moon_2000_IAU_IAG",1737400.0,0.0]],'
    'PRIMEM["Reference_Meridian",0.0],UNIT["Degree",0.0174532925199433]]'
)
SHIFTED = (
    'GEOGCS["x",DATUM["y",SPHEROID["z",6378206.4,294.97],EXTENSION["PROJ4_GRIDS","/a/file"]],'
    'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]]'
)
PIPED = (
    'PROJCRS["x",BASEGEOGCRS["y",DATUM["z",ELLIPSOID["WGS 84",6378137,298.257223563]]],'
    'CONVERSION["c",METHOD["PROJ-based operation method: +proj=hgridshift +grids=/a/file"]],'
    'CS[Cartesian,2],AXIS["e",east],AXIS["n",north],LENGTHUNIT["metre",1]]'
)


@pytest.mark.parametrize(
    ("prj", "said"),
    [
        (MOON, "projection: cannot be converted to WGS 84"),
        (SHIFTED, "projection: refers to other files"),
        (PIPED, "projection: refers to other files"),
    ],
)
def test_a_projection_that_opens_files_or_is_not_of_the_earth_is_refused(
    prj: str, said: str
) -> None:
    with pytest.raises(BoundaryError, match=said):
        read(zipped(prj=prj))


@given(st.binary(max_size=200), st.integers(0, 400))
def test_damaged_files_are_refused_and_nothing_else_happens(junk: bytes, at: int) -> None:
    for whole in (ZIPPED, PACKAGED):
        body = whole[:at] + junk + whole[at + len(junk) :]
        try:
            read(body)
        except (BoundaryError, ValueError):
            continue


ZIPPED, PACKAGED = zipped(), geopackage()
