"""What the sweep needs from outside, beside the buckets."""

from collections.abc import Sequence
from typing import Protocol


class Holdings(Protocol):
    """What the documents speak of, for the sweep."""

    async def known_uploads(self, upload_ids: Sequence[str]) -> set[str]:
        """Those that are in a document: examined, and no longer needed where they waited."""
        ...

    async def named_copies(self, names: Sequence[str]) -> set[str]:
        """Those that a document names."""
        ...

    async def living_records(self, record_ids: Sequence[str]) -> set[str]:
        """Those with a document that is no tombstone."""
        ...
