"""How far a point reaches, and how well it must be known to count."""

NEAR_ENOUGH = 50.0
"""Metres to which geo must know where an address lies for its point to count."""
POINT_REACH = 30.0
"""Metres around an entry's point within which a pin is on the home: half a lot and what a telephone
is off by. Forty would hide more than one real address in 200 (decision 54)."""


def reach(error_m: float) -> float:
    """Metres around a point that is right to `error_m`: the home itself lies within."""
    return max(POINT_REACH, error_m)
