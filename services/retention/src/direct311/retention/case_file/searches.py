"""What was searched for a case, and how long the work on it took."""

from typing import Final

from direct311.schemas import Instant, Model, replaced
from direct311.schemas.model import Code

MOST_SEARCHES: Final = 1_000
"""The most searches, and the most notes of minutes, in one case."""


class SearchEntry(Model):
    """One search. `where`: the system or the place, as a code. `shape`: by what it looked, in
    codes, never the values. `hits`: how many were found, zero too. `entry`: the event of the access
    log that tells of it, if it was made in this system."""

    search_id: str
    where: Code
    shape: tuple[Code, ...] = ()
    hits: int
    minutes: int
    by: str
    at: Instant
    entry: str | None = None

    def same_as(self, other: "SearchEntry") -> bool:
        """Whether they say the same, maybe at another time."""
        return self.model_dump(exclude={"at"}) == other.model_dump(exclude={"at"})


class MinutesEntry(Model):
    """Work on the case: its kind, who did it, for how many minutes; `noted_by` wrote it down."""

    note_id: str
    work: Code
    person: str
    minutes: int
    noted_by: str
    at: Instant

    def same_as(self, other: "MinutesEntry") -> bool:
        """Whether they say the same, maybe at another time."""
        return self.model_dump(exclude={"at"}) == other.model_dump(exclude={"at"})


class SearchLog(Model):
    """All searches and minutes of a case, oldest first."""

    searches: tuple[SearchEntry, ...] = ()
    minutes: tuple[MinutesEntry, ...] = ()

    def search(self, search_id: str) -> SearchEntry | None:
        """The search with this id."""
        return next((each for each in self.searches if each.search_id == search_id), None)

    def note(self, note_id: str) -> MinutesEntry | None:
        """The note of minutes with this id."""
        return next((each for each in self.minutes if each.note_id == note_id), None)

    @property
    def minutes_in_all(self) -> int:
        """How many minutes the searches and the other work took together."""
        return sum(self.minutes_by_work.values())

    @property
    def minutes_by_work(self) -> dict[str, int]:
        """The same by the kind of work; those of the searches are `search`."""
        found: dict[str, int] = {}
        pairs = [("search", each.minutes) for each in self.searches]
        for work, minutes in (*pairs, *((each.work, each.minutes) for each in self.minutes)):
            found[work] = found.get(work, 0) + minutes
        return found

    def searched(self, search: SearchEntry) -> "SearchLog":
        """A copy with one more search."""
        return replaced(self, searches=(*self.searches, search))

    def worked(self, note: MinutesEntry) -> "SearchLog":
        """A copy with one more note of minutes."""
        return replaced(self, minutes=(*self.minutes, note))
