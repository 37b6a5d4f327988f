"""Where the certificates are stored, and the service's signature."""

from collections.abc import Sequence
from datetime import date
from typing import Protocol

from direct311.retention.certificates.domain import Certificate
from direct311.retention.record import ReleasedWith


class Certificates(Protocol):
    """Queries over the certificates; the event processor writes them."""

    async def get(self, certificate_id: str) -> Certificate | None: ...

    async def disposed(self, first_on: date, last_on: date) -> Sequence[Certificate]:
        """The certificates with a date of disposition between these days, both included."""
        ...


class Releases(Protocol):
    """With which disclosure cases records went out, as their files say."""

    async def released_with(self, record_ids: Sequence[str]) -> Sequence[tuple[str, ReleasedWith]]:
        """Each of these records that went out, with the case and its package. The case files that
        were destroyed are left out: their records remember them."""
        ...


class Seal(Protocol):
    """The service's signature."""

    @property
    def keyid(self) -> str: ...

    def sign_bytes(self, value: bytes) -> bytes: ...
