"""What taking a submission in needs of the world."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Protocol

from direct311.intake.lifecycle.ports import Submitted
from direct311.intake.request import ServiceRequest
from direct311.runtime.messaging.records import Write
from direct311.runtime.vault.vault import RecordKey


class Submissions(Submitted, Protocol):
    """Where new requests go."""

    async def keep(self, keys: Sequence[RecordKey]) -> None:
        """Store the keys of records that are to be; must be done before their `insert` begins.

        :raises TransientError: the database did not take them; they may be tried again.
        """
        ...

    async def insert(self, write: Write[ServiceRequest]) -> Literal["new", "repeat"]:
        """Store a request; `repeat` where the idempotency key is taken, and nothing was.

        Returns when the request is durable. Many callers share one write.

        :raises TransientError: the database did not take it; the same ids may be tried again.
        """
        ...

    async def first_under(self, keys: Sequence[str], since: datetime) -> ServiceRequest | None:
        """The first request with one of these idempotency keys that was received since then.

        Many callers share one question.

        :raises TransientError: the database does not answer.
        """
        ...

    async def with_image(self, images: Sequence[str], since: datetime) -> str | None:
        """The id of a request with one of these files that was received since then.

        :raises TransientError: the database does not answer.
        """
        ...


class Recent(Protocol):
    """The contents of the last day. Good enough for a flag: another copy's are known late."""

    def first(self, fingerprint: str, since: datetime) -> str | None:
        """The id of the first request with this content, where it was received since then."""
        ...

    def note(self, fingerprint: str, record_id: str, at: datetime) -> None:
        """A request was received."""
        ...
