"""What accepting a submission needs from outside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Protocol

from direct311.intake.lifecycle.ports import Submitted
from direct311.intake.request import ServiceRequest
from direct311.runtime.messaging.records import Write
from direct311.runtime.vault.vault import RecordKey


class Submissions(Submitted, Protocol):
    """Where new requests are stored."""

    async def keep(self, keys: Sequence[RecordKey]) -> None:
        """Store the keys of records that will be inserted. This must finish before their `insert`
        begins.

        :raises TransientError: the database did not store them; the caller may try again.
        """
        ...

    async def insert(self, write: Write[ServiceRequest]) -> Literal["new", "repeat"]:
        """Store a request. Returns `repeat` if the idempotency key is taken; then nothing was
        stored.

        Returns when the request is durable. Many callers share one write.
        :raises TransientError: the database did not store it; the caller may try again with the
            same ids.
        """
        ...

    async def first_under(self, keys: Sequence[str], since: datetime) -> ServiceRequest | None:
        """The first request received since then with one of these idempotency keys. Many callers
        share one query.

        :raises TransientError: the database does not answer.
        """
        ...

    async def with_image(self, images: Sequence[str], since: datetime) -> str | None:
        """The id of a request received since then with one of these files.

        :raises TransientError: the database does not answer.
        """
        ...


class Recent(Protocol):
    """Contents of the last day. This is good enough for a flag: what other copies accepted is known
    a little later."""

    def first(self, fingerprint: str, since: datetime) -> str | None:
        """The id of the first request with this content that was received since then."""
        ...

    def note(self, fingerprint: str, record_id: str, at: datetime) -> None:
        """Remember that a request was received."""
        ...
