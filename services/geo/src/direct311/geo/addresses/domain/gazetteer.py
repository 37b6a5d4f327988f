"""Addresses with published positions."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KnownAddress:
    """A position in degrees of WGS 84. `error_m` is 0 for the address itself; for a neighbor's
    position, how far off it may be."""

    canonical: str
    latitude: float
    longitude: float
    zip_code: str | None = None
    municipality: str | None = None
    error_m: float = 0.0
