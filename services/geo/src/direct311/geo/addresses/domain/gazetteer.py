"""Addresses whose position was published."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KnownAddress:
    """A position in degrees of WGS 84. `error_m` is 0 for the address itself, else the distance to
    which a neighbour's position may be off."""

    canonical: str
    latitude: float
    longitude: float
    zip_code: str | None = None
    municipality: str | None = None
    error_m: float = 0.0
