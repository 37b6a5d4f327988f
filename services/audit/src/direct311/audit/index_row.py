"""An entry as it lies in the log and in the query index."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from direct311.audit.entry import Facts


@dataclass(frozen=True, slots=True)
class IndexRow:
    """An entry: `index` in the log, `data` (the sealed leaf), its hash, and what is in clear.

    `facts` is `None` once they were forgotten with the record that they spoke of. `tag` vouches for
    all of it: see `tags`.
    """

    index: int
    event_id: str
    logged_at: datetime
    data: bytes
    leaf: bytes
    facts: Facts | None
    tag: bytes = b""


Tagger = Callable[[IndexRow], bytes]
"""The tag of a row, from all else that it says."""


@dataclass(frozen=True, slots=True)
class EntrySummary:
    """What those who watch the log see of an entry; `facts` as in `IndexRow`."""

    index: int
    event_id: str
    logged_at: datetime
    facts: Facts | None
