"""What the public lists need of the world."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from direct311.intake.updates import Update


class Updates(Protocol):
    """The public histories of those requests that the public lists show."""

    async def written(self, since: datetime, until: datetime, most: int) -> Sequence[Update]:
        """What was written at `since` or later and before `until`, oldest first.

        Where there is more than `most`: so many, and all of the same second as the last.
        """
        ...
