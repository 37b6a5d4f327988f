"""Where the certificates are kept, and the service's signature."""

from collections.abc import Sequence
from datetime import date
from typing import Protocol

from direct311.retention.certificates.domain import Certificate


class Certificates(Protocol):
    """What can be asked of the certificates; they are written through the event processor."""

    async def get(self, certificate_id: str) -> Certificate | None: ...

    async def disposed(self, first_on: date, last_on: date) -> Sequence[Certificate]:
        """Those with a date of disposition between these days, both included."""
        ...


class Seal(Protocol):
    """The service's signature."""

    @property
    def keyid(self) -> str: ...

    def sign_bytes(self, value: bytes) -> bytes: ...
