"""Where the certificates are stored, and the service's signature."""

from collections.abc import Sequence
from datetime import date
from typing import Protocol

from direct311.retention.certificates.domain import Certificate


class Certificates(Protocol):
    """Queries over the certificates; the event processor writes them."""

    async def get(self, certificate_id: str) -> Certificate | None: ...

    async def disposed(self, first_on: date, last_on: date) -> Sequence[Certificate]:
        """The certificates with a date of disposition between these days, both included."""
        ...


class Seal(Protocol):
    """The service's signature."""

    @property
    def keyid(self) -> str: ...

    def sign_bytes(self, value: bytes) -> bytes: ...
