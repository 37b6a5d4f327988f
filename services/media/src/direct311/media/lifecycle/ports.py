"""What the sweep needs from outside, besides the buckets."""

from collections.abc import Sequence
from typing import Protocol


class Holdings(Protocol):
    """What the documents mention, for the sweep."""

    async def known_uploads(self, upload_ids: Sequence[str]) -> set[str]:
        """The uploads in a document: examined, and no longer needed where they waited."""
        ...

    async def named_copies(self, names: Sequence[str]) -> set[str]:
        """The copies that a document names."""
        ...

    async def living_records(self, record_ids: Sequence[str]) -> set[str]:
        """The records with a document that is not a tombstone."""
        ...
