"""A department's note as routing hands it over, and how much of them a request keeps."""

from dataclasses import dataclass, field

LONGEST_NOTE = 4_000
"""In characters, as in a department's update."""
MOST_SEALED = 4_000_000
"""The largest sealed field of notes to which another note is added, in bytes. Routing accepts about
two million bytes of notes for a request; a document may have 16 MB."""


@dataclass(frozen=True, slots=True)
class HandedNote:
    """A note in the department's own words. `update_id` is the id of the department's update."""

    record_id: str
    department: str
    update_id: str
    note: str = field(repr=False)

    @property
    def key(self) -> str:
        """What recognizes a repeat. Each department chooses its own ids, and another one may choose
        the same."""
        return f"{self.department}-{self.update_id}"
