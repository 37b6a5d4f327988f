"""The log's files under lock."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol


class ExistsOtherwiseError(Exception):
    """An object that must have these bytes exists with others."""


class Objects(Protocol):
    """The log's files under lock."""

    async def put_new(self, path: str, body: bytes, content_type: str, at: datetime) -> None:
        """Store an object that cannot be changed or removed; the same bytes again change nothing.

        :raises ExistsOtherwiseError: it exists with other bytes.
        """
        ...

    async def get(self, path: str) -> bytes:
        """:raises MissingTileError: it does not exist."""
        ...

    async def empty(self) -> bool:
        """Whether no entry of a log was ever stored."""
        ...

    async def checkpoints(self) -> Sequence[str]:
        """Paths of the checkpoints under lock, oldest first."""
        ...
