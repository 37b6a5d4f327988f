"""What a search for a case looks for, and what it answers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

MOST_ANSWERED = 500
"""The most record ids in one answer: as many as a grant can name."""

Box = tuple[float, float, float, float]
"""West, south, east and north, in degrees of WGS 84."""


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What is public of a request, by which a search is narrowed. What is `None` or empty narrows
    nothing.

    `municipality`: the name as the public sees it. `box`: finds requests whose point is public and
    inside. `received_from` and `received_before`: when the county received the request.
    """

    municipality: str | None = None
    box: Box | None = None
    types: tuple[str, ...] = ()
    received_from: datetime | None = None
    received_before: datetime | None = None
    departments: tuple[str, ...] = ()

    def shape(self) -> Iterator[str]:
        """What it narrows by, in the codes of a case's search log, which say nothing about the
        values."""
        if self.municipality is not None or self.box is not None:
            yield "place"
        if self.types:
            yield "type"
        if self.received_from is not None or self.received_before is not None:
            yield "time"
        if self.departments:
            yield "department"


@dataclass(frozen=True, slots=True)
class SearchResult:
    """`search_id`: the entry of the log under which the search was made. `record_ids`: the first
    `MOST_ANSWERED` of `hits`, the oldest first, except for a search by person.

    `without_point`: how many requests match everything else, but were not compared with the box,
    because their point is not public or not known. `shape`: what was searched by, as codes.
    """

    search_id: str
    record_ids: Sequence[str]
    hits: int
    without_point: int
    shape: tuple[str, ...]

    @property
    def more(self) -> bool:
        """Whether there are hits that the answer does not name."""
        return self.hits > len(self.record_ids)
