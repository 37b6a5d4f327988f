"""The use cases of whoever has a code."""

from direct311.intake.deliveries.domain import EncryptedFile
from direct311.intake.deliveries.ports import DeliveryDesk


class Deliveries:
    """Passes codes on to the case desk. What a code opens is encrypted, and checks itself when it
    is decrypted."""

    def __init__(self, desk: DeliveryDesk) -> None:
        self._desk = desk

    async def download(self, code: str) -> EncryptedFile:
        """:raises RefusedError: the code opens nothing, or the desk does not answer."""
        return await self._desk.download(code)

    async def receipt(self, code: str, receipt: str) -> None:
        """:raises RefusedError: the code has opened nothing, another receipt was given, or the desk
        does not answer."""
        await self._desk.receipt(code, receipt)
