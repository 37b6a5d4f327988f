"""The query index, and what its rebuilding and its watch remember."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from direct311.audit.entry import Filter
from direct311.audit.index.domain import Dimension, Exempt, Group, IndexWalk, Rebuild
from direct311.audit.index_row import EntrySummary, IndexRow, Tagger


class Entries(Protocol):
    """The query index. Every answer lies below the head's size that is given."""

    async def find(
        self,
        query: Filter,
        *,
        before: int,
        floor: int,
        limit: int,
        exempt: Exempt | None = None,
        oldest_first: bool = False,
    ) -> Sequence[IndexRow]:
        """At most `limit` entries in [floor, before) that fit, newest first unless told otherwise.

        `exempt`: how withheld entries are met; without it they are like others.
        """
        ...

    async def groups(
        self,
        query: Filter,
        by: Sequence[Dimension],
        *,
        before: int,
        floor: int,
        exempt: Exempt | None = None,
    ) -> Sequence[Group]:
        """The entries in [floor, before) that fit, counted by these dimensions (none: one group of
        all, or none where nothing fits). Entries whose facts were forgotten do not count."""
        ...

    async def summaries(self, start: int, end: int) -> Sequence[EntrySummary]:
        """The entries [start, end) in order, without what they hold."""
        ...

    async def by_event(self, event_id: str, size: int) -> IndexRow | None: ...

    async def first_logged(self, at: datetime, size: int) -> int:
        """The first entry that was logged at `at` or later; `size` if there is none."""
        ...

    async def rows(self, start: int, end: int) -> Sequence[IndexRow]:
        """What it says of the entries [start, end), in order; some may be missing."""
        ...

    async def indexes_of(self, event_ids: Sequence[str], before: int) -> Mapping[str, int]:
        """The entries below `before` that these events have."""
        ...

    async def restore(self, rows: Sequence[IndexRow], epoch: int) -> None:
        """Make it say this; what says so already stays as it is.

        `rows` are in order, and their events have no other entry in the log.
        """
        ...

    async def forget(self, record_id: str, tag: Tagger) -> int:
        """Remove what is in clear of the entries about a record, but of disposition; how many. Of
        those too that are only staged so far.

        An entry that is about other records too keeps the rest. The ids of the events are kept
        apart from the index (`forgotten`): the day may come when no key opens their entries.
        """
        ...

    async def forget_rows(self, rows: Sequence[IndexRow], tag: Tagger) -> None:
        """Remove what is in clear of these entries, as `forget` does."""
        ...

    async def forgotten(self, start: int, end: int) -> Mapping[int, str]:
        """The ids of events whose entries [start, end) were forgotten in part or whole."""
        ...

    async def mark_opened(self, event_ids: Sequence[str], size: int) -> set[str]:
        """Note that the fetches which these events authorised have happened; those that exist."""
        ...

    async def not_opened(self, start: int, end: int, limit: int) -> tuple[int, list[str]]:
        """Events of the entries [start, end) that authorised a fetch which did not happen: how
        many, and the ids of at most `limit`."""
        ...

    async def opened(self, start: int, end: int) -> int:
        """How many events of the entries [start, end) led to a fetch."""
        ...


class FetchCursors(Protocol):
    """How far reconciliation has read the services' fetches of keys."""

    async def rewind(self) -> None:
        """Forget it: every service is read again from as far back as it tells."""
        ...


class Progress(Protocol):
    """What the rebuilding and the watching of the index remember between their steps."""

    async def rebuild(self) -> Rebuild | None:
        """The last one that was asked for."""
        ...

    async def keep_rebuild(self, old: Rebuild | None, new: Rebuild) -> bool:
        """Replace `old` by `new`; whether it was still there."""
        ...

    async def walk(self) -> IndexWalk: ...

    async def keep_walk(self, walk: IndexWalk) -> None: ...
