"""How far a point reaches, and how well it must be known to count."""

NEAR_ENOUGH = 50.0
"""How accurately, in meters, geo must know an address's position for its point to count."""
POINT_REACH = 30.0
"""Within this many meters of an entry's point a pin counts as on the home: half a lot plus a
phone's error. Forty would hide more than one real address in 200 (decision 54)."""


def reach(error_m: float) -> float:
    """The radius, in meters, around a point accurate to `error_m` that includes the home itself."""
    return max(POINT_REACH, error_m)
