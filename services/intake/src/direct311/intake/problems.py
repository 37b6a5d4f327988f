"""What is wrong with what was sent: never the value, always the field and what would be right."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One error of an answer. `code` is HTTP's, as GeoReport v2 has it."""

    code: int
    field: str
    description: str
