"""The numbers that producers give their events: which are missing."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers in a row that are not in the log. `since`: when a later one was logged."""

    numbers: range
    since: datetime

    @property
    def size(self) -> int:
        """How many; `len` ends where an index does."""
        return self.numbers.stop - self.numbers.start

    def without(self, number: int) -> tuple["Gap", ...]:
        """What is left when a number has come: one or two, or none."""
        if number not in self.numbers:
            return (self,)
        parts = (range(self.numbers.start, number), range(number + 1, self.numbers.stop))
        return tuple(Gap(part, self.since) for part in parts if part)


@dataclass(frozen=True)
class Numbered:
    """What is known of one producer. `index`: the last entry that was looked at; `missing`: lowest
    first; `void`: numbers that were filled, or that will not come any more; `closed`: how many
    numbers of gaps those are."""

    producer: str
    highest: int = 0
    index: int = -1
    missing: tuple[Gap, ...] = ()
    void: tuple[range, ...] = ()
    closed: int = 0

    @property
    def service(self) -> str:
        return self.producer.partition("/")[0]
