"""Whose submissions the protection registry knows: noted, never refused.

Whoever has a client's key can send a name, a number or a pin and look whether the request shows.
What tells is a client with many protected requests in an hour. Kept in memory, by client: nothing
of persons or requests. Not a metric: those can be read by more than should learn it.
"""

from collections import Counter
from datetime import datetime

import structlog

MANY = 10
"""Protected requests of a client in an hour that are written down, and again each so many more."""

_log = structlog.get_logger(__name__)


class Hits:
    """Counts by client and hour. Each copy of the process counts for itself."""

    def __init__(self) -> None:
        self._hour = -1
        self._of: Counter[str] = Counter()

    def note(self, client_id: str, at: datetime) -> None:
        """Count a request or a correction that the registry knows."""
        hour = int(at.timestamp()) // 3600
        if hour != self._hour:
            self._hour = hour
            self._of.clear()
        self._of[client_id] += 1
        if self._of[client_id] % MANY == 0:
            _log.warning("protection.many_hits", client=client_id, hits=self._of[client_id])
