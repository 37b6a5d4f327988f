"""Geo's reading of an address, without geo."""

from direct311.intake.indexes.ports import ReadAddress
from direct311.runtime.errors import TransientError
from direct311.schemas.events import Place


class InOneLine:
    """Reads every address as itself, or as no address while it is `away`. All are at `point`."""

    def __init__(self) -> None:
        self.away = False
        self.point: tuple[float, float] | None = None
        self.error_m = 0.0

    async def normalise(self, address: str, given: Place | None = None) -> ReadAddress | None:
        if self.away:
            raise TransientError("away")
        line = " ".join(address.upper().replace("STREET", "ST").split())
        return ReadAddress(line, self.point, self.error_m, (line,)) if line else None
