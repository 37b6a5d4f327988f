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
        """How many; `len` cannot exceed the largest index."""
        return self.numbers.stop - self.numbers.start

    def without(self, number: int) -> tuple["Gap", ...]:
        """What is left after a number has arrived: no range, one or two."""
        if number not in self.numbers:
            return (self,)
        parts = (range(self.numbers.start, number), range(number + 1, self.numbers.stop))
        return tuple(Gap(part, self.since) for part in parts if part)


@dataclass(frozen=True)
class Numbered:
    """What is known about one producer. `index`: the last entry checked; `missing`: lowest first;
    `void`: numbers that were filled, or that will not arrive any more; `closed`: how many of those
    were in gaps."""

    producer: str
    highest: int = 0
    index: int = -1
    missing: tuple[Gap, ...] = ()
    void: tuple[range, ...] = ()
    closed: int = 0

    @property
    def service(self) -> str:
        return self.producer.partition("/")[0]
