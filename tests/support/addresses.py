"""Geo's reading of an address, without geo."""

from direct311.runtime.errors import TransientError


class InOneLine:
    """Reads every address as itself, or, while it is `away`, none."""

    def __init__(self) -> None:
        self.away = False

    async def normalise(self, address: str) -> str | None:
        if self.away:
            raise TransientError("away")
        return " ".join(address.upper().replace("STREET", "ST").split()) or None
