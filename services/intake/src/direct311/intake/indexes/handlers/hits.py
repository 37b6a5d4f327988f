"""Which clients' submissions match the protection registry: noted, never refused.

Somebody with a client's key can send a name, a number or a pin and check whether the request shows
in public. A client with many protected requests in an hour gives this away. Counts are kept in
memory, by client, with nothing about people or requests. This is not a metric, because more people
can read metrics than should learn this.
"""

from collections import Counter
from datetime import datetime

import structlog

MANY = 10
"""This many protected requests of a client in an hour are logged, and again after each further such
number."""

_log = structlog.get_logger(__name__)


class Hits:
    """Counts by client and hour. Each copy of the process counts separately."""

    def __init__(self) -> None:
        self._hour = -1
        self._of: Counter[str] = Counter()

    def note(self, client_id: str, at: datetime) -> None:
        """Count a request or a correction that matches the registry."""
        hour = int(at.timestamp()) // 3600
        if hour != self._hour:
            self._hour = hour
            self._of.clear()
        self._of[client_id] += 1
        if self._of[client_id] % MANY == 0:
            _log.warning("protection.many_hits", client=client_id, hits=self._of[client_id])
