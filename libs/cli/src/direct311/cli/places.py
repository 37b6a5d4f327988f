"""Places of the demo's requests: points and addresses all over the county, and some outside it.

The centers of places are published facts (US Census gazetteer). A seeded generator scatters points
around them, so that every run uses the same points.
"""

import random
from dataclasses import dataclass

CENTRES = (
    ("Miami", 25.7742, -80.2120),
    ("Hialeah", 25.8696, -80.3046),
    ("Miami Beach", 25.8140, -80.1340),
    ("Homestead", 25.4664, -80.4472),
    ("Doral", 25.8168, -80.3530),
    ("Coral Gables", 25.7150, -80.2790),
    ("Kendall", 25.6660, -80.3580),
    ("Westchester", 25.7470, -80.3360),
    ("Brownsville", 25.8216, -80.2418),
    ("Redland", 25.5300, -80.4500),
)
ADDRESSES = (
    "11500 SW 104TH ST, 33176",
    "8250 NW 27TH AVE, 33147",
    "15705 SW 88TH ST, 33196",
    "no idea, behind the big tree",
)


@dataclass(frozen=True, slots=True)
class Spot:
    """Degrees in WGS 84, or an address."""

    latitude: float | None = None
    longitude: float | None = None
    address: str | None = None

    def fields(self) -> list[tuple[str, str]]:
        """As Open311's form fields."""
        if self.address is not None:
            return [("address_string", self.address)]
        return [("lat", f"{self.latitude:.6f}"), ("long", f"{self.longitude:.6f}")]


def spots(count: int) -> list[Spot]:
    """This many places, always the same; one in twelve is an address."""
    dice = random.Random(311)  # noqa: S311 - the same places each run, nothing secret
    found = []
    for number in range(count):
        if number % 12 == 11:
            found.append(Spot(address=ADDRESSES[number // 12 % len(ADDRESSES)]))
            continue
        _, latitude, longitude = CENTRES[number % len(CENTRES)]
        found.append(
            Spot(
                round(latitude + dice.uniform(-0.015, 0.015), 6),
                round(longitude + dice.uniform(-0.015, 0.015), 6),
            )
        )
    return found
