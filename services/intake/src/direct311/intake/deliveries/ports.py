"""What deliveries need from outside."""

from typing import Protocol

from direct311.intake.deliveries.domain import EncryptedFile


class DeliveryDesk(Protocol):
    """The county's case desk, which keeps what was encrypted.

    Each call raises `RefusedError`: `unknown_code` if the code opens nothing, and
    `case_desk_unavailable` if the desk does not answer.
    """

    async def download(self, code: str) -> EncryptedFile:
        """What this code opens. The code is used up. Reading its content raises `RefusedError` if
        it breaks off; `not_readable`: it no longer exists."""
        ...

    async def receipt(self, code: str, receipt: str) -> None:
        """Note the receipt of what a code has opened; `receipted`: there is another one."""
        ...
