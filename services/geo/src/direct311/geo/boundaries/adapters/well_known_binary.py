"""What kind of geometry well-known binary holds (OGC 06-103r4, section 8.2), before GEOS reads it.

GEOS follows geometries within geometries without a limit, and a deep nest of them ends the whole
process.
"""

import struct

_POLYGON = 3
_MULTI_POLYGON = 6
# Flags of the extended form: Z, M, and a reference system's number.
_Z, _M, _SRID = 0x8000_0000, 0x4000_0000, 0x2000_0000


def is_of_polygons(binary: bytes) -> bool:
    """Whether it is a polygon, or a list of polygons and nothing else."""
    try:
        kind, at, order, size = _header(binary, 0)
        if kind != _MULTI_POLYGON:
            return kind == _POLYGON
        (count,) = struct.unpack_from(f"{order}I", binary, at)
        at += 4
        for _ in range(count):
            kind, at, order, size = _header(binary, at)
            if kind != _POLYGON:
                return False
            at = _after_rings(binary, at, order, size)
    except (struct.error, IndexError):
        return False
    return True


def _header(binary: bytes, at: int) -> tuple[int, int, str, int]:
    """The kind of geometry, where its content begins, its byte order, and the size of a point."""
    order = "<" if binary[at] == 1 else ">"
    (code,) = struct.unpack_from(f"{order}I", binary, at + 1)
    plain = code & ~(_Z | _M | _SRID)
    more = 2 if plain // 1000 == 3 else 1 if plain // 1000 in (1, 2) else 0
    more = max(more, bool(code & _Z) + bool(code & _M))
    after = at + 5 + (4 if code & _SRID else 0)
    return plain % 1000, after, order, 8 * (2 + more)


def _after_rings(binary: bytes, at: int, order: str, size: int) -> int:
    (rings,) = struct.unpack_from(f"{order}I", binary, at)
    at += 4
    for _ in range(rings):
        (points,) = struct.unpack_from(f"{order}I", binary, at)
        at += 4 + points * size
    return at
