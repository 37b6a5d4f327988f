"""Keyed hashes of a request's place, by which the protection registry knows it."""

from collections.abc import Callable, Iterator

from direct311.intake.domain.request import ServiceRequest

PlaceHashes = Callable[[str | None, float | None, float | None], tuple[str, ...]]
"""The keyed hashes of an address (one line) and of a point's cell."""


def place_values(hashes: PlaceHashes, request: ServiceRequest) -> tuple[str, ...]:
    """The hashes of all that may go out of a place: what geo found, and what was given."""
    given, found = request.place, request.located
    values: list[str] = []
    if found is not None:
        values += hashes(found.address, found.latitude, found.longitude)
    values += hashes(given.address, given.latitude, given.longitude)
    values += hashes(given.address_id, None, None)
    lies_here = found is not None and found.outcome == "resolved"
    if not lies_here and given.latitude is not None and given.longitude is not None:
        for latitude, longitude in _meant(given.latitude, given.longitude):
            values += hashes(None, latitude, longitude)
    return tuple(dict.fromkeys(values))


def _meant(latitude: float, longitude: float) -> Iterator[tuple[float, float]]:
    """Where a point lies north and west if a sign was lost, or if the two were exchanged: whoever
    reads it can undo that."""
    yield abs(latitude), -abs(longitude)
    yield abs(longitude), -abs(latitude)
