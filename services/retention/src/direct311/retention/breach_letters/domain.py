"""What the letters after a breach of security are about."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

MOST_LETTERS: Final = 200
"""The most letters in one file."""


@dataclass(frozen=True, slots=True)
class LetterRecord:
    """A record of the breach, and which of its sealed fields were reached."""

    record_id: str
    fields: Sequence[str]


@dataclass(frozen=True, slots=True)
class BreachPeriod:
    """`notice_id`: which breach. `began_on`, `ended_on`: its first and last day."""

    notice_id: str
    began_on: date
    ended_on: date
