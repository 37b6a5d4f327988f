"""Keyed hashes of a place, by which the protection registry recognizes it."""

from collections.abc import Callable, Iterator

from direct311.intake.indexes.domain.points import points_in
from direct311.intake.indexes.domain.reach import NEAR_ENOUGH
from direct311.intake.indexes.ports import ReadAddress
from direct311.intake.request import ServiceRequest

PlaceHashes = Callable[[str | None, float | None, float | None], tuple[str, ...]]
"""The keyed hashes of an address (one line) and of a point's cell."""


def home_values(hashes: PlaceHashes, read: ReadAddress) -> tuple[str, ...]:
    """The hashes of all readings of an address, without those of its point."""
    lines = (read.line, *read.readings)
    return tuple(dict.fromkeys(value for line in lines for value in hashes(line, None, None)))


def own_point(read: ReadAddress) -> tuple[float, float] | None:
    """Geo's own point for an address, if it is known accurately enough to count."""
    return read.point if read.error_m <= NEAR_ENOUGH else None


def point_values(hashes: PlaceHashes, text: str | None) -> tuple[str, ...]:
    """The hashes of the points in a text."""
    return tuple(
        value
        for point in points_in(text)
        for latitude, longitude in _meant(*point)
        for value in hashes(None, latitude, longitude)
    )


def place_values(hashes: PlaceHashes, request: ServiceRequest) -> tuple[str, ...]:
    """The hashes of everything about a place that may be published: what geo found, what was given
    (including points in its words), and how geo reads those, with its own point for them."""
    given, found = request.place, request.located
    values: list[str] = []
    if found is not None:
        values += hashes(found.address, found.latitude, found.longitude)
    values += hashes(given.address, given.latitude, given.longitude)
    values += hashes(given.address_id, None, None)
    for text in (given.address, given.address_id):
        values += point_values(hashes, text)
    if (read := request.read) is not None:
        for reading in read.readings:
            values += hashes(reading, None, None)
        if read.error_m is not None and read.error_m <= NEAR_ENOUGH:
            values += hashes(None, read.latitude, read.longitude)
    lies_here = found is not None and found.outcome == "resolved"
    if not lies_here and given.latitude is not None and given.longitude is not None:
        for latitude, longitude in _meant(given.latitude, given.longitude):
            values += hashes(None, latitude, longitude)
    return tuple(dict.fromkeys(values))


def _meant(latitude: float, longitude: float) -> Iterator[tuple[float, float]]:
    """The point's positions north and west if a sign was lost or the two were exchanged, because
    any reader can undo that."""
    yield abs(latitude), -abs(longitude)
    yield abs(longitude), -abs(latitude)
