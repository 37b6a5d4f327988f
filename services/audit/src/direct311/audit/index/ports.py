"""The query index, and the progress of rebuilding and watching it."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from direct311.audit.entry import Filter
from direct311.audit.index.domain import (
    CaseExemption,
    Cases,
    Dimension,
    Exempt,
    Group,
    IndexWalk,
    Rebuild,
)
from direct311.audit.index_row import EntrySummary, IndexRow, Tagger

DestroyedKeys = Callable[[Collection[str]], Awaitable[set[str]]]
"""Which of these keys were destroyed."""


class Entries(Protocol):
    """The query index. Every answer is below the given size of the head."""

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
        """At most `limit` matching entries in [floor, before), newest first unless told otherwise.
        `exempt`: how withheld entries are treated; without it they are treated like others.
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
        """The matching entries in [floor, before), counted by these dimensions (without any: one
        group of all, or no group if nothing matches). Entries whose facts were forgotten do not
        count."""
        ...

    async def summaries(self, start: int, end: int) -> Sequence[EntrySummary]:
        """The entries [start, end) in order, without their content."""
        ...

    async def by_event(self, event_id: str, size: int) -> IndexRow | None: ...

    async def first_logged(self, at: datetime, size: int) -> int:
        """The first entry that was logged at `at` or later; `size` if there is none."""
        ...

    async def rows(self, start: int, end: int) -> Sequence[IndexRow]:
        """What the index says about the entries [start, end), in order; some may be missing."""
        ...

    async def indexes_of(self, event_ids: Sequence[str], before: int) -> Mapping[str, int]:
        """The entries below `before` that these events have."""
        ...

    async def add(self, rows: Sequence[IndexRow], epoch: int) -> Sequence[IndexRow]:
        """Insert these rows, in order, of entries below the head; those whose entry has a row stay
        as they are. Returns the rows whose event has an earlier one, which were not inserted."""
        ...

    async def keep_ids(self, ids: Mapping[int, str]) -> None:
        """Store events' ids separately from the index (index → id), as `forget` does."""
        ...

    async def restore(self, rows: Sequence[IndexRow], epoch: int) -> None:
        """Make the index say this; rows that already do are unchanged.

        `rows` are in order, and their events have no other entry in the log.
        """
        ...

    async def forget(self, record_id: str, tag: Tagger, destroyed: DestroyedKeys) -> int:
        """Remove the cleartext of the entries about a record, or about the disclosure case whose
        file it is, except those about disposition; returns how many.

        An entry that is also about other records, or under a case whose key is not `destroyed`,
        keeps the rest. The events' ids are stored separately from the index (`forgotten`), because
        some day no key may open their entries.
        """
        ...

    async def forget_rows(self, rows: Sequence[IndexRow], tag: Tagger) -> None:
        """Remove the cleartext of these entries, as `forget` does."""
        ...

    async def forgotten(self, start: int, end: int) -> Mapping[int, str]:
        """The ids of events whose entries in [start, end) were partly or completely forgotten."""
        ...

    async def mark_opened(self, event_ids: Sequence[str], size: int) -> set[str]:
        """Note that the fetches authorized by these events have happened; returns the events that
        exist."""
        ...

    async def not_opened(self, start: int, end: int, limit: int) -> tuple[int, list[str]]:
        """Events of the entries [start, end) that authorized a fetch that did not happen: how many,
        and at most `limit` of their ids."""
        ...

    async def opened(self, start: int, end: int) -> int:
        """How many events of the entries [start, end) led to a fetch."""
        ...


class KnownCases(Protocol):
    """What disclosure cases have said last about their exemption from inspection."""

    async def all(self) -> Cases:
        """Every case that matters for what is withheld."""
        ...

    async def of(self, case_ids: Collection[str]) -> Cases:
        """Those of these cases that are known."""
        ...


class CaseExemptions(Protocol):
    """Where the latest word of each case is stored."""

    async def keep(self, said: CaseExemption, *, matters: bool) -> None:
        """Store it, unless the same or a later version is there. A case that once mattered always
        does."""
        ...

    async def that_matter(self) -> Sequence[CaseExemption]: ...

    async def of(self, case_ids: Collection[str]) -> Sequence[CaseExemption]: ...


class FetchCursors(Protocol):
    """How far reconciliation has read the services' fetches of keys."""

    async def rewind(self) -> None:
        """Forget the progress: every service is read again from as far back as it reports."""
        ...


class Progress(Protocol):
    """The progress that rebuilding and watching the index store between their steps."""

    async def rebuild(self) -> Rebuild | None:
        """The last requested rebuild."""
        ...

    async def keep_rebuild(self, old: Rebuild | None, new: Rebuild) -> bool:
        """Replace `old` with `new`; returns whether `old` was still there."""
        ...

    async def walk(self) -> IndexWalk: ...

    async def keep_walk(self, walk: IndexWalk) -> None: ...
