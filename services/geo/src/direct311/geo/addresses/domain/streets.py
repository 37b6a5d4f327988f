"""The streets with known names, and the street that a misspelled name means."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

_MOST = 3
_ONE_SLIP, _TWO_SLIPS = 4, 8
"""From how many letters on a name may have one wrong letter, or two."""


@dataclass(frozen=True, slots=True)
class KnownStreet:
    """A named street: its line ('SAN MIGUEL AVE'), the core of its name, and a city and a ZIP code
    that it runs through."""

    line: str
    core: str
    city: str | None = None
    zip_code: str | None = None


class KnownStreets:
    """Finds streets by the core of their name, with misspellings allowed."""

    def __init__(self, streets: Iterable[KnownStreet] = ()) -> None:
        self._by_core: dict[str, set[KnownStreet]] = defaultdict(set)
        for street in streets:
            self._by_core[street.core].add(street)
        self._by_part: dict[str, list[str]] = defaultdict(list)
        for core in self._by_core:
            for part in {core, *_parts(core)}:
                self._by_part[part].append(core)
        self._longest = max(map(len, self._by_core), default=0)

    def __len__(self) -> int:
        return len(self._by_core)

    def near(self, core: str, city: str | None, zip_code: str | None) -> Sequence[str]:
        """The known cores that this may be a misspelling of, at most three. Those in the ZIP code
        come first, then those in the city, then those with the fewest slips. A known name returns
        itself."""
        if core in self._by_core:
            return (core,)
        if not _ONE_SLIP <= len(core) <= self._longest + 2 or core.isdigit():
            # A longer name is more than two letters away from all of them.
            return ()
        possible = {
            known for part in (core, *_parts(core)) for known in self._by_part.get(part, ())
        }
        found = [
            (self._elsewhere(known, city, zip_code), slips, known)
            for known in possible
            if (slips := distance(core, known)) <= _allowed(max(len(core), len(known)))
        ]
        return [known for _, _, known in sorted(found)[:_MOST]]

    def lines(self, core: str) -> frozenset[str]:
        """The lines of the streets with this name."""
        return frozenset(street.line for street in self._by_core.get(core, ()))

    def _elsewhere(self, core: str, city: str | None, zip_code: str | None) -> int:
        streets = self._by_core[core]
        if zip_code and any(street.zip_code == zip_code for street in streets):
            return 0
        if city and any(street.city == city for street in streets):
            return 1
        return 2


def distance(one: str, other: str) -> int:
    """How many letters to remove, insert, change, or exchange with the next, to make one into the
    other (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        older, before, row = before, row, [i]
        for j, its in enumerate(other, 1):
            cost = min(before[j] + 1, row[-1] + 1, before[j - 1] + (letter != its))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == its:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
    return row[-1]


def _allowed(length: int) -> int:
    return 2 if length >= _TWO_SLIPS else 1


def _parts(core: str) -> Iterator[str]:
    """The core without as many letters as may be wrong in it."""
    if len(core) < _ONE_SLIP:
        return
    once = [core[:i] + core[i + 1 :] for i in range(len(core))]
    yield from once
    if len(core) >= _TWO_SLIPS - 2:
        for part in once:
            yield from (part[:i] + part[i + 1 :] for i in range(len(part)))
