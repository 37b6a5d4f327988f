"""The case desk's deliveries in memory, as intake asks for them."""

from collections.abc import Mapping
from hashlib import sha256

from direct311.intake.deliveries.domain import EncryptedFile
from direct311.runtime.errors import RefusedError
from tests.support.records_packages import arriving


class InMemoryDeliveryDesk:
    """`DeliveryDesk`: what each code opens. `used`: the codes that have opened it; `receipts`: what
    was said for each. `away`: the desk does not answer."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)
        self.used: set[str] = set()
        self.receipts: dict[str, str] = {}
        self.away = False

    async def download(self, code: str) -> EncryptedFile:
        self._answers()
        if code not in self.files or code in self.used:
            raise RefusedError("unknown_code", "No delivery has this code, or it was used.")
        self.used.add(code)
        content = self.files[code]
        half = len(content) // 2 + 1
        pieces = [content[:half], content[half:]]
        return EncryptedFile(sha256(content).hexdigest(), len(content), arriving(pieces))

    async def receipt(self, code: str, receipt: str) -> None:
        self._answers()
        if code not in self.used:
            raise RefusedError("unknown_code", "No delivery has this code, or it was used.")
        if self.receipts.setdefault(code, receipt) != receipt:
            raise RefusedError("receipted", "Another receipt was given.")

    def _answers(self) -> None:
        if self.away:
            raise RefusedError("case_desk_unavailable", "Away.", retry_after=5)
