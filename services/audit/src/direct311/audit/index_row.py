"""An entry in the log and in the query index."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from direct311.audit.entry import Facts


@dataclass(frozen=True, slots=True)
class IndexRow:
    """An entry: `index` in the log, `data` (the sealed leaf), its hash, and the cleartext.

    `facts` is `None` once they were forgotten with their record. `tag` vouches for the whole row:
    see `tags`.
    """

    index: int
    event_id: str
    logged_at: datetime
    data: bytes
    leaf: bytes
    facts: Facts | None
    tag: bytes = b""

    def under(self, event_id: str) -> "IndexRow":
        """A copy with another event's id; it has no tag yet."""
        facts = self.facts and self.facts.under(event_id)
        return replace(self, event_id=event_id, facts=facts)


Tagger = Callable[[IndexRow], bytes]
"""The tag of a row, computed from everything else in it."""


@dataclass(frozen=True, slots=True)
class EntrySummary:
    """What observers of the log see of an entry; `facts` as in `IndexRow`."""

    index: int
    event_id: str
    logged_at: datetime
    facts: Facts | None
